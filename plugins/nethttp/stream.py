"""From a nethttp_stream record to an HTTP/2 server span."""

from __future__ import annotations

from goinst.plugins.nethttp import semantics
from goinst.plugins.nethttp.context import set_trace_parent
from goinst.plugins.nethttp.records import Stream

from goinst import DecodeContext, Span

__all__ = ["decode_stream"]


def decode_stream(values: Stream, span: Span, context: DecodeContext) -> None:
    """Fill in the span of one stream: the attributes that an HTTP/1 request has, and its number."""
    if span.partial:
        owner = "XNET" if values.flags & semantics.XNET else "H2"
        values = semantics.so_far(values, context, values.state, f"{owner}_STATUS", f"{owner}_WRITTEN")
    attributes, flags, status = span.attributes, values.flags, values.status
    method = values.method[: values.method_length]
    name = semantics.method_name(method, attributes)
    uri = values.uri[: values.uri_copied]
    path, authority = semantics.set_target(uri, values.uri_length, method, span, redact=context.redact)
    attributes["network.protocol.version"] = "2"
    attributes["url.scheme"] = "https" if flags & semantics.TLS else "http"
    attributes["goinst.http2.connection"] = f"{values.connection:#x}"
    attributes["goinst.http2.stream_id"] = values.stream
    if values.ending != semantics.RETURNED:
        semantics.set_ending(values.ending, status, span)
    elif status or not span.partial:
        # a handler that wrote nothing: the 200 comes behind it (http2responseWriterState.writeChunk)
        semantics.set_status(status or 200, span)
    if values.content_length >= 0:
        attributes["http.request.body.size"] = values.content_length
    if values.written >= 0 and method != b"HEAD":
        attributes["http.response.body.size"] = values.written
    semantics.set_peer(values.peer[: values.peer_length], attributes)
    if values.local_port:
        attributes["server.port"] = values.local_port
    host = semantics.host_of(values.host[: values.host_length] or authority.encode())
    if host:
        attributes["server.address"] = host
    if values.agent_length:
        attributes["user_agent.original"] = values.agent[: values.agent_length].decode("utf-8", "replace")
        if values.agent_length == len(values.agent):
            span.truncated.append("user_agent.original")
    if values.parent_length:
        set_trace_parent(values.parent[: values.parent_length], span)
    if values.content_type_length:
        kind = values.content_type[: values.content_type_length]
        attributes["http.response.header.content-type"] = semantics.content_type_of(kind)
    attributes["goinst.http.server.handler.duration_ns"] = span.duration_ns
    route = semantics.route_of(values, span) if values.pattern_length else ""
    if path and not route:
        route = semantics.guessed(path, attributes)
    span.name = f"{name} {route}" if route else name
