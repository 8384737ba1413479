"""One JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from goinst.events.span import Resource, Span
from goinst.export.base import Sink
from goinst.export.moment import rfc3339

__all__ = ["JsonExporter", "careful", "plain"]

_NEWLINE = orjson.OPT_APPEND_NEWLINE


def plain(span: Span) -> dict[str, Any]:
    """A span as the members of its JSON object, in order, without ``resource``'s value and with text as it
    came.

    Identifiers are lower-case hexadecimal of fixed width; ``parent_span_id`` is None for a root;
    ``truncated`` and ``status_message`` are there only when they say something.
    """
    parent = span.parent_span_id
    members: dict[str, Any] = {
        "timestamp": rfc3339(span.start_ns),
        "event": "span",
        "plugin": span.plugin,
        "name": span.name,
        "kind": span.kind,
        "trace_id": span.trace_id.to_bytes(16, "big").hex(),
        "span_id": span.span_id.to_bytes(8, "big").hex(),
        "parent_span_id": parent.to_bytes(8, "big").hex() if parent else None,
        "duration_ns": span.duration_ns,
        "status": span.status,
        "resource": None,
        "attributes": span.attributes,
    }
    if span.status_message:
        members["status_message"] = span.status_message
    if span.truncated:
        members["truncated"] = span.truncated
    return members


def careful(span: Span) -> dict[str, Any]:
    """``plain`` with its resource, for a span that an encoder refused: made of what every JSON and msgpack
    reader takes, with identifiers cut to their width, no lone surrogates, no foreign types, no integers
    beyond 64 bits.
    """
    fitting = replace(
        span,
        trace_id=span.trace_id & (2**128 - 1),
        span_id=span.span_id & (2**64 - 1),
        parent_span_id=span.parent_span_id & (2**64 - 1),
    )
    members = plain(fitting)
    members["resource"] = dict(span.resource.attributes)
    return {name: _readable(value) for name, value in members.items()}


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


class JsonExporter:
    """Writes each batch as lines, with one system call."""

    name = "json"
    wants_spans = True

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._resource: Resource | None = None
        self._fragment = orjson.Fragment(b"{}")

    def export(self, spans: Sequence[Span]) -> None:
        """Encode and write; a span that JSON cannot hold as it is gets written in a form that it can."""
        lines = []
        dumps = orjson.dumps
        for span in spans:
            if span.resource is not self._resource:
                self._resource = span.resource
                self._fragment = orjson.Fragment(span.resource.json)
            try:
                members = plain(span)
                members["resource"] = self._fragment
                lines.append(dumps(members, option=_NEWLINE))
            except (TypeError, OverflowError):  # orjson: lone surrogates, huge integers, foreign types
                lines.append(_careful_line(span))
        if lines:
            self._sink.write(b"".join(lines))

    def count(self, n: int) -> None:
        """Counting is not this exporter's work."""

    def flush(self) -> None:
        """Nothing is held back."""
        self._sink.flush()

    def close(self) -> None:
        """Close the file."""
        self._sink.close()


def _careful_line(span: Span) -> bytes:
    return json.dumps(careful(span), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
