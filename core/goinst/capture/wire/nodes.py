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

from goinst.binary.model import Shape
from goinst.capture.place import Memory, Place, Text, Words
from goinst.capture.wire.values import ABSENT, Captured, Scalar

__all__ = ["COPIED", "OK", "STATE", "Bytes", "CString", "Elements", "Follow", "Pointee", "Raw", "Reader", "word_at"]

STATE = struct.Struct("<Q")
COPIED = struct.Struct("<II")
OK, _IN_PART = 8, 9  # bpf/capture.h


@dataclass(slots=True)
class Reader:
    """What reading a record needs beside its bytes; ``cut`` is set when something was longer than what was copied."""

    buffer: bytes
    types: Mapping[int, str]
    symbol: Any
    cut: bool = False


class Follow(Protocol):
    """What part of a copied value leads to: the C that fetches it, when the value is at ``raw`` (a C expression)."""

    @property
    def size(self) -> int:
        """Bytes on the wire."""

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text; ``to`` is where on the wire."""

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The Python value; the copied words are at ``raw`` of the buffer, this node's bytes at ``at``."""


def word_at(raw: str, offset: int) -> str:
    """A copied word, as C."""
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
                out.line(f"*(u64 *)({to}) = CAPTURE_IN_PART;")
            self._fetch_follows(out, to)
            return
        if not self.shape.size:
            address = out.temporary(place.address)
            out.line(f"*(u64 *)({to}) = {address} < CAPTURE_OK ? {address} : CAPTURE_OK;")
            return
        out.line(f"if (capture_read({to}, {self.shape.size}, {place.address}, {place.offset})) {{")
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
        state = STATE.unpack_from(reader.buffer, at)[0]
        if state < OK:
            return ABSENT.get(state, ABSENT[1])
        if state == _IN_PART and self.shape.kind in ("float", "complex"):
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
        out.line(f"capture_bytes({to}, {self.most}, {word_at(raw, 0)}, {word_at(raw, 8)});")

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
        out.line(f"capture_cstring({to}, {self.most}, {word_at(raw, 0)});")

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The text, or nil."""
        copied, state = COPIED.unpack_from(reader.buffer, at)
        if state < OK:
            return ABSENT.get(state, ABSENT[1])
        cut = copied >= self.most - 1
        reader.cut |= cut
        return Scalar.text(bytes(reader.buffer[at + 8 : at + 8 + min(copied, self.most)]), cut=cut)


def read_text(reader: Reader, at: int, length: int, most: int, *, binary: bool = False) -> Any:
    """Copied bytes with their count and state in front."""
    copied, state = COPIED.unpack_from(reader.buffer, at)
    if state < OK:
        return ABSENT[1] if length else ""
    copied = min(copied, most)
    if length > copied:
        reader.cut = True
    data = bytes(reader.buffer[at + 8 : at + 8 + copied])
    return Scalar.binary(data, cut=length > copied) if binary else Scalar.text(data, cut=length > copied)


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
        self.value.fetch(out, Memory(out.temporary(word_at(raw, 0))), to)

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
        begin = out.temporary(word_at(raw, 0))
        length = out.temporary(word_at(raw, 8))
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
        length = STATE.unpack_from(reader.buffer, at)[0]
        if length > self.most:
            reader.cut = True
        return [self.value.read(reader, at + 8 + i * self.value.size) for i in range(min(length, self.most))]
