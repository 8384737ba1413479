"""HTTP/2 servers: one span for each stream, and each says what the server itself logged for that stream."""

from __future__ import annotations

import subprocess

import pytest
from harness import PATIENCE, Ended, Span, named, needs_root, tracing
from traffic import RELEASES, SOME, drive, server, server_facts, span_facts

pytestmark = [pytest.mark.bpf, needs_root]

_REQUESTS = 300


@pytest.fixture(
    scope="module",
    params=[pytest.param(go, marks=[] if go in SOME else pytest.mark.matrix) for go in RELEASES],
)
def mixed(request: pytest.FixtureRequest) -> tuple[list[str], list[Span], Ended]:
    """A mix of requests on one TLS connection: the server's log, the spans and the end of the run."""
    with (
        server("-tls", go=request.param) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        drive(f"https://127.0.0.1:{running.port}", streams=20, requests=_REQUESTS)
        lines = running.wait_lines(_REQUESTS)
        spans = tracer.wait_spans(_REQUESTS)
        ended = tracer.stop()
    return lines, spans, ended


def test_every_stream_is_a_span_that_says_what_the_server_logged(mixed: tuple[list[str], list[Span], Ended]) -> None:
    lines, spans, ended = mixed
    assert len(spans) == _REQUESTS
    assert span_facts(spans) == server_facts(lines)
    assert {span["attributes"]["network.protocol.version"] for span in spans} == {"2"}
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0


def test_at_most_three_hits_a_stream(mixed: tuple[list[str], list[Span], Ended]) -> None:
    """Beside the hits for goroutines that are started, which follow client spans; this program has a client."""
    _, _, ended = mixed
    hits = {name: count for name, count in ended.summary["hits"].items() if "newproc1" not in name}
    connections = sum(hits.pop(name) for name in list(hits) if "conn).serve" in name)
    assert connections <= 2
    assert 2 * _REQUESTS <= sum(hits.values()) <= 3 * _REQUESTS


def test_who_asked_whom_and_how(mixed: tuple[list[str], list[Span], Ended]) -> None:
    _, spans, _ = mixed
    for span in spans:
        attributes = span["attributes"]
        assert span["kind"] == "server"
        assert attributes["url.scheme"] == "https"
        assert attributes["user_agent.original"] == "Go-http-client/2.0"
        assert attributes["network.peer.address"] == "127.0.0.1"
        assert attributes["server.address"] == "127.0.0.1"
        assert attributes["tls.protocol.version"] == "1.3"
        assert attributes["tls.cipher"].startswith("TLS_")
        assert attributes["tls.client.server_name"] == "traffic.test"
    ids = {span["attributes"]["goinst.http2.stream_id"] for span in spans}
    assert len(ids) == _REQUESTS, "all streams are of one connection"
    assert all(number % 2 for number in ids)
    kinds = {tuple(span["attributes"].get("http.response.header.content-type", ())) for span in spans}
    assert {("application/json",), ("text/html; charset=utf-8",), ()} <= kinds


@pytest.mark.parametrize("go", [pytest.param(go, marks=[] if go in SOME else pytest.mark.matrix) for go in RELEASES])
def test_handlers_that_do_not_return(go: str) -> None:
    """A panic, http.ErrAbortHandler and runtime.Goexit are errors; the next stream is itself."""
    with (
        server("-tls", "-quiet", go=go) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        base = f"https://127.0.0.1:{running.port}"
        for path in ("/panic", "/abort", "/goexit", "/nothing"):
            curl(f"{base}{path}")
        spans = tracer.wait_spans(4)
        ended = tracer.stop()
    for path, kind in (("/panic", "panic"), ("/abort", "aborted"), ("/goexit", "goexit")):
        span = named(spans, f"GET {path}")
        assert span["status"] == "error"
        assert span["attributes"]["error.type"] == kind
        assert "http.response.status_code" not in span["attributes"]
    after = named(spans, "GET /nothing")
    assert after["status"] == "unset"
    assert after["attributes"]["http.response.status_code"] == 200
    assert after["parent_span_id"] is None
    assert ended.summary["losses"] == {}


def curl(url: str, *arguments: str) -> None:

    subprocess.run(["curl", "-sk", "--http2", "-m", str(PATIENCE), *arguments, url], check=False, capture_output=True)


def test_the_callers_trace_is_taken_over() -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with server("-tls", "-quiet") as running, tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer:
        headers = [f"X-{number}: {'v' * 40}" for number in range(30)]
        headers.insert(20, f"traceparent: 00-{trace}-{parent}-01")
        curl(f"https://127.0.0.1:{running.port}/nothing", *(word for line in headers for word in ("-H", line)))
        (span,) = tracer.wait_spans(1)
    assert span["trace_id"] == trace
    assert span["parent_span_id"] == parent
    assert span["attributes"]["user_agent.original"].startswith("curl/")
