"""What proves that a package is net/http, x/net/http2 or a router under another path; and what is only like them."""

from __future__ import annotations

from goinst import Package, Unseen

__all__ = ["PACKAGES", "UNSEEN"]

_HTTP = "net/http"
_XNET = "golang.org/x/net/http2"
_REQUEST = (
    (f"{_HTTP}.Request", "URL", "*net/url.URL"),
    (f"{_HTTP}.Request", "Header", f"{_HTTP}.Header"),
    (f"{_HTTP}.Request", "ContentLength", "int64"),
)


def _router(path: str, function: str, *fields: tuple[str, str, str]) -> Package:
    return Package(path, (f"{path}.{function}",), tuple((f"{path}.{kind}", name, of) for kind, name, of in fields))


PACKAGES = (
    Package(
        _HTTP,
        (f"{_HTTP}.serverHandler.ServeHTTP", f"{_HTTP}.(*response).finishRequest", f"{_HTTP}.(*conn).serve"),
        (
            *_REQUEST,
            (f"{_HTTP}.response", "conn", f"*{_HTTP}.conn"),
            (f"{_HTTP}.conn", "server", f"*{_HTTP}.Server"),
            (f"{_HTTP}.conn", "bufr", "*bufio.Reader"),
            (f"{_HTTP}.conn", "rwc", "net.Conn"),
            (f"{_HTTP}.Server", "TLSConfig", "*crypto/tls.Config"),
        ),
    ),
    Package(
        _HTTP,
        (f"{_HTTP}.(*Transport).roundTrip", f"{_HTTP}.(*persistConn).roundTrip"),
        (
            *_REQUEST,
            (f"{_HTTP}.Response", "Header", f"{_HTTP}.Header"),
            (f"{_HTTP}.persistConn", "t", f"*{_HTTP}.Transport"),
            (f"{_HTTP}.persistConn", "conn", "net.Conn"),
            (f"{_HTTP}.Transport", "TLSClientConfig", "*crypto/tls.Config"),
        ),
    ),
    Package(
        _XNET,
        (f"{_XNET}.(*serverConn).runHandler",),
        (
            (f"{_XNET}.serverConn", "hs", f"*{_HTTP}.Server"),
            (f"{_XNET}.serverConn", "conn", "net.Conn"),
            (f"{_XNET}.responseWriter", "rws", f"*{_XNET}.responseWriterState"),
            (f"{_XNET}.responseWriterState", "req", f"*{_HTTP}.Request"),
            (f"{_XNET}.stream", "id", "uint32"),
        ),
    ),
    Package(
        _XNET,
        (f"{_XNET}.(*ClientConn).writeHeaders", f"{_XNET}.(*clientConnReadLoop).processHeaders"),
        (
            (f"{_XNET}.ClientConn", "t", f"*{_XNET}.Transport"),
            (f"{_XNET}.ClientConn", "tconn", "net.Conn"),
            (f"{_XNET}.Transport", "t1", f"*{_HTTP}.Transport"),
        ),
    ),
    _router(
        "github.com/gorilla/mux",
        "requestWithRoute",
        ("Route", "handler", f"{_HTTP}.Handler"),
        ("Route", "routeConf.regexp.path", "*github.com/gorilla/mux.routeRegexp"),
        ("routeRegexp", "template", "string"),
    ),
    _router(
        "github.com/go-chi/chi/v5",
        "(*Mux).ServeHTTP",
        ("Mux", "handler", f"{_HTTP}.Handler"),
        ("Context", "RoutePatterns", "[]string"),
    ),
    _router(
        "github.com/gin-gonic/gin",
        "(*Engine).ServeHTTP",
        ("Context", "Request", f"*{_HTTP}.Request"),
        ("Context", "fullPath", "string"),
    ),
    _router(
        "github.com/labstack/echo/v4",
        "(*Echo).ServeHTTP",
        ("context", "request", f"*{_HTTP}.Request"),
        ("context", "path", "string"),
    ),
)

_FAST = "github.com/valyala/fasthttp"
_QUIC = "quic-go/http3"  # lucas-clemente/quic-go, too
_OTHER = "it is like net/http, and what is read of that is not there"
_FAST_SERVED = "HTTP requests that fasthttp (fiber) serves are not seen"
_FAST_SENT = "HTTP requests that fasthttp's client sends are not seen"
_HERTZ = "HTTP requests that hertz serves are not seen"
_HTTP3_SENT = "HTTP/3 requests that quic-go's client sends are not seen"
UNSEEN = (
    Unseen(f"{_FAST}.(*Server).Serve", _FAST_SERVED),
    Unseen(f"{_FAST}.(*Server).ServeConn", _FAST_SERVED),
    Unseen(f"{_FAST}.(*HostClient).do", _FAST_SENT),
    Unseen("github.com/cloudwego/hertz/pkg/protocol/http1.Server.Serve", _HERTZ),
    Unseen(f"{_QUIC}.(*Server).handleConn", "HTTP/3 requests that quic-go serves are not seen"),
    Unseen(f"{_QUIC}.(*Transport).RoundTripOpt", _HTTP3_SENT),
    Unseen(f"{_QUIC}.(*RoundTripper).RoundTripOpt", _HTTP3_SENT),
    Unseen(
        ".serverHandler.ServeHTTP", f"HTTP requests that {{package}} serves are not seen: {_OTHER}", ("nethttp_serve",)
    ),
    Unseen(
        ".(*persistConn).roundTrip", f"HTTP requests that {{package}} sends are not seen: {_OTHER}", ("nethttp_call",)
    ),
)
