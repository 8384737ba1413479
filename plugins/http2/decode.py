"""From an http2_headers record to a record of one header block."""

from __future__ import annotations

from goinst.plugins.http2.records import Flag, Headers, Limit, Pseudo

from goinst import DecodeContext, Span, redact_header, redact_query

__all__ = ["decode_headers"]

# as plain numbers: an operator of a flag takes far longer
_END_STREAM, _CUT, _VALUE = int(Flag.END_STREAM), int(Flag.CUT), int(Limit.VALUE)
_PSEUDO = {chr(number): "query" if number is Pseudo.QUERY else f":{number.name.lower()}" for number in Pseudo}
_PATH = "goinst.http2.header.:path"


def decode_headers(values: Headers, span: Span, context: DecodeContext) -> None:
    """Set the stream, the direction and the fields, pseudo-headers among them, without secrets and query values."""
    attributes = span.attributes
    span.trace_id, span.parent_span_id = values.trace_high << 64 | values.trace_low, values.parent
    # when it was, not when it is looked at
    span.start_ns = values.at + context.clock.wall
    direction = "out" if values.out else "in"
    span.name = f"HEADERS {direction}"
    attributes["goinst.http2.direction"] = direction
    attributes["goinst.http2.connection"] = f"{values.connection:#x}"
    attributes["goinst.http2.stream_id"] = values.stream
    attributes["goinst.http2.end_stream"] = bool(values.flags & _END_STREAM)
    if values.status:
        attributes["goinst.http2.header.:status"] = str(values.status)
    data = values.data[: values.length]
    at = 0
    while at + 2 <= len(data):
        end = at + 2 + data[at]
        raw = data[end : end + data[at + 1]]
        name, value = data[at + 2 : end].decode("latin-1").lower(), raw.decode("utf-8", "replace")
        at = end + data[at + 1]
        if name in _PSEUDO:
            name = _PSEUDO[name]
        if not name:
            continue
        if name == "query":
            # what a client writes is its request's URL: the query comes behind the path
            attributes[_PATH] = f"{attributes.get(_PATH, '')}?{redact_query(value) if context.redact else value}"
            continue
        if context.redact:
            value = redact_header(name, value)
        if len(raw) == _VALUE and value != "REDACTED":
            span.truncated.append(f"goinst.http2.header.{name}")
        key = f"goinst.http2.header.{name}"
        attributes[key] = f"{attributes[key]}, {value}" if key in attributes else value
    if values.flags & _CUT:
        span.truncated.append("goinst.http2.header")
