"""Records as a program in the kernel would send them, for testing decoders without one."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from goinst import DecodeContext, Protocol, Record, Resource, Span
from goinst.plugin.layout import lay_out
from goinst.plugin.rows import Column, row_of

__all__ = ["context", "decode", "new_span", "on_wire", "row"]

_CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "i64": "q"}


def row(**columns: str | int) -> type[Any]:
    """A row with these columns: an integer's type, or how many bytes."""
    kinds = {name: (kind,) if isinstance(kind, str) else ("bytes", kind) for name, kind in columns.items()}
    return row_of("row", [Column(name, *kind) for name, kind in kinds.items()])


def on_wire(record: Record, options: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """The columns as C has them in memory. Columns that ``values`` lacks are 0; the last one may be cut short."""
    unknown = set(values) - {column.name for column in record.columns}
    assert not unknown, f"{record.name} has no columns {unknown}"
    wire = b""
    for column in record.columns:
        value = values.get(column.name, b"" if column.type == "bytes" else 0)
        if column.type == "bytes":
            size = options[column.size] if isinstance(column.size, str) else column.size
            assert len(value) <= size, f"{column.name} holds {size} bytes"
            wire += value if column is record.columns[-1] else value.ljust(size, b"\0")
            continue
        packed = struct.pack(f"<{_CODES[column.type]}", value)
        wire += bytes(-len(wire) % len(packed)) + packed
    return wire


def new_span(record: Record, plugin: str = "test") -> Span:
    """A span as the core makes it before it is decoded."""
    return Span(
        plugin=plugin,
        name=record.name,
        kind=record.kind,
        trace_id=0xA1,
        span_id=0xB2,
        parent_span_id=0,
        start_ns=1_700_000_000_000_000_000,
        duration_ns=1_500,
        resource=Resource({"process.pid": 1}, b'{"process.pid":1}'),
    )


def context(
    protocol: Protocol,
    options: Mapping[str, Any] | None = None,
    *,
    redact: bool = True,
    state: dict[str, Any] | None = None,
) -> tuple[DecodeContext, list[str]]:
    """What a decoder is given beside the record, and the list in which end up what it counts and ``signal NAME``."""
    counted: list[str] = []

    def signal(name: str) -> None:
        assert name in protocol.signals
        counted.append(f"signal {name}")

    chosen = {option.name: option.default for option in protocol.options} | dict(options or {})
    return DecodeContext(redact, chosen, counted.append, {} if state is None else state, signal=signal), counted


def decode(
    protocol: Protocol,
    name: str,
    values: Mapping[str, Any],
    *,
    span: Span | None = None,
    options: Mapping[str, Any] | None = None,
    redact: bool = True,
    state: dict[str, Any] | None = None,
) -> tuple[Span, list[str]]:
    """Pack, read and decode one record; the span and what the decoder counted."""
    record = next(record for record in protocol.records if record.name == name)
    given, counted = context(protocol, options, redact=redact, state=state)
    wire = on_wire(record, given.options, values)
    read = lay_out(protocol.name, record, 1, given.options).read
    span = span or new_span(record, protocol.name)
    record.decode(read(memoryview(wire), 0, len(wire)), span, given)
    return span, counted
