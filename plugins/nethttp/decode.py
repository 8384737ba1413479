"""From a nethttp_request record to an HTTP server span (OpenTelemetry semantic conventions for HTTP, 1.27)."""

from __future__ import annotations

from typing import Any

from goinst import DecodeContext, Span

__all__ = ["decode_request"]

TLS, HIJACKED, UNFINISHED, BLOCK_CUT = 1, 2, 4, 8
# RFC 9110 and RFC 5789; anything else is _OTHER, so that a client cannot make up span names
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})


def decode_request(values: Any, span: Span, context: DecodeContext) -> None:
    """Fill in the span of one HTTP/1 request. Nothing in ``values`` is trusted."""
    attributes = span.attributes
    flags = values.flags
    block = _own_block(values)
    line, _, headers = block.partition(b"\r\n")
    method, _, rest = line.partition(b" ")
    uri, _, protocol = rest.partition(b" ")
    method_name = method.decode("latin-1")
    if method_name in _METHODS:
        attributes["http.request.method"] = method_name
    elif method_name:
        attributes["http.request.method"] = "_OTHER"
        attributes["http.request.method_original"] = method_name
        method_name = "HTTP"
    path = _target(uri, span, context)
    if values.uri_length > len(uri):
        span.truncated.append("url.query" if "url.query" in attributes else "url.path")
    if protocol[:5] == b"HTTP/":
        attributes["network.protocol.version"] = protocol[5:].decode("latin-1")
    attributes["url.scheme"] = "https" if flags & TLS else "http"
    route = _route(values, span)
    _status(values, span)
    if values.content_length >= 0:
        attributes["http.request.body.size"] = values.content_length
    if values.written >= 0 and method_name != "HEAD":
        attributes["http.response.body.size"] = values.written
    _addresses(values, attributes)
    if headers:
        _headers(headers, span)
    if flags & BLOCK_CUT and "user_agent.original" not in attributes:
        span.truncated.append("http.request.header")
    # the handler: from the entry of ServeHTTP to that of finishRequest
    attributes["goinst.http.server.handler.duration_ns"] = span.duration_ns
    span.name = f"{method_name or 'HTTP'} {route or path or '?'}" if (route or path) else method_name or "HTTP"


def _own_block(values: Any) -> bytes:
    """This request's header block. The buffer may start with what is left of the requests pipelined before it."""
    block: bytes = values.block
    if values.used > len(block):
        return block
    last = block.rfind(b"\r\n\r\n", 0, -4)
    if last < 0:
        return block
    start = last + 4
    # The request line follows the tail of the earlier request's body; its length is known from net/http.Request.
    end = block.find(b"\r\n", start)
    marker = block.rfind(b" HTTP/1.", start, end)
    begin = marker - values.uri_length - 1 - values.method_length
    return block[begin:] if begin >= start else block[start:]


def _target(uri: bytes, span: Span, context: DecodeContext) -> str:
    """Set url.path and url.query from a request target (RFC 9112 section 3.2); returns the path."""
    text = uri.decode("utf-8", "replace")
    if not text.startswith("/") and "://" in text:
        _, _, text = text.partition("://")
        slash = text.find("/")
        text = text[slash:] if slash >= 0 else "/"
    path, question, query = text.partition("?")
    if path:
        span.attributes["url.path"] = path
    if question:
        span.attributes["url.query"] = _redacted(query) if context.redact else query
    return path


def _redacted(query: str) -> str:
    return "&".join(
        f"{name}=REDACTED" if equals else name for name, equals, _ in (part.partition("=") for part in query.split("&"))
    )


def _route(values: Any, span: Span) -> str:
    length = values.pattern_length
    if not length:
        return ""
    pattern = values.pattern[:length].decode("utf-8", "replace")
    # ServeMux patterns are "[METHOD ][HOST]/[PATH]" (net/http/pattern.go, Go 1.22)
    route: str = pattern.partition(" ")[2].lstrip() if " " in pattern else pattern
    if length > len(values.pattern):
        span.truncated.append("http.route")
    span.attributes["http.route"] = route
    return route


def _status(values: Any, span: Span) -> None:
    attributes, flags = span.attributes, values.flags
    if flags & HIJACKED:
        attributes["goinst.http.hijacked"] = True
        return
    if flags & UNFINISHED:
        # net/http closes the connection without the rest of the response (server.go, (*conn).serve)
        attributes["error.type"] = "panic"
        span.status = "error"
        span.status_message = "the handler panicked, aborted or left by runtime.Goexit"
        if values.status:
            attributes["http.response.status_code"] = values.status
        return
    status = values.status or 200  # finishRequest writes 200 for a handler that wrote nothing
    attributes["http.response.status_code"] = status
    if status >= 500:
        span.status = "error"
        attributes["error.type"] = str(status)


def _addresses(values: Any, attributes: dict[str, Any]) -> None:
    peer = values.peer[: values.peer_length].decode("latin-1")
    host, colon, port = peer.rpartition(":")
    if colon and port.isascii() and port.isdigit():
        attributes["client.address"] = attributes["network.peer.address"] = host.strip("[]")
        attributes["client.port"] = attributes["network.peer.port"] = int(port)
    elif peer:
        attributes["network.peer.address"] = peer
    if values.local_port:
        attributes["server.port"] = values.local_port


def _headers(headers: bytes, span: Span) -> None:
    """What the header block tells of a span: host, user agent, trace context."""
    lower = b"\r\n" + headers.lower()
    attributes = span.attributes
    host = _header(lower, headers, b"host")
    if host:
        # RFC 9110 section 7.2; the port is what the client thinks it is, the listener's is server.port
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        attributes["server.address"] = name
    agent = _header(lower, headers, b"user-agent")
    if agent:
        attributes["user_agent.original"] = agent
    parent = _header(lower, headers, b"traceparent")
    if parent:
        _trace_parent(parent, span)


def _header(lower: bytes, headers: bytes, name: bytes) -> str:
    """The value of the first such header that is there in full, or ''. ``lower`` has two more bytes in front."""
    start = lower.find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    start += len(name) + 1
    end = headers.find(b"\r\n", start)
    return headers[start:end].strip().decode("utf-8", "replace") if end >= 0 else ""


def _trace_parent(value: str, span: Span) -> None:
    """Take over the caller's trace (W3C Trace Context, section 3.2); a malformed value is as if it were not there."""
    parts = value.split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return
    if (parts[0] == "00" and len(parts) != 4) or not set("".join(parts[:4])) <= set("0123456789abcdef"):
        return
    trace, parent = int(parts[1], 16), int(parts[2], 16)
    if trace and parent:
        span.trace_id, span.parent_span_id = trace, parent
