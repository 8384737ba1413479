"""What an interface holds, and the texts of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goinst.capture.place import Text
from goinst.capture.wire.nodes import COPIED, OK, STATE, Reader, word_at
from goinst.capture.wire.values import Scalar, held

__all__ = ["Dynamic", "Errors"]

_PART = 72  # struct capture_part
_DYNAMIC = 16 + 2 * _PART


@dataclass(slots=True)
class Dynamic:
    """What an interface holds: struct capture_dynamic, as often as an error may wrap another.

    ``itab``: the first word leads to an itab, not to a type. ``errors`` are the binary's error types.
    """

    itab: bool
    levels: int
    errors: Errors

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 8 + self.levels * _DYNAMIC

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text."""
        kind, data, level = out.name("k"), out.name("d"), out.name("l")
        out.line(f"u64 {kind} = {word_at(raw, 0)}, {data} = {word_at(raw, 8)};")
        if self.itab:  # runtime.itab{inter, _type, …}
            out.line(f"{kind} = capture_hop({kind}, 8);")
        out.line(f"*(u64 *)({to}) = 0;")
        out.line("#pragma clang loop unroll(disable)")
        out.line(f"for (u32 {level} = 0; {level} < {self.levels}; {level}++) {{")
        out.indent += 1
        out.line(f"struct capture_dynamic *to = (void *)({to} + 8 + {level} * {_DYNAMIC});")
        out.line(f"capture_dynamic(to, {kind}, {data});")
        out.line(f"*(u64 *)({to}) = {level} + 1;")
        self.errors.fetch(out, kind, data)
        out.indent -= 1
        out.line("}")

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The value, its text for an error, or at least its type's name."""
        count = min(STATE.unpack_from(reader.buffer, at)[0], self.levels)
        parts = [_dynamic(reader, at + 8 + i * _DYNAMIC) for i in range(count)]
        return self.errors.text(parts)


@dataclass(slots=True)
class Errors:
    """Error types of a binary: ``offsets`` by runtime hash are those of at most two texts, and of the error inside."""

    offsets: Mapping[int, tuple[int, ...]]

    def fetch(self, out: Text, kind: str, data: str) -> None:
        """Write the C that copies the texts of a known error, and goes on to the error inside, or ends the loop."""
        out.line("struct capture_error known = {CAPTURE_NONE, CAPTURE_NONE, CAPTURE_NONE};")
        for number, offsets in self.offsets.items():
            first, second, inner = (("CAPTURE_NONE" if at < 0 else str(at)) for at in offsets)
            out.line(f"if (to->hash == {number:#x})")
            out.line(f"    known = (struct capture_error){{{first}, {second}, {inner}}};")
        out.line("if (known.first != CAPTURE_NONE)")
        out.line(f"    capture_part_at(&to->parts[0], {data} + known.first);")
        out.line("if (known.second != CAPTURE_NONE)")
        out.line(f"    capture_part_at(&to->parts[1], {data} + known.second);")
        out.line("if (known.inner == CAPTURE_NONE)")
        out.line("    break;")
        out.line(f"{kind} = capture_hop(capture_hop({data}, known.inner), 8);")
        out.line(f"{data} = capture_hop({data}, known.inner + 8);")

    def text(self, parts: list[tuple[str, str, Any, list[Any]]]) -> Any:
        """One value for the levels that were copied."""
        return held(parts)


def _dynamic(reader: Reader, at: int) -> tuple[str, str, Any, list[Any]]:
    """(type's name, kind's number as text, its word, its texts)."""
    number, kind = COPIED.unpack_from(reader.buffer, at)
    value = STATE.unpack_from(reader.buffer, at + 8)[0]
    texts: list[Any] = []
    for part in (0, 1):
        copied, state = COPIED.unpack_from(reader.buffer, at + 16 + part * _PART)
        if state == OK:
            copied = min(copied, _PART - 8)
            if copied == _PART - 8:
                reader.cut = True
            start = at + 24 + part * _PART
            texts.append(Scalar.text(bytes(reader.buffer[start : start + copied]), cut=copied == _PART - 8))
        else:
            texts.append(None)
    name = reader.types.get(number, f"type {number:#x}") if number else ""
    return name, str(kind), value, texts
