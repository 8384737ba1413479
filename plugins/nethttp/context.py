"""Trace contexts that come in with a request.

W3C's is taken over in the kernel, too, where something asks for it meanwhile (goinst_operation_adopt). B3's and
Jaeger's only here: calls that are made inside such a request are not in its caller's trace.
"""

from __future__ import annotations

import re

from goinst import Span, parse_traceparent

__all__ = ["set_other_context", "set_trace_parent"]

# github.com/openzipkin/b3-propagation: in one header, or in several
_B3 = re.compile(rb"\nb3:[ \t]*([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-|[ \t]*\r?\n)")
_B3_TRACE = re.compile(rb"\nx-b3-traceid:[ \t]*([0-9a-f]{32}|[0-9a-f]{16})[ \t]*\r?\n")
_B3_SPAN = re.compile(rb"\nx-b3-spanid:[ \t]*([0-9a-f]{16})[ \t]*\r?\n")
# Jaeger's clients: trace, span, parent and flags, leading zeros left out; colons may be escaped
_JAEGER = re.compile(rb"\nuber-trace-id:[ \t]*([0-9a-f]{1,32})(?::|%3a)([0-9a-f]{1,16})(?::|%3a)")


def set_trace_parent(value: bytes, span: Span) -> None:
    """Take over the caller's trace (W3C Trace Context); a malformed value is as if it were not there."""
    if (caller := parse_traceparent(value)) is not None:
        span.trace_id, span.parent_span_id = caller.trace_id, caller.span_id


def set_other_context(headers: bytes, span: Span) -> None:
    """The same from B3's or Jaeger's header fields: ``headers`` is a header block in lower case, a line feed first."""
    found = _B3.search(headers) or _JAEGER.search(headers)
    if found is not None:
        trace, parent, name = found[1], found[2], "b3" if found.re is _B3 else "jaeger"
    else:
        several = _B3_TRACE.search(headers), _B3_SPAN.search(headers)
        if several[0] is None or several[1] is None:
            return
        trace, parent, name = several[0][1], several[1][1], "b3"
    if int(trace, 16) and int(parent, 16):
        span.trace_id, span.parent_span_id = int(trace, 16), int(parent, 16)
        span.attributes["goinst.trace_context"] = name
