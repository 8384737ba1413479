"""From a nethttp_request record to an HTTP/1 server span.

This runs once for each request of the target: what an ordinary request needs is done in few calls. The block is the
request's header as it came, from its first byte on. Where the connection's buffer holds others, or part of this one is
gone, there is no block, and a nethttp_line record has what net/http.Request says.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from goinst.plugins.nethttp.context import set_other_context, set_trace_parent
from goinst.plugins.nethttp.records import Flag, Line, Request
from goinst.plugins.nethttp.semantics import (
    HIJACKED,
    RETURNED,
    TLS,
    content_type_of,
    guessed,
    host_of,
    method_name,
    route_of,
    set_ending,
    set_status,
    set_target,
    so_far,
)

from goinst import DecodeContext, Resource, Span, host_port

__all__ = ["decode_line", "decode_request"]

_BLOCK_CUT, _LINE_SENT = int(Flag.BLOCK_CUT), int(Flag.LINE_SENT)


class _Parsed(NamedTuple):
    """What a header block says: attributes, the name's parts, the trace it continues, what was cut."""

    attributes: dict[str, Any]
    name: str
    route: str  # a guess, when there is no better one
    head: bool
    trace_id: int
    parent_span_id: int
    truncated: tuple[str, ...]


# Clients send the same header again and again. By whether values are redacted; emptied when full: what is in use is
# back at once.
_PARSED: tuple[dict[object, _Parsed], dict[object, _Parsed]] = ({}, {})
_REMEMBERED = 4096
_NOWHERE = Resource({}, b"{}")


def decode_request(values: Request, span: Span, context: DecodeContext) -> None:
    """Fill in the span of one HTTP/1 request. Nothing in ``values`` is trusted."""
    flags = values.flags
    if span.partial:
        values = so_far(values, context, values.response, "RESPONSE_STATUS", "RESPONSE_WRITTEN")
        # the map has the column at its full size
        values = values._replace(block=values.block[: values.block_length])
        at = context.fields.get("CONN_HIJACKED")
        if at is not None and context.memory.integer(values.conn + at, 1):
            flags |= HIJACKED
    known = _PARSED[context.redact]
    key = (values.block, values.method_length, values.uri_length, flags & (TLS | _BLOCK_CUT))
    parsed = known.get(key)
    if parsed is None:
        if len(known) >= _REMEMBERED:
            known.clear()
        parsed = known[key] = _parse(values, redact=context.redact)
    if not parsed.name and not flags & _LINE_SENT:
        context.count("header_unreadable")
    address, port = host_port(values.peer[: values.peer_length])
    status = values.status or 200  # finishRequest writes 200 for a handler that wrote nothing
    # one literal: far quicker than a store for each; what does not apply is taken out again
    span.attributes = attributes = {
        **parsed.attributes,
        "http.response.status_code": status,
        "http.request.body.size": values.content_length,
        "http.response.body.size": values.written,
        "network.peer.address": address,
        "client.address": address,
        "client.port": port,
        "network.peer.port": port,
        "server.port": values.local_port,
        # the handler: from the entry of ServeHTTP to its return
        "goinst.http.server.handler.duration_ns": span.duration_ns,
    }
    if values.content_length < 0:
        del attributes["http.request.body.size"]
    if values.written < 0 or parsed.head or flags & HIJACKED:
        del attributes["http.response.body.size"]
    if port is None:
        for name in ("client.address", "client.port", "network.peer.port"):
            del attributes[name]
        if not address:
            del attributes["network.peer.address"]
    if not values.local_port:
        del attributes["server.port"]
    if flags & HIJACKED or values.ending or status >= 500:
        _unusual(values, flags, span)
    elif span.partial and not values.status:
        del attributes["http.response.status_code"]
    size = values.content_type_length
    if size:
        attributes["http.response.header.content-type"] = content_type_of(values.content_type[:size])
    if parsed.trace_id:
        span.trace_id, span.parent_span_id = parsed.trace_id, parsed.parent_span_id
    if parsed.truncated:
        span.truncated.extend(parsed.truncated)
    route = route_of(values, span) if values.pattern_length else ""
    if not route:
        route = parsed.route
    elif "goinst.http.route.guess" in attributes:
        del attributes["goinst.http.route.guess"]
    name = parsed.name or "HTTP"
    span.name = f"{name} {route}" if route else name


def _unusual(values: Request, flags: int, span: Span) -> None:
    """Status of what did not end as a handler should."""
    if flags & HIJACKED:
        span.attributes["goinst.http.hijacked"] = True
    elif values.ending == RETURNED:
        set_status(values.status or 200, span)
        return
    del span.attributes["http.response.status_code"]
    if values.ending != RETURNED:
        set_ending(values.ending, values.status, span)
    elif values.status:  # written before the connection was taken over, which sends it
        set_status(values.status, span)


def _parse(values: Request, *, redact: bool) -> _Parsed:
    """The block begins with the request's own line: its program has compared them."""
    flags, block = values.flags, values.block
    span = Span("", "", "", 0, 0, 0, 0, 0, _NOWHERE)
    at = values.method_length + 1
    end = at + values.uri_length + 1
    method = uri = headers = b""
    version = ""
    if len(block) >= end + 8 and block[end : end + 7] == b"HTTP/1.":
        method, uri, version = block[: at - 1], block[at : end - 1], block[end + 5 : end + 8].decode("latin-1")
        headers = block[end:].partition(b"\n")[2]
    name = method_name(method, span.attributes) if method else ""
    path, authority = set_target(uri, values.uri_length, method, span, redact=redact)
    if version:
        span.attributes["network.protocol.version"] = version
    span.attributes["url.scheme"] = "https" if flags & TLS else "http"
    _headers(headers, authority, span)
    if flags & _BLOCK_CUT and not ("server.address" in span.attributes and "user_agent.original" in span.attributes):
        span.truncated.append("http.request.header")
    trace = span.trace_id, span.parent_span_id
    route = guessed(path, span.attributes) if path else ""
    return _Parsed(span.attributes, name, route, method == b"HEAD", *trace, tuple(span.truncated))


def decode_line(values: Line, span: Span, context: DecodeContext) -> None:
    """What the header block did not have in full: it came in pieces. Comes behind the request's own record."""
    attributes = span.attributes
    for missing in ("url.path", "http.request.header"):
        if missing in span.truncated:
            span.truncated.remove(missing)
    method = values.method[: values.method_length]
    name = method_name(method, attributes)
    uri = values.uri[: values.uri_copied]
    path, authority = set_target(uri, values.uri_length, method, span, redact=context.redact)
    if method == b"HEAD":
        attributes.pop("http.response.body.size", None)
    attributes["network.protocol.version"] = f"1.{values.minor}"
    host = host_of(values.host[: values.host_length] or authority.encode())
    if host:
        attributes["server.address"] = host
    if values.agent_length:
        attributes["user_agent.original"] = values.agent[: values.agent_length].decode("utf-8", "replace")
    if values.parent_length:
        set_trace_parent(values.parent[: values.parent_length], span)
    route = attributes.get("http.route") or (guessed(path, attributes) if path else "")
    span.name = f"{name} {route}" if route else name


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
        start = lower.find(b"\ntracestate:")
        if start >= 0 and (end := headers.find(b"\n", start + 11)) >= 0 and span.trace_id:
            attributes["goinst.tracestate"] = headers[start + 11 : end].strip().decode("latin-1")
    elif b"b3" in lower or b"uber-trace-id" in lower:
        set_other_context(lower, span)
