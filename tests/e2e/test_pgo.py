"""Profile-guided builds, stripped: what the compiler has inlined is seen all the same.

Go takes a profile by itself where there is a ``default.pgo`` beside main. These are built with profiles of their own
load.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from grpc_program import check_random, run_random, started
from harness import Tracer, goinst, needs_root, serving, tracing
from traffic import drive, server_facts, span_facts

from pgo import RELEASES, guided

pytestmark = [pytest.mark.bpf, needs_root]

_REQUESTS = 300
_EACH = [pytest.param(go, marks=[] if go == "1.26.8" else pytest.mark.matrix) for go in RELEASES]
_TEMPLATES = {
    "gin": "/gin/users/:id/*rest",
    "echo": "/echo/users/:id/*",
    "chi": "/chi/users/{id}/*",
    "gorilla": "/gorilla/users/{id:[0-9]+}/{rest:.*}",
}


@pytest.fixture(scope="module", params=_EACH)
def release(request: pytest.FixtureRequest) -> str:
    go: str = request.param
    return go


def inlined(binary: Path, plugin: str) -> dict[str, list[str]]:
    """The probes whose functions are inlined somewhere, and where."""
    done = goinst("inspect", "--json", "--plugins", plugin, str(binary))
    (found,) = [each for each in json.loads(done.stdout)["plugins"] if each["name"] == plugin]
    return {probe["program"]: probe["inlined_in"] for probe in found["probes"] if probe["inlined_in"]}


def complained(tracer: Tracer) -> list[str]:
    return [event["reason"] for event in tracer.events if event["level"] == "error"]


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
def test_every_request_is_a_span(release: str, secure: bool) -> None:
    builds = (guided("traffic", load, release) for load in ("serve", "all"))
    binary = next(b for b in builds if "net/http.(*conn).serve" in inlined(b, "nethttp").get("nethttp_serve", ()))
    with (
        serving(binary, *(["-tls"] if secure else [])) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        drive(f"http{'s' if secure else ''}://127.0.0.1:{running.port}", streams=20, requests=_REQUESTS)
        lines = running.wait_lines(_REQUESTS)
        spans = tracer.wait_spans(_REQUESTS)
        ended = tracer.stop()
    assert len(spans) == _REQUESTS
    assert span_facts(spans) == server_facts(lines)
    assert {span["attributes"].get("http.route", "/item/") for span in spans} == {"/item/"}
    assert {span["status"] for span in spans} == {"unset", "error"}
    assert complained(tracer) == []
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0


def test_how_handlers_end(release: str) -> None:
    with (
        serving(guided("traffic", "serve", release), "-quiet") as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        for path in ("/panic", "/abort", "/goexit", "/nothing"):
            running.raw(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        spans = tracer.wait_spans(4)
        ended = tracer.stop()
    kinds = {span["attributes"]["url.path"]: span["attributes"].get("error.type") for span in spans}
    assert kinds == {"/panic": "panic", "/abort": "aborted", "/goexit": "goexit", "/nothing": None}
    assert ended.summary["losses"] == {}


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
def test_every_round_trip_of_a_client_is_a_child(release: str, secure: bool) -> None:
    binary = guided("traffic", "all", release)
    with (
        serving(binary, *(["-tls"] if secure else []), "-quiet") as other,
        serving(binary, "-quiet") as caller,
        tracing("--pid", str(caller.pid), "--plugins", "nethttp") as tracer,
    ):
        url = f"http{'s' if secure else ''}://127.0.0.1:{other.port}"
        caller.request("GET", f"/drive?url={quote(url)}&requests={_REQUESTS}&streams=4")
        entries = [json.loads(line) for line in caller.wait_lines(_REQUESTS)]
        spans = tracer.wait_spans(_REQUESTS + 1)
        ended = tracer.stop()
    (parent,) = [span for span in spans if span["kind"] == "server"]
    made = {urlsplit(span["attributes"]["url.full"]).path: span for span in spans if span["kind"] == "client"}
    assert made.keys() == {entry["path"] for entry in entries}
    for entry in entries:
        span = made[entry["path"]]
        assert span["attributes"]["http.request.method"] == entry["method"]
        assert span["attributes"]["http.response.status_code"] == entry["status"]
        assert span["attributes"]["goinst.http.connection.reused"] == entry["reused"]
        assert span["attributes"]["network.peer.port"] == other.port
        assert span["parent_span_id"] == parent["span_id"]
    assert complained(tracer) == []
    assert ended.summary["losses"] == {}


def test_json_rpc_in_bodies(release: str) -> None:
    """Small ones come with their header, one over 4 KB, and one in pieces, later."""
    with (
        serving(guided("jsonhand", "serve", release)) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp,jsonrpc") as tracer,
    ):
        for number in range(10):
            running.call({"jsonrpc": "2.0", "method": f"call.{number}", "params": ["x" * number * 500], "id": number})
        body = b'{"jsonrpc":"2.0","method":"in.pieces","id":99}'
        head = b"POST /rpc HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        running.raw(head, body[:20], body[20:], pause=0.2)
        spans = tracer.wait_spans(11)
        ended = tracer.stop()
    assert {span["name"] for span in spans} == {f"call.{number}" for number in range(10)} | {"in.pieces"}
    assert complained(tracer) == []
    assert ended.summary["losses"] == {}


def test_templates_of_routers(release: str) -> None:
    with (
        serving(guided("routers", "all", release)) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        for name in _TEMPLATES:
            assert running.request("GET", f"/{name}/users/7/a/b") == (200, b"7")
        spans = tracer.wait_spans(len(_TEMPLATES))
        ended = tracer.stop()
    assert {span["attributes"]["http.route"] for span in spans} == {*_TEMPLATES.values()}
    assert complained(tracer) == []
    assert ended.summary["losses"] == {}


def test_every_rpc_is_a_span_on_both_sides(release: str) -> None:
    """1,000 calls of all kinds, some inside others, some given up, against both sides' logs."""
    with (
        started(guided("grpc", "all", release), "random", "1000", "20", "11") as calls,
        tracing("--pid", str(calls.process.pid), "--plugins", "grpc") as tracer,
    ):
        lines = run_random(calls, 1000)
        time.sleep(1)
        ended = tracer.stop()
    compared = check_random(lines, ended.spans)
    assert compared["served"] > 900
    assert complained(tracer) == []
    assert ended.summary["losses"] == {}
