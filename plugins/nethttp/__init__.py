"""net/http: a span for each request that a server handles and for each that a client sends, HTTP/1 and HTTP/2."""

from __future__ import annotations

from goinst.plugins.nethttp import series
from goinst.plugins.nethttp.client import decode_client, decode_error
from goinst.plugins.nethttp.decode import decode_line, decode_request
from goinst.plugins.nethttp.fields import FIELDS, TYPES
from goinst.plugins.nethttp.headers import decode_headers
from goinst.plugins.nethttp.packages import PACKAGES, UNSEEN
from goinst.plugins.nethttp.probes import CLIENT_PROBES, ROUTER_PROBES, SERVER_PROBES
from goinst.plugins.nethttp.propagate import CONTEXT_PROBES
from goinst.plugins.nethttp.routes import decode_route
from goinst.plugins.nethttp.secure import decode_tls
from goinst.plugins.nethttp.stream import decode_stream

from goinst import Column, Fragment, Option, Protocol, Record, Tail

__all__ = ["PROTOCOL"]


def _fragment(name: str) -> Fragment:
    return Fragment(f"{name}.bpf.c", package="goinst.plugins.nethttp")


PROTOCOL = Protocol(
    name="nethttp",
    summary="HTTP/1 and HTTP/2 requests, served and sent by net/http",
    hits="server: HTTP/1 2 a request and 2 a connection, HTTP/2 2 or 3 a request; client: 3, 1 of them single-stepped",
    fragments=tuple(map(_fragment, ("common", "headers", "stream", "nethttp", "propagate", "client", "routes"))),
    fields=FIELDS,
    types=TYPES,
    unseen=UNSEEN,
    packages=PACKAGES,
    probes=(
        *SERVER_PROBES,
        *CLIENT_PROBES,
        *CONTEXT_PROBES,
        *ROUTER_PROBES,
    ),
    tails=(Tail("nethttp_serve_stream"), Tail("nethttp_read_line")),
    records=(
        Record(
            "nethttp_request",
            role="operation",
            kind="server",
            active="http.server.active_requests",
            partial=True,
            decode=decode_request,
            series=series.REQUEST,
            columns=(
                Column("conn", "u64"),
                Column("tls", "u64"),
                Column("response", "u64"),
                Column("request", "u64"),
                Column("target", "u64"),
                Column("copy", "u64"),
                Column("content_length", "i64"),
                Column("written", "i64"),
                Column("method_length", "u32"),
                Column("uri_length", "u32"),
                Column("pattern_length", "u32"),
                Column("block_length", "u32"),
                Column("status", "u16"),
                Column("local_port", "u16"),
                Column("flags", "u8"),
                Column("ending", "u8"),
                Column("drained", "u8"),
                Column("peer_length", "u8"),
                Column("content_type_length", "u8"),
                Column("peer", "bytes", 57),
                Column("content_type", "bytes", 48),
                Column("pattern", "bytes", 128),
                Column("block", "bytes", "header_bytes"),
            ),
        ),
        Record(
            "nethttp_stream",
            role="operation",
            kind="server",
            active="http.server.active_requests",
            partial=True,
            decode=decode_stream,
            series=series.STREAM,
            columns=(
                Column("state", "u64"),
                Column("request", "u64"),
                Column("target", "u64"),
                Column("copy", "u64"),
                Column("connection", "u64"),
                Column("content_length", "i64"),
                Column("written", "i64"),
                Column("stream", "u32"),
                Column("uri_length", "u32"),
                Column("uri_copied", "u32"),
                Column("pattern_length", "u32"),
                Column("status", "u16"),
                Column("local_port", "u16"),
                Column("flags", "u8"),
                Column("ending", "u8"),
                Column("method_length", "u8"),
                Column("host_length", "u8"),
                Column("peer_length", "u8"),
                Column("agent_length", "u8"),
                Column("parent_length", "u8"),
                Column("content_type_length", "u8"),
                Column("method", "bytes", 24),
                Column("host", "bytes", 128),
                Column("peer", "bytes", 57),
                Column("agent", "bytes", 192),
                Column("parent", "bytes", 64),
                Column("content_type", "bytes", 48),
                Column("pattern", "bytes", 128),
                Column("uri", "bytes", "header_bytes"),
            ),
        ),
        Record(
            "nethttp_client",
            role="operation",
            kind="client",
            begun_by=("nethttp_call", "nethttp_xnet_call"),
            active="http.client.active_requests",
            partial=True,
            decode=decode_client,
            series=series.CALL,
            columns=(
                Column("header", "u64"),
                Column("content_length", "i64"),
                Column("response_length", "i64"),
                Column("path_length", "u32"),
                Column("path_copied", "u32"),
                Column("query_length", "u32"),
                Column("frame", "u32"),
                Column("inner", "u32"),
                Column("attempts", "u32"),
                Column("status", "u16"),
                Column("peer_port", "u16"),
                Column("major", "u8"),
                Column("minor", "u8"),
                Column("context", "u8"),
                Column("flags", "u8"),
                Column("method_length", "u8"),
                Column("scheme_length", "u8"),
                Column("host_length", "u8"),
                Column("peer_length", "u8"),
                Column("content_type_length", "u8"),
                Column("method", "bytes", 24),
                Column("scheme", "bytes", 8),
                Column("host", "bytes", 128),
                Column("peer", "bytes", 16),
                Column("content_type", "bytes", 48),
                Column("query", "bytes", 256),
                Column("path", "bytes", "header_bytes"),
            ),
        ),
        Record(
            "nethttp_error",
            decode=decode_error,
            series=series.ERROR,
            columns=(
                Column("errno", "u32"),
                Column("kind", "u8"),
                Column("op_length", "u8"),
                Column("text_length", "u8"),
                Column("op", "bytes", 16),
                Column("text", "bytes", 128),
            ),
        ),
        Record(
            "nethttp_line",
            decode=decode_line,
            series=series.LINE,
            columns=(
                Column("uri_length", "u32"),
                Column("uri_copied", "u32"),
                Column("minor", "u8"),
                Column("method_length", "u8"),
                Column("host_length", "u8"),
                Column("agent_length", "u8"),
                Column("parent_length", "u8"),
                Column("method", "bytes", 24),
                Column("host", "bytes", 128),
                Column("agent", "bytes", 192),
                Column("parent", "bytes", 64),
                Column("uri", "bytes", "header_bytes"),
            ),
        ),
        Record(
            "nethttp_headers",
            decode=decode_headers,
            series=series.NOTHING,
            columns=(
                Column("response", "u8"),
                Column("cut", "u8"),
                Column("length", "u16"),
                Column("data", "bytes", 2048),
            ),
        ),
        Record(
            "nethttp_route",
            decode=decode_route,
            series=series.ROUTE,
            columns=(
                Column("router", "u8"),
                Column("count", "u8"),
                *(Column(f"length{number}", "u8") for number in range(4)),
                *(Column(f"part{number}", "bytes", 128) for number in range(4)),
            ),
        ),
        Record(
            "nethttp_tls",
            decode=decode_tls,
            series=series.NOTHING,
            columns=(
                Column("version", "u16"),
                Column("cipher", "u16"),
                Column("name_length", "u8"),
                Column("name", "bytes", 128),
            ),
        ),
    ),
    options=(
        Option(
            "header_bytes",
            512,
            "how much of a request's header block (HTTP/2: of its path and query) is captured, in bytes",
            minimum=128,
            maximum=4096,
        ),
        Option(
            "capture_headers",
            "",
            "headers to put on spans, of requests and responses: names with commas between them",
            define="NETHTTP_CAPTURE",
        ),
    ),
    signals=("pattern_elsewhere",),
    losses={
        "foreign_server": "a request of a server that is not net/http's or golang.org/x/net/http2's: not traced",
        "header_unreadable": "the header block was not in memory: method, path and headers are missing",
        "end_unseen": "a request whose handler was not seen to end: its span lasts as long as its connection did",
        "began_unseen": "a request ended whose beginning was not seen (it began before goinst)",
        "context_unclaimed": "an HTTP/2 request of a call that is not known: it went without a traceparent",
        "context_unsure": "a request with so many header fields that one may be a traceparent: none was written",
    },
    notes={
        "context_present": "requests that had a traceparent already",
        "http2_preface": "connections that began HTTP/2 without TLS: h2c takes them over, other handlers answer 400",
    },
)
