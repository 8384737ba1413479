"""The http2 plugin: header blocks, in and out, of net/http's server and client and of x/net's."""

from __future__ import annotations

import pytest
from grpc_program import started
from harness import Span, needs_root, serving, tracing
from test_nethttp_h2 import curl
from traffic import RELEASES, SOME, server

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

_EACH = [pytest.param(go, marks=[] if go in SOME else pytest.mark.matrix) for go in RELEASES]


def field(span: Span, name: str) -> str | None:
    found: str | None = span["attributes"].get(f"goinst.http2.header.{name}")
    return found


@pytest.mark.parametrize("go", _EACH)
def test_what_a_server_reads_and_writes(go: str) -> None:
    with (
        server("-tls", "-quiet", go=go) as running,
        tracing("--pid", str(running.pid), "--plugins", "http2,nethttp", "--no-lineage") as tracer,
    ):
        url = f"https://127.0.0.1:{running.port}/item/7?status=201&bytes=3&type=text/x-item"
        curl(url, "-H", "X-Id: id-7", "-H", "Authorization: Bearer s3cret")
        spans = tracer.wait_spans(3)
        ended = tracer.stop()
    (read,) = [span for span in spans if span["name"] == "HEADERS in"]
    (written,) = [span for span in spans if span["name"] == "HEADERS out"]
    (request,) = [span for span in spans if span["plugin"] == "nethttp"]
    assert (field(read, ":method"), field(read, ":scheme"), field(read, ":path")) == (
        "GET",
        "https",
        "/item/7?status=REDACTED&bytes=REDACTED&type=REDACTED",
    )
    assert field(read, ":authority") == f"127.0.0.1:{running.port}"
    assert field(read, "x-id") == field(written, "x-id") == "id-7"
    assert field(read, "authorization") == "REDACTED"
    assert read["attributes"]["goinst.http2.end_stream"] is True
    assert field(written, ":status") == "201"
    assert field(written, "content-type") == "text/x-item"
    assert written["attributes"]["goinst.http2.end_stream"] is False
    # from the header block to the handler: the request's span says it
    waited = request["attributes"]["goinst.http2.queue.duration_ns"]
    assert 0 < waited < 1e9
    # by these two the request's own span is found
    for name in ("goinst.http2.stream_id", "goinst.http2.connection"):
        assert len({span["attributes"][name] for span in (read, written, request)}) == 1
    assert "s3cret" not in str(spans)
    assert ended.summary["losses"] == {}


@pytest.mark.parametrize("go", _EACH)
def test_what_a_client_writes_and_reads(go: str) -> None:
    with (
        server("-tls", "-quiet") as other,
        server("-quiet", go=go) as caller,
        tracing("--pid", str(caller.pid), "--plugins", "http2,nethttp") as tracer,
    ):
        url = f"https://127.0.0.1:{other.port}/item/7"
        for query in ("", "%3Ftoken%3Ds3cret"):
            caller.request("GET", f"/call?url={url}{query}")
        spans = tracer.wait_spans(8)
        ended = tracer.stop()
    written = [span for span in spans if span["name"] == "HEADERS out"]
    read = [span for span in spans if span["name"] == "HEADERS in"]
    clients = {span["span_id"]: span for span in spans if span["kind"] == "client"}
    assert [field(span, ":path") for span in written] == ["/item/7", "/item/7?token=REDACTED"]
    for span in written:
        assert field(span, ":method") == "GET"
        assert field(span, ":scheme") == "https"
        assert field(span, ":authority") == f"127.0.0.1:{other.port}"
        assert span["attributes"]["goinst.http2.end_stream"] is True
    assert [field(span, ":status") for span in read] == ["200", "200"]
    for name in ("goinst.http2.stream_id", "goinst.http2.connection"):
        assert [span["attributes"][name] for span in written] == [span["attributes"][name] for span in read]
    assert len(clients) == 2
    assert "s3cret" not in str(spans)
    assert ended.summary["losses"] == {}


def test_what_grpc_reads_and_writes() -> None:
    with (
        started(build(PROGRAMS / "grpc"), "serve") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "http2") as tracer,
    ):
        program.call("unary")
        read, head, trailer = tracer.wait_spans(3)
        ended = tracer.stop()
    assert field(read, ":path") == "/grpc.testing.TestService/UnaryCall"
    assert field(read, "content-type") == field(head, "content-type") == "application/grpc"
    assert field(head, ":status") == "200"
    assert field(trailer, "grpc-status") == "0"
    assert [span["attributes"]["goinst.http2.end_stream"] for span in (read, head, trailer)] == [False, False, True]
    assert ended.summary["losses"] == {}


def test_it_is_on_only_where_it_is_named() -> None:
    with server("-tls", "-quiet") as running, tracing("--pid", str(running.pid)) as tracer:
        curl(f"https://127.0.0.1:{running.port}/nothing")
        spans = tracer.wait_spans(1)
        tracer.stop()
    assert [span["plugin"] for span in spans] == ["nethttp"]


@pytest.mark.parametrize("go", ["1.17.13", pytest.param("1.26.8", marks=pytest.mark.matrix)])
def test_both_sides_of_x_net(go: str) -> None:
    """The client and the server of one process: what one reads is what the other wrote."""
    with (
        serving(build(PROGRAMS / "xnet", go=go)) as running,
        tracing("--pid", str(running.pid), "--plugins", "http2") as tracer,
    ):
        running.request("GET", "/drive?n=5")
        # 6 requests written and read, 5 answers written and read; an aborted stream is reset
        spans = tracer.wait_spans(22)
        ended = tracer.stop()
    sent = [span for span in spans if field(span, ":path") and span["attributes"]["goinst.http2.direction"] == "out"]
    spans = [span for span in spans if span not in sent]
    requests = [span for span in spans if field(span, ":path")]
    for name in (":method", ":scheme", ":authority", ":path"):
        assert sorted(str(field(span, name)) for span in sent) == sorted(str(field(span, name)) for span in requests)
    assert sorted(str(field(span, ":path")) for span in requests) == ["/item/0", "/item/1", "/item/2", "/item/3",
                                                                       "/item/4", "/panic"]  # fmt: skip
    written = [span for span in spans if span["attributes"]["goinst.http2.direction"] == "out"]
    read = [span for span in spans if span not in requests and span not in written]
    assert sorted(str(field(span, ":status")) for span in written) == ["200", "201", "202", "203", "204"]
    assert sorted(str(field(span, ":status")) for span in read) == ["200", "201", "202", "203", "204"]
    assert {field(span, "content-type") for span in read} == {"text/x-item"}
    assert ended.summary["losses"] == {}
