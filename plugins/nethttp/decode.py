"""From a nethttp_request record to an HTTP/1 server span.

This runs once for each request of the target: what an ordinary request needs is done in few calls, and what is rare
(pipelining, absolute-form targets, bare line feeds, headers that were cut) is told apart by the lengths that
net/http.Request has.
"""

from __future__ import annotations

import re
from typing import Any

from goinst.plugins.nethttp.semantics import (
    HIJACKED,
    TLS,
    UNFINISHED,
    content_type_of,
    host_of,
    method_name,
    route_of,
    set_peer,
    set_status,
    set_target,
    set_trace_parent,
    set_unfinished,
)

from goinst import DecodeContext, Span

__all__ = ["decode_request"]

_BLOCK_CUT = 8
_VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
_VERSION = re.compile(rb" HTTP/(1\.\d)\n")
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
        and headers.find(b"\r\n\r\n", 0, None if flags & _BLOCK_CUT else -4) < 0
    ):
        method, uri, version = parts[0], parts[1], _VERSIONS[parts[2]]
    else:
        method, uri, version, headers = _find_request(values)
        if not method and block:
            context.count("header_unreadable")
    name = method_name(method, attributes)
    path, authority = set_target(uri, values.uri_length, method, span, redact=context.redact)
    if version:
        attributes["network.protocol.version"] = version
    attributes["url.scheme"] = "https" if flags & TLS else "http"
    status = values.status
    if flags & HIJACKED:
        attributes["goinst.http.hijacked"] = True
    elif flags & UNFINISHED:
        set_unfinished(status, span)
    else:
        set_status(status or 200, span)  # finishRequest writes 200 for a handler that wrote nothing
    size = values.content_length
    if size >= 0:
        attributes["http.request.body.size"] = size
    size = values.written
    if size >= 0 and method != b"HEAD" and not flags & HIJACKED:
        attributes["http.response.body.size"] = size
    size = values.content_type_length
    if size:
        attributes["http.response.header.content-type"] = content_type_of(values.content_type[:size])
    set_peer(values.peer[: values.peer_length], attributes)
    if values.local_port:
        attributes["server.port"] = values.local_port
    _headers(headers, authority, span)
    if flags & _BLOCK_CUT and not ("server.address" in attributes and "user_agent.original" in attributes):
        span.truncated.append("http.request.header")
    # the handler: from the entry of ServeHTTP to that of finishRequest
    attributes["goinst.http.server.handler.duration_ns"] = span.duration_ns
    route = route_of(values, span) if values.pattern_length else ""
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


def _headers(headers: bytes, authority: str, span: Span) -> None:
    """What the header block tells of a span: host, user agent, trace context. A line without its end is not used."""
    # with the end of the request line in front, each header follows a line feed
    lower = b"\n" + headers.lower()
    attributes = span.attributes
    start = lower.find(b"\nhost:")
    if authority:  # RFC 9112 section 3.2.2: then the header does not count
        attributes["server.address"] = host_of(authority.encode())
    elif start >= 0 and (end := headers.find(b"\n", start + 5)) >= 0:
        name = host_of(headers[start + 5 : end])
        if name:
            attributes["server.address"] = name
    start = lower.find(b"\nuser-agent:")
    if start >= 0 and (end := headers.find(b"\n", start + 11)) >= 0:
        agent = headers[start + 11 : end].strip().decode("utf-8", "replace")
        if agent:
            attributes["user_agent.original"] = agent
    start = lower.find(b"\ntraceparent:")
    if start >= 0 and (end := headers.find(b"\n", start + 12)) >= 0:
        set_trace_parent(headers[start + 12 : end].strip(), span)
