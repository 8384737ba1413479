"""net/http: a span for each request that a server handles, HTTP/1 and HTTP/2."""

from __future__ import annotations

from goinst.plugins.nethttp.decode import decode_request
from goinst.plugins.nethttp.fields import FIELDS, TYPES
from goinst.plugins.nethttp.secure import decode_tls
from goinst.plugins.nethttp.stream import decode_stream

from goinst import Column, Fragment, Option, Probe, Protocol, Record, Site, Tail

__all__ = ["PROTOCOL"]

_SERVE = "sh struct{srv *net/http.Server}, rw interface{}, req *net/http.Request"
_STREAMS_LOST = "HTTP/2 requests"


def _fragment(file: str) -> Fragment:
    return Fragment(file, package="goinst.plugins.nethttp")


def _run(package: str, request: str) -> Site:
    return Site(
        f"{package}.(*serverConn).runHandler",
        f"sc *{package}.serverConn, rw *{package}.responseWriter, req *{request}, handler func()",
    )


PROTOCOL = Protocol(
    name="nethttp",
    summary="HTTP/1 and HTTP/2 requests served by net/http",
    hits="HTTP/1: 2 emulated hits a request, 1 a connection; HTTP/2: 2 or 3 emulated hits a request",
    fragments=tuple(map(_fragment, ("common.bpf.c", "headers.bpf.c", "stream.bpf.c", "nethttp.bpf.c"))),
    fields=FIELDS,
    types=TYPES,
    probes=(
        Probe("nethttp_serve", (Site("net/http.serverHandler.ServeHTTP", _SERVE),)),
        Probe(
            "nethttp_finish",
            (Site("net/http.(*response).finishRequest", "w *net/http.response"),),
            closes=True,
        ),
        Probe(
            "nethttp_hijack",
            (Site("net/http.(*response).Hijack", "w *net/http.response"),),
            optional=True,
            lost="hijacked connections are reported like handlers that panicked",
        ),
        Probe(
            "nethttp_leave",
            (Site("net/http.(*conn).serve.func1"), Site("net/http.(*conn).close", "c *net/http.conn")),
            optional=True,
            closes=True,
            lost="no span for requests whose handler panicked or hijacked the connection",
        ),
        Probe(
            "nethttp_stream_run",  # Go 1.27; before, the request is in place when serverHandler.ServeHTTP is called
            (_run("net/http/internal/http2", "net/http/internal/http2.ServerRequest"),),
            optional=True,
            lost=_STREAMS_LOST,
        ),
        Probe(
            "nethttp_stream_done",
            (
                Site("net/http.(*http2serverConn).runHandler.func1"),
                Site("net/http/internal/http2.(*serverConn).runHandler.func1"),
            ),
            optional=True,
            closes=True,
            lost=_STREAMS_LOST,
        ),
        Probe(
            "nethttp_xnet_run",
            (_run("golang.org/x/net/http2", "net/http.Request"),),
            optional=True,
            lost=_STREAMS_LOST,
        ),
        Probe(
            "nethttp_xnet_done",
            (Site("golang.org/x/net/http2.(*serverConn).runHandler.func1"),),
            optional=True,
            closes=True,
            lost=_STREAMS_LOST,
        ),
    ),
    tails=(Tail("nethttp_serve_stream"),),
    records=(
        Record(
            "nethttp_request",
            role="operation",
            kind="server",
            decode=decode_request,
            columns=(
                Column("conn", "u64"),
                Column("tls", "u64"),
                Column("response", "u64"),
                Column("request", "u64"),
                Column("content_length", "i64"),
                Column("written", "i64"),
                Column("used", "u64"),
                Column("method_length", "u32"),
                Column("uri_length", "u32"),
                Column("pattern_length", "u32"),
                Column("block_length", "u32"),
                Column("status", "u16"),
                Column("local_port", "u16"),
                Column("flags", "u8"),
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
            decode=decode_stream,
            columns=(
                Column("state", "u64"),
                Column("request", "u64"),
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
            "nethttp_tls",
            decode=decode_tls,
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
    ),
    losses={
        "foreign_server": "a request of a server that is not net/http's or golang.org/x/net/http2's: not traced",
        "header_unreadable": "the header block was not in memory: method, path and headers are missing",
        "began_unseen": "a request ended whose beginning was not seen (it began before goinst, or was evicted)",
    },
)
