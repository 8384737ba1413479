"""A span as the members of its JSON object or msgpack map. The hot path of the outputs for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from goinst.export.timestamps import rfc3339
from goinst.spans.span import Resource, Span

__all__ = ["CHUNK", "Encoding", "careful"]

CHUNK = 64
"""Spans that are encoded at once: enough to make a system call for each cheap, and few enough for their text to
stay in the processor's cache and in memory that the allocator has already."""

_SECOND = 1_000_000_000


class Encoding:
    """Makes members of spans. ``resource`` makes what stands for a resource; its result is kept for the next span."""

    def __init__(self, resource: Callable[[Resource], Any]) -> None:
        self._make = resource
        self._resource: Resource | None = None
        self._made: Any = None
        self._second = -_SECOND  # in ns; the prefix is its text
        self._prefix = ""

    def members(self, spans: Sequence[Span]) -> list[dict[str, Any]]:
        """The members of each, in the documented order, with text and attributes as they came.

        Identifiers are lower-case hexadecimal of fixed width; ``parent_span_id`` is None for a root; ``truncated``,
        ``status_message`` and ``links`` are there only when they say something; ``event`` is "partial" for what is
        still open.
        OverflowError for an identifier too wide.
        """
        rows = []
        for span in spans:
            if span.resource is not self._resource:
                self._made = self._make(span.resource)
                self._resource = span.resource
            fraction = span.start_ns - self._second
            if not 0 <= fraction < _SECOND:
                fraction = span.start_ns % _SECOND
                self._second = span.start_ns - fraction
                self._prefix = rfc3339(span.start_ns)[:20]
            parent = span.parent_span_id
            row = {
                "timestamp": f"{self._prefix}{fraction:09d}Z",
                "event": "partial" if span.partial else "span",
                "plugin": span.plugin,
                "name": span.name,
                "kind": span.kind,
                "trace_id": span.trace_id.to_bytes(16, "big").hex(),
                "span_id": span.span_id.to_bytes(8, "big").hex(),
                "parent_span_id": parent.to_bytes(8, "big").hex() if parent else None,
                "duration_ns": span.duration_ns,
                "status": span.status,
                "resource": self._made,
                "attributes": span.attributes,
            }
            if span.status_message:
                row["status_message"] = span.status_message
            if span.truncated:
                row["truncated"] = span.truncated
            if span.links:
                row["links"] = [
                    {"trace_id": trace.to_bytes(16, "big").hex(), "span_id": one.to_bytes(8, "big").hex()}
                    for trace, one in span.links
                ]
            rows.append(row)
        return rows


def careful(span: Span) -> dict[str, Any]:
    """The members of a span that an encoder refused, made of what every JSON and msgpack reader takes: identifiers
    cut to their width, no lone surrogates, no foreign types, no integers beyond 64 bits."""
    fitting = replace(
        span,
        trace_id=span.trace_id & (2**128 - 1),
        span_id=span.span_id & (2**64 - 1),
        parent_span_id=span.parent_span_id & (2**64 - 1),
        links=tuple((trace & (2**128 - 1), one & (2**64 - 1)) for trace, one in span.links),
    )
    (row,) = Encoding(lambda resource: orjson.loads(resource.json)).members([fitting])
    return {name: _readable(value) for name, value in row.items()}


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, dict):
        return {_readable(str(key)): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_readable(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _readable(str(value))
