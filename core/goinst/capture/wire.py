"""What a captured value is on the wire: nodes that write the C which fetches it, and read it back.

A value is copied as it lies in memory, in one read, with its state in front; what its strings, slices, pointers and
interfaces lead to follows at fixed places behind it. So a struct with five numbers costs one read, and the reader
needs no length but those of the program's own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from goinst.capture.place import Memory, Place, Text, Words, moved, word
from goinst.capture.values import ABSENT, Captured, Scalar
from goinst.golang.model import Shape

__all__ = ["Bytes", "CString", "Dynamic", "Elements", "Follow", "Pointee", "Raw", "Reader"]

_STATE = struct.Struct("<Q")
_COPIED = struct.Struct("<II")
_OK = 8
_PART = 72  # struct capture_part
_DYNAMIC = 16 + 2 * _PART
TYPE_NAME = Mapping[int, str]


@dataclass(slots=True)
class Reader:
    """What reading a record needs beside its bytes; ``cut`` is set when something was longer than what was copied."""

    buffer: bytes
    types: Mapping[int, str]
    symbol: Any
    cut: bool = False


class Node(Protocol):
    """A piece of the wire. ``size`` is a multiple of 8 bytes."""

    @property
    def size(self) -> int:
        """Bytes on the wire."""


class Follow(Protocol):
    """What part of a copied value leads to: the C that fetches it, when the value is at ``raw`` (a C expression)."""

    @property
    def size(self) -> int:
        """Bytes on the wire."""

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text; ``to`` is where on the wire."""

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The Python value; the copied words are at ``raw`` of the buffer, this node's bytes at ``at``."""


def _word_at(raw: str, offset: int) -> str:
    return f"(*(u64 *)({raw} + {offset}))"


@dataclass(slots=True)
class Raw:
    """A value of ``shape`` and what it leads to: ``follows`` are (offset in the value, what)."""

    shape: Shape
    decode: Any
    follows: list[tuple[int, Follow]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return self.behind + sum(follow.size for _, follow in self.follows)

    @property
    def behind(self) -> int:
        """Where the follows begin."""
        return 8 + self.shape.size + -self.shape.size % 8

    def fetch(self, out: Text, place: Place, to: str) -> None:
        """Write the C that copies the value from ``place`` to ``to`` (C expressions)."""
        if isinstance(place, Words):
            out.line(f"*(u64 *)({to}) = CAPTURE_OK;")
            for offset, size, text in place.pieces:
                kind = {1: "u8", 2: "u16", 4: "u32"}.get(size, "u64")
                if text:
                    out.line(f"*({kind} *)({to} + {8 + offset}) = {text};")
            if any(not text for _, _, text in place.pieces):
                out.line(f"*(u64 *)({to}) = CAPTURE_OK + 1;")
            self._fetch_follows(out, to)
            return
        size = max(self.shape.size, 1)
        out.line(f"if (capture_read({to}, {size}, {place.address}, {place.offset})) {{")
        out.indent += 1
        self._fetch_follows(out, to)
        out.indent -= 1
        out.line("}")

    def _fetch_follows(self, out: Text, to: str) -> None:
        at = self.behind
        for offset, follow in self.follows:
            follow.fetch(out, f"{to} + {8 + offset}", f"{to} + {at}")
            at += follow.size

    def read(self, reader: Reader, at: int) -> Any:
        """The Python value."""
        state = _STATE.unpack_from(reader.buffer, at)[0]
        if state < _OK:
            return ABSENT.get(state, ABSENT[1])
        if state > _OK and self.shape.kind in ("float", "complex"):
            return ABSENT[4]
        found: dict[int, Captured] = {}
        behind = at + self.behind
        for offset, follow in self.follows:
            found[offset] = follow.read(reader, at + 8 + offset, behind)
            behind += follow.size
        return self.decode(reader, at + 8, 0, found)


@dataclass(slots=True)
class Bytes:
    """The bytes behind a string or a slice of bytes: address and length are copied words."""

    most: int
    binary: bool = False

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 8 + self.most + -self.most % 8

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text."""
        out.line(f"capture_bytes({to}, {self.most}, {_word_at(raw, 0)}, {_word_at(raw, 8)});")

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The text; bytes that are none as hexadecimal."""
        length = struct.unpack_from("<Q", reader.buffer, raw + 8)[0]
        return read_text(reader, at, length, self.most, binary=self.binary)


@dataclass(slots=True)
class CString:
    """The bytes behind a C string's address, up to its 0."""

    most: int

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 8 + self.most + -self.most % 8

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text."""
        out.line(f"capture_cstring({to}, {self.most}, {_word_at(raw, 0)});")

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The text, or nil."""
        copied, state = _COPIED.unpack_from(reader.buffer, at)
        if state < _OK:
            return ABSENT.get(state, ABSENT[1])
        if copied >= self.most - 1:
            reader.cut = True
        return Scalar.text(reader.buffer[at + 8 : at + 8 + min(copied, self.most)])


def read_text(reader: Reader, at: int, length: int, most: int, *, binary: bool = False) -> Any:
    """Copied bytes with their count and state in front."""
    copied, state = _COPIED.unpack_from(reader.buffer, at)
    if state < _OK:
        return ABSENT[1] if length else ""
    copied = min(copied, most)
    if length > copied:
        reader.cut = True
    data = bytes(reader.buffer[at + 8 : at + 8 + copied])
    return Scalar.binary(data) if binary else Scalar.text(data)


@dataclass(slots=True)
class Pointee:
    """What a pointer points to."""

    value: Raw

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return self.value.size

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text."""
        self.value.fetch(out, Memory(out.temporary(_word_at(raw, 0))), to)

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The value behind the pointer, or nil."""
        return self.value.read(reader, at)


@dataclass(slots=True)
class Elements:
    """The first elements of a slice (address and length are copied words) or, with ``count``, of an array in place."""

    value: Raw
    most: int
    count: int = -1

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 8 + self.most * self.value.size

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text: a loop that the verifier can see the end of."""
        begin = out.temporary(_word_at(raw, 0))
        length = out.temporary(_word_at(raw, 8))
        self.loop(out, begin, length, to)

    def loop(self, out: Text, begin: str, length: str, to: str) -> None:
        """Write the loop over what lies at ``begin``."""
        index, item, address = out.name("i"), out.name("e"), out.name("a")
        out.line(f"*(u64 *)({to}) = {length};")
        out.line("#pragma clang loop unroll(disable)")
        out.line(f"for (u32 {index} = 0; {index} < {self.most}; {index}++) {{")
        out.indent += 1
        out.line(f"char *{item} = {to} + 8 + {index} * {self.value.size};")
        out.line(f"u64 {address} = {begin} < CAPTURE_OK ? {begin} : {begin} + {index} * {self.value.shape.size};")
        out.line(f"if ({index} >= {length})")
        out.line("    break;")
        self.value.fetch(out, Memory(address), item)
        out.indent -= 1
        out.line("}")

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The elements that were copied."""
        length = _STATE.unpack_from(reader.buffer, at)[0]
        if length > self.most:
            reader.cut = True
        return [self.value.read(reader, at + 8 + i * self.value.size) for i in range(min(length, self.most))]


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
        out.line(f"u64 {kind} = {_word_at(raw, 0)}, {data} = {_word_at(raw, 8)};")
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
        count = min(_STATE.unpack_from(reader.buffer, at)[0], self.levels)
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
        from goinst.capture.values import held

        return held(parts)


def _dynamic(reader: Reader, at: int) -> tuple[str, str, Any, list[Any]]:
    """(type's name, kind's number as text, its word, its texts)."""
    number, kind = _COPIED.unpack_from(reader.buffer, at)
    value = _STATE.unpack_from(reader.buffer, at + 8)[0]
    texts = []
    for part in (0, 1):
        copied, state = _COPIED.unpack_from(reader.buffer, at + 16 + part * _PART)
        if state == _OK:
            copied = min(copied, _PART - 8)
            if copied == _PART - 8:
                reader.cut = True
            start = at + 24 + part * _PART
            texts.append(Scalar.text(bytes(reader.buffer[start : start + copied])))
        else:
            texts.append(None)
    name = reader.types.get(number, f"type {number:#x}") if number else ""
    return name, str(kind), value, texts


__all__ += ["Errors", "Node", "moved", "word"]
