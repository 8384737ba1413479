"""--partial-after: what is still open is reported, and its span comes at its end."""

from __future__ import annotations

import socket
import subprocess

import pytest
from harness import Span, Tracer, needs_root, serving, tracing
from traffic import RELEASES, SOME, server

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

_TICK = len("data: tick\n\n")
_EACH = [pytest.param(go, marks=[] if go == SOME[-1] else pytest.mark.matrix) for go in RELEASES]


def of(tracer: Tracer, path: str) -> list[Span]:
    return [span for span in tracer.partial if span["attributes"].get("url.path") == path]


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("go", _EACH)
def test_a_stream_is_reported_with_its_bytes_so_far(go: str, secure: bool) -> None:
    with (
        server(*(["-tls"] if secure else []), go=go) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--partial-after", "0.5") as tracer,
    ):
        url = f"http{'s' if secure else ''}://127.0.0.1:{running.port}"
        command = [
            "curl",
            "-sk",
            "-o",
            "/dev/null",
            "-m",
            "3.5",
            f"{url}/forever?a=1",
            "--next",
            "-sk",
            f"{url}/nothing",
        ]
        subprocess.run(command, check=False, timeout=20)
        tracer.wait_spans(2)
        ended = tracer.stop()
    (final,) = [span for span in ended.spans if span["attributes"]["url.path"] == "/forever"]
    reports = of(tracer, "/forever")
    assert len(reports) >= 2
    assert len(tracer.partial) == len(reports) == ended.summary["partial"], "short requests are not reported"
    sizes = [span["attributes"]["http.response.body.size"] for span in reports]
    assert sizes == sorted(set(sizes))
    assert all(size > 0 and size % _TICK == 0 for size in sizes)
    assert sizes[-1] < final["attributes"]["http.response.body.size"]
    for span in reports:
        assert span["span_id"] == final["span_id"]
        assert span["trace_id"] == final["trace_id"]
        assert span["timestamp"][:19] == final["timestamp"][:19]
        assert 0.5e9 < span["duration_ns"] < final["duration_ns"]
        assert span["attributes"]["http.response.status_code"] == 200
        assert span["attributes"]["url.query"] == "a=REDACTED"
        assert span["name"] == final["name"]
        assert span["attributes"].get("http.route") == final["attributes"].get("http.route")
        assert span["attributes"].get("tls.protocol.version") == final["attributes"].get("tls.protocol.version")
        assert span["status"] == "unset"
    assert ended.summary["spans"] == 2
    assert ended.summary["losses"] == {}


@pytest.mark.parametrize("go", _EACH)
def test_a_request_without_an_answer_yet_has_no_status(go: str) -> None:
    """Nor has the request that waits for it."""
    with (
        server("-quiet", go=go) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--partial-after", "1") as tracer,
    ):
        url = f"http://127.0.0.1:{running.port}"
        waiting = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-m", "8", f"{url}/call?url={url}/late"])
        tracer.wait_partial(3)
        waiting.wait(20)
        tracer.wait_spans(3, 20)
        ended = tracer.stop()
    for span in tracer.partial:
        assert "http.response.status_code" not in span["attributes"]
        assert "http.response.body.size" not in span["attributes"] or span["attributes"]["http.response.body.size"] == 0
        assert span["status"] == "unset"
    (caller,) = {span["span_id"] for span in of(tracer, "/call")}
    clients = [span for span in tracer.partial if span["kind"] == "client"]
    assert {span["parent_span_id"] for span in clients} == {caller}
    assert {span["span_id"] for span in tracer.partial} == {span["span_id"] for span in ended.spans}


def test_a_connection_that_was_hijacked() -> None:
    """A websocket is as long as its handler; what goes over its connection is not counted."""
    with (
        serving(build(PROGRAMS / "odd")) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--partial-after", "0.3") as tracer,
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            connection.sendall(b"GET /upgraded HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 101")
            (report, *_) = tracer.wait_partial(1)
        (span,) = tracer.wait_spans(1)
    for one in (report, span):
        assert one["attributes"]["goinst.http.hijacked"] is True
        assert "http.response.status_code" not in one["attributes"]
        assert one["status"] == "unset"
    assert report["span_id"] == span["span_id"]
    assert 0.3e9 < report["duration_ns"] < span["duration_ns"]
