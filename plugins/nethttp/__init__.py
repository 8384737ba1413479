"""net/http: a span for each request that a server handles and for each that a client sends, HTTP/1 and HTTP/2."""

from __future__ import annotations

from goinst.plugins.nethttp import series
from goinst.plugins.nethttp.client import decode_client, decode_error
from goinst.plugins.nethttp.decode import decode_line, decode_request
from goinst.plugins.nethttp.fields import FIELDS, SERVER, TYPES
from goinst.plugins.nethttp.headers import decode_headers
from goinst.plugins.nethttp.packages import PACKAGES, UNSEEN
from goinst.plugins.nethttp.propagate import CONTEXT_PROBES
from goinst.plugins.nethttp.routes import decode_route
from goinst.plugins.nethttp.secure import decode_tls
from goinst.plugins.nethttp.stream import decode_stream

from goinst import Column, Fragment, Option, Probe, Protocol, Record, Site, Tail

__all__ = ["PROTOCOL"]

_SERVE = "sh struct{srv *net/http.Server}, rw interface{}, req *net/http.Request"
_STREAMS_LOST = "HTTP/2 requests"
_ROUTES_LOST = "a router's templates"
_CALLS_LOST = "client requests"
_CONNECTION_LOST = "a client request's peer, and whether its connection was used before"
_ROUND_TRIP = "req *net/http.Request -> resp *net/http.Response, err error"
_XNET = "golang.org/x/net/http2"
# Do and RoundTrip are often inlined: these are not
# Go 1.16 keeps the goroutine where it cannot be read at a RET
_SINCE = ((1, 17), (1, 99))
_CALL = Site("net/http.(*Transport).roundTrip", f"t *net/http.Transport, {_ROUND_TRIP}", versions=_SINCE)
# newer versions have roundTripOpt, of which RoundTripOpt is an inlined caller
_XNET_CALLS = tuple(
    Site(
        f"{_XNET}.(*Transport).{name}",
        f"t *{_XNET}.Transport, req *net/http.Request, opt {_XNET}.RoundTripOpt -> resp *net/http.Response, err error",
        versions=_SINCE,
    )
    for name in ("roundTripOpt", "RoundTripOpt")
)


def _fragment(name: str) -> Fragment:
    return Fragment(f"{name}.bpf.c", package="goinst.plugins.nethttp")


def _run(package: str, request: str) -> Site:
    return Site(
        f"{package}.(*serverConn).runHandler",
        f"sc *{package}.serverConn, rw *{package}.responseWriter, req *{request}, handler func()",
    )


def _router(program: str, *symbols: str) -> Probe:
    """Where a router gives the context of a request back that it is done with."""
    sites = tuple(Site(symbol, "p *sync.Pool, x interface{}", callee="sync.(*Pool).Put") for symbol in symbols)
    return Probe(program, sites, place="call", optional=True, lost=_ROUTES_LOST)


PROTOCOL = Protocol(
    name="nethttp",
    summary="HTTP/1 and HTTP/2 requests, served and sent by net/http",
    hits="server: HTTP/1 2 a request and 1 a connection, HTTP/2 2 or 3 a request; client: 3, 1 of them single-stepped",
    fragments=tuple(map(_fragment, ("common", "headers", "stream", "nethttp", "propagate", "client", "routes"))),
    fields=FIELDS,
    types=TYPES,
    unseen=UNSEEN,
    packages=PACKAGES,
    probes=(
        Probe("nethttp_serve", (Site("net/http.serverHandler.ServeHTTP", _SERVE),), side=SERVER),
        Probe(
            "nethttp_finish",
            (
                Site("net/http.(*conn).serve", "c *net/http.conn", callee="net/http.(*conn).hijacked", place="call"),
                Site("net/http.(*response).finishRequest", "w *net/http.response"),  # Go 1.16
            ),
            closes=True,
            side=SERVER,
        ),
        Probe(
            "nethttp_leave",
            (Site("net/http.(*conn).serve.func1"), Site("net/http.(*conn).close", "c *net/http.conn")),
            optional=True,
            closes=True,
            lost="no span for requests whose handler did not return",
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
            (_run(_XNET, "net/http.Request"),),
            optional=True,
            lost=_STREAMS_LOST,
        ),
        Probe(
            "nethttp_xnet_done",
            (Site(f"{_XNET}.(*serverConn).runHandler.func1"),),
            optional=True,
            closes=True,
            lost=_STREAMS_LOST,
        ),
        Probe("nethttp_call", (_CALL,), optional=True, lost=_CALLS_LOST),
        Probe("nethttp_call_done", (_CALL,), place="return", optional=True, closes=True, lost=_CALLS_LOST),
        Probe("nethttp_xnet_call", _XNET_CALLS, optional=True, lost=_CALLS_LOST),
        Probe("nethttp_xnet_call_done", _XNET_CALLS, place="return", optional=True, closes=True, lost=_CALLS_LOST),
        Probe(
            "nethttp_call_conn",
            (Site("net/http.(*persistConn).roundTrip", "pc *net/http.persistConn, req *net/http.transportRequest"),),
            optional=True,
            lost=_CONNECTION_LOST,
        ),
        Probe(
            "nethttp_call_h2",
            (
                Site("net/http.(*http2ClientConn).roundTrip", "cc *net/http.http2ClientConn"),
                Site("net/http/internal/http2.(*ClientConn).roundTrip", "cc *net/http/internal/http2.ClientConn"),
                # before Go 1.23
                Site("net/http.(*http2ClientConn).RoundTrip", "cc *net/http.http2ClientConn"),
            ),
            optional=True,
            lost=_CONNECTION_LOST,
        ),
        Probe(
            "nethttp_call_xnet",
            (
                Site(f"{_XNET}.(*ClientConn).roundTrip", f"cc *{_XNET}.ClientConn"),
                Site(f"{_XNET}.(*ClientConn).RoundTrip", f"cc *{_XNET}.ClientConn"),
            ),
            optional=True,
            lost=_CONNECTION_LOST,
        ),
        Probe(
            "nethttp_mux",
            (
                Site(
                    "net/http.(*ServeMux).ServeHTTP",
                    "mux *net/http.ServeMux, r *net/http.Request",
                    versions=((1, 23), (1, 99)),
                    callee="net/http.(*ServeMux).findHandler",
                ),
            ),
            place="call",
            optional=True,
            attach_on="pattern_elsewhere",
            lost="ServeMux's patterns of requests that middleware copies",
        ),
        *CONTEXT_PROBES,
        _router("nethttp_gin", "github.com/gin-gonic/gin.(*Engine).ServeHTTP"),
        _router("nethttp_echo", "github.com/labstack/echo/v4.(*Echo).ServeHTTP"),
        # v5 defers it: a function of its own, and the only deferred one
        _router("nethttp_echo5", "github.com/labstack/echo/v5.(*Echo).serveHTTP.deferwrap1"),
        _router("nethttp_chi", "github.com/go-chi/chi/v5.(*Mux).ServeHTTP", "github.com/go-chi/chi.(*Mux).ServeHTTP"),
        Probe(
            "nethttp_gorilla",
            (
                Site(
                    "github.com/gorilla/mux.requestWithRoute",
                    "r *net/http.Request, route *github.com/gorilla/mux.Route",
                ),
            ),
            optional=True,
            lost=_ROUTES_LOST,
        ),
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
                Column("copy", "u64"),
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
                Column("ending", "u8"),
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
    losses={
        "pattern_elsewhere": "",  # calls for nethttp_mux
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
