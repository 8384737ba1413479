"""net/http: a span for each request that a server handles and for each that a client sends, HTTP/1 and HTTP/2."""

from __future__ import annotations

from goinst.plugins.nethttp import series
from goinst.plugins.nethttp.client import decode_client, decode_error
from goinst.plugins.nethttp.decode import decode_line, decode_request
from goinst.plugins.nethttp.fields import FIELDS, TYPES
from goinst.plugins.nethttp.headers import decode_headers
from goinst.plugins.nethttp.packages import PACKAGES, UNSEEN
from goinst.plugins.nethttp.probes import CLIENT_PROBES, ROUTER_PROBES, SERVER_PROBES, TIMEOUT_PROBES
from goinst.plugins.nethttp.propagate import CONTEXT_PROBES
from goinst.plugins.nethttp.records import (
    Call,
    CallFlag,
    Ending,
    ErrorKind,
    Failure,
    Flag,
    Headers,
    Limit,
    Line,
    Request,
    Route,
    Router,
    Secured,
    Stream,
)
from goinst.plugins.nethttp.routes import decode_route
from goinst.plugins.nethttp.secure import decode_tls
from goinst.plugins.nethttp.stream import decode_stream

from goinst import Fragment, Option, Protocol, Record, Tail

__all__ = ["PROTOCOL"]


def _fragment(name: str) -> Fragment:
    return Fragment(f"{name}.bpf.c", package="goinst.plugins.nethttp")


PROTOCOL = Protocol(
    name="nethttp",
    summary="HTTP/1 and HTTP/2 requests, served and sent by net/http",
    hits="server: HTTP/1 2 a request and 2 a connection, HTTP/2 2 or 3 a request; client: 3, 1 of them single-stepped",
    fragments=tuple(
        map(_fragment, ("common", "headers", "stream", "nethttp", "propagate", "client", "timeout", "routes"))
    ),
    fields=FIELDS,
    types=TYPES,
    enums=(Flag, CallFlag, Ending, ErrorKind, Router, Limit),
    unseen=UNSEEN,
    packages=PACKAGES,
    probes=(
        *SERVER_PROBES,
        *CLIENT_PROBES,
        *CONTEXT_PROBES,
        *TIMEOUT_PROBES,
        *ROUTER_PROBES,
    ),
    tails=(Tail("nethttp_serve_stream"), Tail("nethttp_read_line")),
    records=(
        Record(
            "nethttp_request",
            Request,
            role="operation",
            kind="server",
            active="http.server.active_requests",
            partial=True,
            decode=decode_request,
            series=series.REQUEST,
        ),
        Record(
            "nethttp_stream",
            Stream,
            role="operation",
            kind="server",
            active="http.server.active_requests",
            partial=True,
            decode=decode_stream,
            series=series.STREAM,
        ),
        Record(
            "nethttp_client",
            Call,
            role="operation",
            kind="client",
            begun_by=("nethttp_call", "nethttp_xnet_call"),
            active="http.client.active_requests",
            partial=True,
            decode=decode_client,
            series=series.CALL,
        ),
        Record(
            "nethttp_error",
            Failure,
            decode=decode_error,
            series=series.ERROR,
        ),
        Record(
            "nethttp_line",
            Line,
            decode=decode_line,
            series=series.LINE,
        ),
        Record(
            "nethttp_headers",
            Headers,
            decode=decode_headers,
            series=series.NOTHING,
        ),
        Record(
            "nethttp_route",
            Route,
            decode=decode_route,
            series=series.ROUTE,
        ),
        Record(
            "nethttp_tls",
            Secured,
            decode=decode_tls,
            series=series.NOTHING,
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
