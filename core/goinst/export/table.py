"""Spans as rows of a table: the same columns for every format that has rows."""

from __future__ import annotations

from typing import Any

import orjson

from goinst.export.encoding import careful
from goinst.spans.span import Span

__all__ = ["ATTRIBUTES", "COLUMNS", "row"]

# attributes that have a column of their own, and the type of it
ATTRIBUTES: dict[str, type] = {
    "http.request.method": str,
    "http.route": str,
    "url.path": str,
    "http.response.status_code": int,
    "http.request.body.size": int,
    "http.response.body.size": int,
    "rpc.system.name": str,
    "rpc.method": str,
    "error.type": str,
    "server.address": str,
    "server.port": int,
    "client.address": str,
}
COLUMNS: dict[str, type] = {
    "start_ns": int,
    "duration_ns": int,
    "service": str,
    "pid": int,
    "plugin": str,
    "name": str,
    "kind": str,
    "status": str,
    "status_message": str,
    "trace_id": str,
    "span_id": str,
    "parent_span_id": str,
    **{name.replace(".", "_"): kind for name, kind in ATTRIBUTES.items()},
    "attributes": str,
    "resource": str,
    "truncated": str,
}
"""Names and types of the columns. Times are in ns, Unix time; ``attributes`` and ``resource`` are JSON objects."""


def row(span: Span) -> list[Any]:
    """The values of one span, in the order of COLUMNS; None where it has none."""
    attributes, resource = span.attributes, span.resource.attributes
    try:
        json = orjson.dumps(attributes).decode()
    except (TypeError, OverflowError):
        json = orjson.dumps(careful(span)["attributes"]).decode()
    parent = span.parent_span_id
    return [
        span.start_ns,
        span.duration_ns,
        _fitting(resource.get("service.name"), str),
        _fitting(resource.get("process.pid"), int),
        span.plugin,
        _fitting(span.name, str),
        span.kind,
        span.status,
        _fitting(span.status_message, str) or None,
        f"{span.trace_id:032x}",
        f"{span.span_id:016x}",
        f"{parent:016x}" if parent else None,
        *(_fitting(attributes.get(name), kind) for name, kind in ATTRIBUTES.items()),
        json,
        span.resource.json.decode("utf-8", "replace"),
        " ".join(span.truncated) or None,
    ]


def _fitting(value: Any, kind: type) -> Any:
    if kind is str:
        if value is None:
            return None
        return str(value).encode("utf-8", "replace").decode()
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
