"""Programs that send HTTP requests and serve none: net/http's server is not linked into them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness import goinst, needs_root
from traffic import server

from gobuild import PROGRAMS, VERSIONS, build, stripped
from goinst.golang.facts import GoFacts

_EACH = [
    pytest.param(go, marks=[] if go in ("1.17.13", "1.27.3") else pytest.mark.matrix)
    for go in VERSIONS
    if go != "1.16.15"  # no client spans there
]


@pytest.mark.bpf
@needs_root
@pytest.mark.parametrize("go", _EACH)
def test_requests_of_a_program_without_a_server(go: str, tmp_path: Path) -> None:
    fetch = stripped(build(PROGRAMS / "fetch", go=go))
    assert GoFacts.open(str(fetch)).function("net/http.serverHandler.ServeHTTP") is None
    spans_to = tmp_path / "spans.jsonl"
    with server("-quiet") as other:
        url = f"http://127.0.0.1:{other.port}"
        urls = [f"{url}/one", f"{url}/two?q=1", "http://127.0.0.1:1/refused"]
        ended = goinst("run", "--output", f"json:{spans_to}", "--", str(fetch), *urls)
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    logged = [tuple(map(int, line.split())) for line in said]
    spans = [json.loads(line) for line in spans_to.read_text().splitlines()]
    assert len(logged) == len(spans) == 3
    assert [span["attributes"].get("http.response.status_code", 0) for span in spans] == [s for s, _ in logged]
    assert [span["attributes"].get("http.response.body.size", 0) for span in spans] == [n for _, n in logged]
    assert {(span["kind"], span["name"], span["plugin"]) for span in spans} == {("client", "GET", "nethttp")}
    assert spans[2]["attributes"]["error.type"] == "connection_refused"
    summary = json.loads(ended.stderr.splitlines()[-1])
    assert summary["spans"] == 3
    assert summary["losses"] == {}


def test_without_server_and_client_the_plugin_is_off() -> None:
    """What a client alone may lack is still said to be missing where there is no client either."""
    ended = goinst("inspect", "--json", "--plugins", "nethttp", str(build(PROGRAMS / "idle")))
    (nethttp,) = json.loads(ended.stdout)["plugins"]
    assert not nethttp["enabled"]
    assert nethttp["reason"] == "no function net/http.serverHandler.ServeHTTP in the binary"
