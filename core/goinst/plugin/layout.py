"""Wire layouts: from a declared Record to the C struct and the reader of its bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from goinst.errors import PluginError
from goinst.plugin.protocol import Record, Series
from goinst.plugin.rows import Column

__all__ = ["HEAD", "OPERATION", "OPERATION_AT", "OPERATION_SIZE", "Layout", "lay_out"]

# struct goinst_record in bpf/event.h: type, flags, tgid, span_id
HEAD = struct.Struct("<HHIQ")
# struct goinst_operation in bpf/operation.h, up to its payload; plan.source has the compiler compare them
_OPERATION = (
    ("head.type", "H"), ("head.flags", "H"), ("head.tgid", "I"), ("head.span_id", "Q"), ("trace_high", "Q"),
    ("trace_low", "Q"), ("parent_id", "Q"), ("start", "Q"), ("end", "Q"), ("goid", "Q"), ("depth", "I"), ("state", "B"),
    ("level", "B"), ("nested", "B"), ("reused", "B"), ("facts", "Q"),
)  # fmt: skip
_WHOLE = struct.Struct("<" + "".join(code for _, code in _OPERATION))
OPERATION_SIZE = _WHOLE.size
"""Bytes in front of an operation's payload."""
OPERATION_AT = {
    name: struct.calcsize("<" + "".join(code for _, code in _OPERATION[:number]))
    for number, (name, _) in enumerate(_OPERATION)
}
"""Where each member of struct goinst_operation begins, in bytes."""
OPERATION = struct.Struct(f"<{''.join(code for _, code in _OPERATION[:9])}{OPERATION_SIZE - OPERATION_AT['goid']}x")
"""What is read of each operation: type, flags, tgid, span_id, trace_high, trace_low, parent_id, start, end."""

_C = {"u8": ("u8", "B", 1), "u16": ("u16", "H", 2), "u32": ("u32", "I", 4), "u64": ("u64", "Q", 8)}
_C |= {"i32": ("s32", "i", 4), "i64": ("s64", "q", 8)}
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Layout:
    """A record of one plugin as it is on the wire.

    ``columns`` are the record's with their sizes in bytes, ``offsets`` where each begins; ``members`` is the C text of
    the struct's members; ``size`` its size in bytes; ``read(buffer, offset, end)`` returns the record's row
    from the bytes between offset and end, where the last column may be cut short, or raises ``struct.error`` when there
    are too few.
    """

    plugin: str
    record: Record[Any]
    type: int
    columns: tuple[Column, ...]
    offsets: tuple[int, ...]
    members: str
    size: int
    last: str
    read: Callable[[Any, int, int], Any]


def _size(plugin: str, column: Column, options: Mapping[str, Any]) -> int:
    size = options.get(column.size) if isinstance(column.size, str) else column.size
    if not isinstance(size, int) or not 0 < size <= _LARGEST:
        raise PluginError(plugin, f"record column {column.name} has no size between 1 and {_LARGEST}: {size!r}")
    return size


def lay_out(plugin: str, record: Record[Any], number: int, options: Mapping[str, Any]) -> Layout:
    """Lay out a record as C does on both architectures (natural alignment, a multiple of 8 in all)."""
    members: list[str] = []
    columns: list[Column] = []
    offsets: list[int] = []
    form, code, at, align, size = "<", "", 0, 1, 0
    for column in record.columns:
        if column.type == "bytes":
            size = _size(plugin, column, options)
            members.append(f"    char {column.name}[{size}];")
            code, align = f"{size}s", 1
        elif column.type in _C:
            c_type, code, size = _C[column.type]
            members.append(f"    {c_type} {column.name};")
            align = size
        else:
            known = ", ".join([*_C, "bytes"])
            raise PluginError(plugin, f"record {record.name}: column type {column.type!r} is none of {known}")
        columns.append(replace(column, size=size))
        padding = -at % align
        form += f"{padding}x{code}" if padding else code
        offsets.append(at + padding)
        at += padding + size
    if not record.columns:
        raise PluginError(plugin, f"record {record.name} has no columns")
    row: Any = record.row
    make, last = row._make, record.columns[-1]
    names = {column.name for column in record.columns}
    if record.series is not None and (unknown := _named_in(record.series) - names):
        raise PluginError(plugin, f"record {record.name}: there are no columns {sorted(unknown)} that its series names")
    head = struct.Struct(form.removesuffix(code))
    if last.type == "bytes":
        read = _reader_of_tail(head, head.size + size, make)
    else:
        read = _reader_of_fixed(struct.Struct(form), make)
    return Layout(
        plugin, record, number, tuple(columns), tuple(offsets), "\n".join(members), at + -at % 8, last.name, read
    )


def _named_in(series: Series) -> set[str]:
    names = set(series.sizes.values())
    for one in series.columns:
        names.update((one,) if isinstance(one, str) else one)
    return names


def _reader_of_tail(head: struct.Struct, whole: int, make: Any) -> Callable[[Any, int, int], Any]:
    unpack, fixed = head.unpack_from, head.size

    def read(buffer: Any, offset: int, end: int) -> Any:
        if end < offset + fixed:
            raise struct.error("the record is shorter than its fixed columns")
        return make((*unpack(buffer, offset), bytes(buffer[offset + fixed : min(end, offset + whole)])))

    return read


def _reader_of_fixed(form: struct.Struct, make: Any) -> Callable[[Any, int, int], Any]:
    unpack, size = form.unpack_from, form.size

    def read(buffer: Any, offset: int, end: int) -> Any:
        if end < offset + size:
            raise struct.error("the record is shorter than its columns")
        return make(unpack(buffer, offset))

    return read
