"""net/http's own functions and fields, for plugins that look at requests: declared once, for every Go version.

Sources: net/http/server.go, transport.go and h2_bundle.go, Go 1.16 to 1.27; golang.org/x/net/http2/transport.go.
"""

from __future__ import annotations

from dataclasses import replace

from goinst.plugin.protocol import Field, Site

__all__ = [
    "BODY_ANNOUNCED", "HANDLER_RETURNED", "RETURNS_TELL", "ROUND_TRIP", "SERVE_HTTP", "XNET", "XNET_ROUND_TRIPS",
    "http_fields",
]  # fmt: skip

XNET = "golang.org/x/net/http2"
RETURNS_TELL = ((1, 17), (1, 99))
"""``Site.versions`` of returns: before, a RET does not tell the goroutine."""

SERVE_HTTP = Site(
    "net/http.serverHandler.ServeHTTP", "sh struct{srv *net/http.Server}, rw interface{}, req *net/http.Request"
)
"""A request is about to go to its handler, whatever serves it; often inlined where builds are guided by a profile."""

BODY_ANNOUNCED = (
    Site("net/http.(*conn).serve", "rc interface{}, fn func()", callee="net/http.registerOnHitEOF"),
    # Go 1.27
    Site("net/http.(*conn).serve", "b *net/http.body, fn func()", callee="net/http.(*body).registerOnHitEOF"),
)
"""The same of an HTTP/1 request that has a body, where ``serve`` calls what is never inlined."""

HANDLER_RETURNED = (
    Site("net/http.(*conn).serve", "c *net/http.conn", callee="net/http.(*conn).hijacked", place="call"),
    Site("net/http.(*response).finishRequest", "w *net/http.response"),  # Go 1.16
)
"""The handler of an HTTP/1 request has returned: ``c``, before Go 1.17 ``w``."""

_ROUND_TRIP = "req *net/http.Request -> resp *net/http.Response, err error"
# Do and RoundTrip are often inlined: these are not
ROUND_TRIP = Site("net/http.(*Transport).roundTrip", f"t *net/http.Transport, {_ROUND_TRIP}", versions=RETURNS_TELL)
"""A round trip of a client."""

# newer versions have roundTripOpt, of which RoundTripOpt is an inlined caller
XNET_ROUND_TRIPS = tuple(
    Site(
        f"{XNET}.(*Transport).{name}",
        f"t *{XNET}.Transport, req *net/http.Request, opt {XNET}.RoundTripOpt -> resp *net/http.Response, err error",
        versions=RETURNS_TELL,
    )
    for name in ("roundTripOpt", "RoundTripOpt")
)
"""One of a client that uses golang.org/x/net/http2 by itself."""

_RESPONSE, _REQUEST, _CONN = "net/http.response", "net/http.Request", "net/http.conn"
_FIELDS = {
    "RESPONSE_CONN": Field(_RESPONSE, "conn"),
    "RESPONSE_REQ": Field(_RESPONSE, "req"),
    "RESPONSE_W": Field(_RESPONSE, "w"),
    "RESPONSE_STATUS": Field(_RESPONSE, "status"),
    "RESPONSE_WRITTEN": Field(_RESPONSE, "written"),
    "RESPONSE_HEADER": Field(_RESPONSE, "handlerHeader"),
    "RESPONSE_BODY": Field(_RESPONSE, "reqBody"),
    "REQUEST_METHOD": Field(_REQUEST, "Method"),
    "REQUEST_URI": Field(_REQUEST, "RequestURI"),
    "REQUEST_HOST": Field(_REQUEST, "Host"),
    "REQUEST_PROTO_MINOR": Field(_REQUEST, "ProtoMinor"),
    "REQUEST_HEADER": Field(_REQUEST, "Header"),
    "REQUEST_CONTEXT": Field(_REQUEST, "ctx"),
    "REQUEST_CONTENT_LENGTH": Field(_REQUEST, "ContentLength"),
    "REQUEST_REMOTE_ADDR": Field(_REQUEST, "RemoteAddr"),
    "REQUEST_TLS": Field(_REQUEST, "TLS"),
    "REQUEST_URL": Field(_REQUEST, "URL"),
    "REQUEST_BODY": Field(_REQUEST, "Body"),
    "URL_RAW_QUERY": Field("net/url.URL", "RawQuery"),
    "CONN_RWC": Field(_CONN, "rwc"),
    "CONN_REMOTE_ADDR": Field(_CONN, "remoteAddr"),
    "CONN_TLS_STATE": Field(_CONN, "tlsState"),
    "CONN_BUFR": Field(_CONN, "bufr"),
    "CONN_BUFW": Field(_CONN, "bufw"),
    "CONN_CURRENT": Field(_CONN, "curReq.v"),
    "CONN_HIJACKED": Field(_CONN, "hijackedv"),
    "READER_CONN": Field("net/http.connReader", "conn"),
    "READER_BUF": Field("bufio.Reader", "buf"),
    "READER_R": Field("bufio.Reader", "r"),
    "READER_W": Field("bufio.Reader", "w"),
    "WRITER_BUF": Field("bufio.Writer", "buf"),
    "WRITER_N": Field("bufio.Writer", "n"),
}


def http_fields(*names: str, side: str = "", optional: bool = False) -> dict[str, Field]:
    """Fields of net/http's types by the names of their macros, as ``Protocol.fields`` takes them.

    ``RESPONSE_``, ``CONN_`` and ``READER_`` are a server's (http.response, its conn, what reads of it), ``REQUEST_``
    both sides'. ``side`` and ``optional`` as in Field. KeyError for a name that is none.
    """
    return {name: replace(_FIELDS[name], side=side, optional=optional) for name in names}
