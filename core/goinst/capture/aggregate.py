"""Counting in the kernel: how often each value occurs, and how numbers are distributed."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goinst.capture.place import Text, word
from goinst.capture.resolve import Resolver, Value
from goinst.capture.wire.values import Scalar, go_duration
from goinst.errors import BinaryError

if TYPE_CHECKING:
    from goinst.capture.request import Aggregate

__all__ = ["Table", "write_aggregate"]

_TEXT = 64
_ENTRIES = 4096
_BUCKETS = 65


@dataclass(frozen=True, slots=True)
class Table:
    """A map that the kernel counts in: ``kind`` is ``hist`` (by power of two) or ``count`` (by value)."""

    name: str
    kind: str
    label: str
    type: str
    text: bool
    declaration: str

    def rows(self, entries: Iterable[tuple[bytes, bytes]]) -> list[tuple[Any, int]]:
        """(value, or a bucket's lower bound, and how often), most frequent or lowest first."""
        found: list[tuple[Any, int]] = []
        for key, value in entries:
            count = struct.unpack("<Q", value[:8])[0]
            if not count:
                continue
            if self.kind == "hist":
                bucket = struct.unpack("<I", key[:4])[0]
                found.append((1 << (bucket - 1) if bucket else 0, count))
            elif self.text:
                found.append((Scalar.text(key.rstrip(b"\0")), count))
            else:
                number = int.from_bytes(key[:8], "little", signed=self.type in ("int", "time.Duration"))
                found.append((go_duration(number) if self.type == "time.Duration" else number, count))
        if self.kind == "hist":
            return sorted(found)
        return sorted(found, key=lambda row: (-row[1], str(row[0])))


def write_aggregate(out: Text, name: str, aggregate: Aggregate, value: Value, resolver: Resolver) -> Table:
    """Write the C that counts ``value``. BinaryError when it is neither a number nor a text."""
    shape = value.shape
    type_ = "time.Duration" if shape.name == "time.Duration" else shape.kind
    if aggregate.kind == "hist":
        bucket, slot = out.name("bucket"), out.name("slot")
        out.line(f"u32 {bucket} = capture_log2({resolver.number(value)});")
        out.line(f"u64 *{slot} = {name}.lookup(&{bucket});")
        out.line(f"if ({slot})")
        out.line(f"    __sync_fetch_and_add({slot}, 1);")
        declaration = f"BPF_ARRAY({name}, u64, {_BUCKETS});\n"
        return Table(name, "hist", aggregate.item.label, type_, text=False, declaration=declaration)
    text = shape.kind == "string"
    key, slot, none = out.name("key"), out.name("slot"), out.name("none")
    out.line(f"struct {name}_key {key} = {{}};")
    if text:
        begin, length = word(out, value.place), word(out, value.place, 8)
        out.line(f"go_copy({key}.text, {_TEXT}, {begin}, {length});")
    elif shape.kind in ("int", "uint", "bool", "pointer"):
        out.line(f"*(u64 *){key}.text = {resolver.number(value)};")
    else:
        raise BinaryError(f"a value of type {shape.name} cannot be counted; count a number or a text")
    out.line(f"u64 {none} = 0, *{slot} = {name}.lookup_or_try_init(&{key}, &{none});")
    out.line(f"if ({slot})")
    out.line(f"    __sync_fetch_and_add({slot}, 1);")
    out.line("else")
    out.line("    LOSS(count_full);")
    declaration = (
        f"struct {name}_key {{\n    char text[{_TEXT if text else 8}];\n}} __attribute__((aligned(8)));\n"
        f"BPF_HASH({name}, struct {name}_key, u64, {_ENTRIES});\n"
    )
    return Table(name, "count", aggregate.item.label, type_, text=text, declaration=declaration)
