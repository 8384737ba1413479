"""Where net/http, golang.org/x/net/http2 and routers are probed."""

from __future__ import annotations

from goinst.plugins.nethttp.fields import SERVER

from goinst import Probe, Site
from goinst.toolkit.http import BODY_ANNOUNCED, HANDLER_RETURNED, ROUND_TRIP, SERVE_HTTP, XNET, XNET_ROUND_TRIPS

__all__ = ["CLIENT_PROBES", "ROUTER_PROBES", "SERVER_PROBES", "TIMEOUT_PROBES"]

_STREAMS_LOST = "HTTP/2 requests"
_ROUTES_LOST = "a router's templates"
_CALLS_LOST = "client requests"
_CONNECTION_LOST = "a client request's peer, and whether its connection was used before"


def _run(package: str, request: str) -> Site:
    return Site(
        f"{package}.(*serverConn).runHandler",
        f"sc *{package}.serverConn, rw *{package}.responseWriter, req *{request}, handler func()",
    )


def _before_handler(program: str, *calls: tuple[str, str]) -> Probe:
    """What (*conn).serve calls right before a handler: (signature, function)."""
    sites = tuple(Site("net/http.(*conn).serve", signature, callee=callee) for signature, callee in calls)
    return Probe(program, sites, place="call", optional=True, instead_of="nethttp_serve", lost="HTTP/1 requests")


def _router(program: str, *symbols: str) -> Probe:
    """Where a router gives the context of a request back that it is done with."""
    sites = tuple(Site(symbol, "p *sync.Pool, x interface{}", callee="sync.(*Pool).Put") for symbol in symbols)
    return Probe(program, sites, place="call", optional=True, lost=_ROUTES_LOST)


SERVER_PROBES = (
    Probe(
        "nethttp_accept",
        (Site("net/http.(*conn).serve", "c *net/http.conn"),),
        optional=True,
        lost="B3's and Jaeger's trace contexts of a connection's first request",
    ),
    Probe("nethttp_serve", (SERVE_HTTP,), side=SERVER),
    _before_handler("nethttp_bodiless", ("cr *net/http.connReader", "net/http.(*connReader).startBackgroundRead")),
    Probe(
        "nethttp_bodied",
        BODY_ANNOUNCED,
        place="call",
        optional=True,
        instead_of="nethttp_serve",
        lost="HTTP/1 requests",
    ),
    Probe(
        "nethttp_finish",
        HANDLER_RETURNED,
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
        "nethttp_h2_run",
        (
            Site(
                "net/http.(*http2serverConn).runHandler",
                "sc *net/http.http2serverConn, rw *net/http.http2responseWriter, req *net/http.Request",
            ),
        ),
        optional=True,
        instead_of="nethttp_serve",
        lost=_STREAMS_LOST,
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
        (_run(XNET, "net/http.Request"),),
        optional=True,
        lost=_STREAMS_LOST,
    ),
    Probe(
        "nethttp_xnet_done",
        (Site(f"{XNET}.(*serverConn).runHandler.func1"),),
        optional=True,
        closes=True,
        lost=_STREAMS_LOST,
    ),
)

CLIENT_PROBES = (
    Probe("nethttp_call", (ROUND_TRIP,), optional=True, lost=_CALLS_LOST),
    Probe("nethttp_call_done", (ROUND_TRIP,), place="return", optional=True, closes=True, lost=_CALLS_LOST),
    Probe("nethttp_xnet_call", XNET_ROUND_TRIPS, optional=True, lost=_CALLS_LOST),
    Probe("nethttp_xnet_call_done", XNET_ROUND_TRIPS, place="return", optional=True, closes=True, lost=_CALLS_LOST),
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
            Site(f"{XNET}.(*ClientConn).roundTrip", f"cc *{XNET}.ClientConn"),
            Site(f"{XNET}.(*ClientConn).RoundTrip", f"cc *{XNET}.ClientConn"),
        ),
        optional=True,
        lost=_CONNECTION_LOST,
    ),
)

_TIMEOUT = "net/http.(*timeoutHandler).ServeHTTP"
_TIMEOUT_LOST = "routes, and bodies that come late, of requests whose handler is in an http.TimeoutHandler"
TIMEOUT_PROBES = (
    Probe(
        "nethttp_timeout",
        (
            Site(_TIMEOUT, "fn *byte", versions=((1, 18), (1, 99)), callee="runtime.newproc", place="call"),
            Site(_TIMEOUT, "size int32, fn *byte", versions=((1, 16), (1, 17)), callee="runtime.newproc", place="call"),
        ),
        place="call",
        optional=True,
        lost=_TIMEOUT_LOST,
    ),
    Probe("nethttp_timeout_runs", (Site(f"{_TIMEOUT}.func1"),), optional=True, lost=_TIMEOUT_LOST),
)

ROUTER_PROBES = (
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
            Site(
                "github.com/gorilla/mux.requestWithRoute",
                "parent interface{}, key interface{}, route interface{}",
                callee="context.WithValue",
                place="call",
            ),
        ),
        optional=True,
        lost=_ROUTES_LOST,
    ),
)
