"""From a nethttp_request record to an HTTP server span (OpenTelemetry semantic conventions for HTTP, 1.27).

This runs once for each request of the target: what an ordinary request needs is done in few calls, and what is rare
(pipelining, absolute-form targets, bare line feeds, headers that were cut) is told apart by the lengths that
net/http.Request has.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from goinst import DecodeContext, Span

__all__ = ["decode_request"]

TLS, HIJACKED, UNFINISHED, BLOCK_CUT = 1, 2, 4, 8
# RFC 9110 and RFC 5789; anything else is _OTHER, so that a client cannot make up span names
_METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
}
_VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
_VERSION = re.compile(rb" HTTP/(1\.\d)\n")
_TRACE_PARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.DOTALL)
_MARKERS = 32  # how many " HTTP/1.1" are looked at before a request line is given up


def decode_request(values: Any, span: Span, context: DecodeContext) -> None:
    """Fill in the span of one HTTP/1 request. Nothing in ``values`` is trusted."""
    attributes, flags, block = span.attributes, values.flags, values.block
    line, _, headers = block.partition(b"\r\n")
    parts = line.split(b" ", 2)
    if (
        len(parts) == 3
        and len(parts[0]) == values.method_length
        and len(parts[1]) == values.uri_length
        and parts[2] in _VERSIONS
        and headers.find(b"\r\n\r\n", 0, None if flags & BLOCK_CUT else -4) < 0
    ):
        method, uri, version = parts[0], parts[1], _VERSIONS[parts[2]]
    else:
        method, uri, version, headers = _find_request(values)
        if not method and block:
            context.count("header_unreadable")
    name = _METHODS.get(method)
    if name is not None:
        attributes["http.request.method"] = name
    else:
        name = "HTTP"
        if method:
            attributes["http.request.method"] = "_OTHER"
            attributes["http.request.method_original"] = method.decode("latin-1")
    path = uri.decode("utf-8", "replace")
    authority = ""
    if path[:1] != "/" and path:
        path, authority = _other_form(path, method)
    if "?" in path:
        path, _, query = path.partition("?")
        attributes["url.query"] = _redacted(query) if context.redact else query
    if path:
        attributes["url.path"] = path
    if values.uri_length > len(uri):
        span.truncated.append("url.query" if "url.query" in attributes else "url.path")
    if version:
        attributes["network.protocol.version"] = version
    attributes["url.scheme"] = "https" if flags & TLS else "http"
    status = values.status
    if flags & (HIJACKED | UNFINISHED):
        _unfinished(flags, status, span)
    else:
        status = status or 200  # finishRequest writes 200 for a handler that wrote nothing
        attributes["http.response.status_code"] = status
        if status >= 500:
            span.status = "error"
            attributes["error.type"] = str(status)
    size = values.content_length
    if size >= 0:
        attributes["http.request.body.size"] = size
    size = values.written
    if size >= 0 and method != b"HEAD" and not flags & HIJACKED:
        attributes["http.response.body.size"] = size
    address, port = _address(values.peer[: values.peer_length])
    if address:
        attributes["network.peer.address"] = address
    if port is not None:
        attributes["client.address"] = address
        attributes["client.port"] = attributes["network.peer.port"] = port
    if values.local_port:
        attributes["server.port"] = values.local_port
    _headers(headers, authority, span)
    if flags & BLOCK_CUT and not ("server.address" in attributes and "user_agent.original" in attributes):
        span.truncated.append("http.request.header")
    # the handler: from the entry of ServeHTTP to that of finishRequest
    attributes["goinst.http.server.handler.duration_ns"] = span.duration_ns
    route = _route(values, span) if values.pattern_length else ""
    span.name = f"{name} {route or path}" if route or path else name


def _find_request(values: Any) -> tuple[bytes, bytes, str, bytes]:
    """Method, target, version and headers of this request, wherever they are in the block; empty when they are not.

    The block is what the connection's buffer held up to the end of this request's header. In front of that may be
    what is left of requests that were pipelined before: header blocks, bodies, the tail of a body. Lines may end in
    a bare line feed (net/textproto takes both).
    """
    cut = values.used > len(values.block)
    text: bytes = values.block.replace(b"\r\n", b"\n")
    # a header block ends at the first empty line: ours is behind the last one but its own
    start = text.rfind(b"\n\n", 0, len(text) if cut else -2)
    start = start + 2 if start >= 0 else 0
    before = values.uri_length + 1 + values.method_length
    at = start + before
    for _ in range(_MARKERS):
        found = _VERSION.search(text, at)
        if found is None:
            break
        begin = found.start() - before
        line = text[begin : found.start()]
        method, _, uri = line.partition(b" ")
        if len(method) == values.method_length and len(method) + 1 + len(uri) == before and not _breaks(uri):
            return method, uri, found[1].decode(), text[found.end() :]
        at = found.start() + 1
    if cut:
        # the capture may end in the request line
        method, _, uri = text[start:].lstrip(b"\n").partition(b" ")
        uri = uri.partition(b" ")[0]
        if len(method) == values.method_length and len(uri) <= values.uri_length and not _breaks(method + uri):
            return method, uri, "", b""
    return b"", b"", "", b""


def _breaks(text: bytes) -> bool:
    return b"\n" in text or b" " in text


def _other_form(text: str, method: bytes) -> tuple[str, str]:
    """Path with query, and authority, of a request target that is not in origin-form (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        return "", text
    scheme, found, rest = text.partition("://")
    if not found or "?" in scheme:
        return text, ""
    ends = [at for at in (rest.find("/"), rest.find("?")) if at >= 0]
    end = min(ends, default=len(rest))
    path = rest[end:]
    # what stands before the @ are credentials
    return path if path[:1] == "/" else f"/{path}", rest[:end].rpartition("@")[2]


def _redacted(query: str) -> str:
    return "&".join(
        f"{name}=REDACTED" if equals else name for name, equals, _ in (part.partition("=") for part in query.split("&"))
    )


def _route(values: Any, span: Span) -> str:
    """Set http.route from a ServeMux pattern: ``[METHOD ][HOST]/[PATH]`` (net/http/pattern.go, Go 1.22)."""
    pattern: str = values.pattern[: values.pattern_length].decode("utf-8", "replace")
    slash = pattern.find("/")
    if slash < 0:
        return ""
    if values.pattern_length > len(values.pattern):
        span.truncated.append("http.route")
    route = span.attributes["http.route"] = pattern[slash:]
    return route


def _unfinished(flags: int, status: int, span: Span) -> None:
    if flags & HIJACKED:
        span.attributes["goinst.http.hijacked"] = True
        return
    # net/http closes the connection without the rest of the response (server.go, (*conn).serve)
    span.attributes["error.type"] = "panic"
    span.status = "error"
    span.status_message = "the handler panicked, aborted or left by runtime.Goexit"
    if status:
        span.attributes["http.response.status_code"] = status


@lru_cache(1024)
def _address(peer: bytes) -> tuple[str, int | None]:
    """Address and port of net.Conn.RemoteAddr; no port for what is not IP (a Unix socket)."""
    host, colon, port = peer.rpartition(b":")
    if colon and port.isdigit() and len(port) <= 5:
        return host.strip(b"[]").decode("latin-1"), int(port)
    return peer.decode("utf-8", "replace"), None


@lru_cache(256)
def _host(value: bytes) -> str:
    """A Host header's name or address. Its port is what the client thinks it is; the listener's is server.port."""
    text = value.strip().decode("utf-8", "replace")
    if text[:1] == "[":
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _headers(headers: bytes, authority: str, span: Span) -> None:
    """What the header block tells of a span: host, user agent, trace context. A line without its end is not used."""
    # with the end of the request line in front, each header follows a line feed
    lower = b"\n" + headers.lower()
    attributes = span.attributes
    start = lower.find(b"\nhost:")
    if authority:  # RFC 9112 section 3.2.2: then the header does not count
        attributes["server.address"] = _host(authority.encode())
    elif start >= 0 and (end := headers.find(b"\n", start + 5)) >= 0:
        name = _host(headers[start + 5 : end])
        if name:
            attributes["server.address"] = name
    start = lower.find(b"\nuser-agent:")
    if start >= 0 and (end := headers.find(b"\n", start + 11)) >= 0:
        agent = headers[start + 11 : end].strip().decode("utf-8", "replace")
        if agent:
            attributes["user_agent.original"] = agent
    start = lower.find(b"\ntraceparent:")
    if start >= 0 and (end := headers.find(b"\n", start + 12)) >= 0:
        _trace_parent(headers[start + 12 : end].strip(), span)


def _trace_parent(value: bytes, span: Span) -> None:
    """Take over the caller's trace (W3C Trace Context, section 3.2); a malformed value is as if it were not there."""
    found = _TRACE_PARENT.fullmatch(value)
    if found is None or (found[4] and found[1] == b"00"):
        return
    trace, parent = int(found[2], 16), int(found[3], 16)
    if trace and parent:
        span.trace_id, span.parent_span_id = trace, parent
