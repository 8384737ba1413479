"""From a nethttp_client record to an HTTP client span, and from a nethttp_error record to why it failed."""

from __future__ import annotations

import errno
from urllib.parse import quote

from goinst.plugins.nethttp import semantics
from goinst.plugins.nethttp.records import Call, CallFlag, ErrorKind, Failure

from goinst import DecodeContext, Span, context_words, host_port, ip_text, redact_query

__all__ = ["decode_client", "decode_error"]

_PATH_SAFE = "/$&+,:;=@-_.~"  # net/url/url.go, shouldEscape for encodePath
_ESCAPED, _USER, _REUSED, _CONNECTED = map(int, (CallFlag.ESCAPED, CallFlag.USER, CallFlag.REUSED, CallFlag.CONNECTED))
_PORTS = {"http": 80, "https": 443}
_KINDS: dict[int, str] = {
    ErrorKind.DNS_ERROR: "dns",
    ErrorKind.TIMEOUT_ERROR: "timeout",
    ErrorKind.TLS_ERROR: "tls",
    ErrorKind.CANCELED_ERROR: "canceled",
}
_SYSTEM = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_reset",
    errno.ECONNABORTED: "connection_reset",
    errno.EPIPE: "connection_reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}
# errors that are made by errors.New in context, io and net/http
_WORDS = {
    "context canceled": "canceled",
    "net/http: request canceled": "canceled",
    "net/http: request canceled while waiting for connection": "canceled",
    "EOF": "connection_closed",
    "unexpected EOF": "connection_closed",
    "http: server closed idle connection": "connection_closed",
    "http2: timeout awaiting response headers": "timeout",
}


def decode_client(values: Call, span: Span, context: DecodeContext) -> None:
    """Fill in the span of one round trip: from Transport.roundTrip's beginning to the response's header."""
    attributes, flags = span.attributes, values.flags
    method = values.method[: values.method_length] or b"GET"  # net/http.Request: an empty string means GET
    span.name = semantics.method_name(method, attributes)
    host = values.host[: values.host_length].decode("utf-8", "replace")
    scheme = values.scheme[: values.scheme_length].decode("latin-1")
    attributes["url.full"] = _url(values, scheme, host, span, redact=context.redact)
    name, port = host_port(host)
    attributes["server.address"] = name
    if port is None:
        port = _PORTS.get(scheme)
    if port is not None:
        attributes["server.port"] = port
    if values.content_length >= 0:
        attributes["http.request.body.size"] = values.content_length
    status = values.status
    if status:
        attributes["http.response.status_code"] = status
        version = str(values.major) if values.major != 1 else f"1.{values.minor}"
        attributes["network.protocol.version"] = version
        if values.response_length >= 0 and method != b"HEAD":
            attributes["http.response.body.size"] = values.response_length
        if status >= 400:
            span.status = "error"
            attributes["error.type"] = str(status)
    if flags & _CONNECTED:
        attributes["goinst.http.connection.reused"] = bool(flags & _REUSED)
        if values.attempts > 1:
            attributes["http.request.resend_count"] = values.attempts - 1
    if values.peer_length in (4, 16):
        attributes["network.peer.address"] = ip_text(values.peer[: values.peer_length])
        attributes["network.peer.port"] = values.peer_port
    if values.context:
        attributes["goinst.propagation"] = context_words(values.context)
    if values.content_type_length:
        kind = values.content_type[: values.content_type_length]
        attributes["http.response.header.content-type"] = semantics.content_type_of(kind)


def decode_error(values: Failure, span: Span, _: DecodeContext) -> None:
    """Say why there was no response: a word of few (error.type), and Go's own as the status message."""
    text = values.text[: values.text_length].decode("utf-8", "replace")
    kind = _KINDS.get(values.kind, "_OTHER")
    if values.kind == ErrorKind.ERRNO_ERROR:
        kind = _SYSTEM.get(values.errno, errno.errorcode.get(values.errno, "_OTHER"))
        text = errno.errorcode.get(values.errno, str(values.errno))
    elif values.kind == ErrorKind.TEXT_ERROR:
        kind = _WORDS.get(text, "_OTHER")
    span.status = "error"
    span.attributes["error.type"] = kind
    words = (values.op[: values.op_length].decode("utf-8", "replace"), text)
    span.status_message = ": ".join(word for word in words if word)


def _url(values: Call, scheme: str, host: str, span: Span, *, redact: bool) -> str:
    path: str = values.path[: values.path_copied].decode("utf-8", "replace")
    if not values.flags & _ESCAPED:
        path = quote(values.path[: values.path_copied], safe=_PATH_SAFE)
    query: bytes = values.query[: values.query_length]
    words = query.decode("utf-8", "replace")
    if redact:
        words = redact_query(words)
    if values.path_length > values.path_copied or values.query_length > len(query):
        span.truncated.append("url.full")
    user = "REDACTED:REDACTED@" if values.flags & _USER else ""
    return f"{scheme}://{user}{host}{path}{'?' if query else ''}{words if query else ''}"
