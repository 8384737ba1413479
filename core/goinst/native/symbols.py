"""The functions that an ELF file's symbol tables name, and where they end."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from mmap import mmap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from goinst.binary.elf import Image, Section
from goinst.native.demangle import demangle, plain, tokens

__all__ = ["INDIRECT", "Symbol", "Symbols"]

_ROW = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
_NOTYPE, _OBJECT, _FUNC, INDIRECT = 0, 1, 2, 10
_MOST_VERSIONS = 4096
_MOST_NAME = 1 << 16
_MOST_HITS = 4096  # places in a string table where a name is looked for
# .eh_frame_hdr as linkers write it: version 1, addresses relative to it, a count and a table of four bytes each
_UNWIND_HEADER = bytes((1, 0x1B, 0x03, 0x3B))


class Symbol(NamedTuple):
    """A name for an address. ``version`` is a shared library's (``GLIBC_2.2.5``), empty when it is the default one;
    ``kind`` the ELF's type of symbol; ``outside``: it is only used here, and defined in another file."""

    name: str
    value: int
    size: int
    kind: int
    version: str
    outside: bool

    @property
    def text(self) -> str:
        """The name to show: demangled, with a version that has to be said."""
        name = demangle(self.name)
        return f"{name}@{self.version}" if self.version else name


class _Table:
    """One symbol table: rows, and the bytes of their names."""

    def __init__(self, data: mmap, sections: dict[str, Section], rows: str, names: str) -> None:
        self._data = data
        table = sections[rows]
        self._names = sections[names]
        self.rows = np.frombuffer(data, _ROW, table.size // _ROW.itemsize, table.offset)
        self._version = np.empty(0, np.uint16)
        self._versions: dict[int, str] = {}
        if rows == ".dynsym" and ".gnu.version" in sections:
            found = sections[".gnu.version"]
            self._version = np.frombuffer(data, "<u2", found.size // 2, found.offset)
            self._versions = dict(self._defined(sections.get(".gnu.version_d")))

    def _defined(self, section: Section | None) -> Iterator[tuple[int, str]]:
        """Number and name of the versions that the file defines (Elf64_Verdef, Elf64_Verdaux)."""
        if section is None:
            return
        at, end = section.offset, section.offset + section.size
        for _ in range(_MOST_VERSIONS):
            if at + 20 > end:
                return
            _, _, number, _, _, first, following = struct.unpack_from("<HHHHIII", self._data, at)
            if at + first + 8 <= end:
                (name,) = struct.unpack_from("<I", self._data, at + first)
                yield number & 0x7FFF, self._text(name).decode("utf-8", "replace")
            if not following:
                return
            at += following

    def _text(self, at: int) -> bytes:
        start, end = self._names.offset + at, self._names.offset + self._names.size
        stop = self._data.find(b"\0", start, min(end, start + _MOST_NAME)) if start < end else -1
        return self._data[start:stop] if stop >= 0 else b""

    def numbers(self, kinds: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """The rows of these kinds that have an address in this file."""
        rows = self.rows
        return np.flatnonzero(np.isin(rows["info"] & 15, kinds) & (rows["section"] != 0) & (rows["value"] != 0))

    def named(self, name: bytes) -> npt.NDArray[np.int64]:
        """The rows whose name this is, or whose name goes on with a version."""
        places: list[int] = []
        start, end = self._names.offset, self._names.offset + self._names.size
        for wanted in (name + b"\0", name + b"@"):
            at = self._data.find(wanted, start, end)
            while at >= 0 and len(places) < _MOST_HITS:
                places.append(at - start)
                at = self._data.find(wanted, at + 1, end)
        return np.flatnonzero(np.isin(self.rows["name"], np.array(places, np.uint32)))

    def holding(self, part: bytes) -> npt.NDArray[np.int64]:
        """The functions whose name has ``part`` in it."""
        names = self._data[self._names.offset : self._names.offset + self._names.size]
        hits = np.array([match.start() for match in re.finditer(re.escape(part), names)], np.int64)
        numbers = self.numbers((_FUNC,))
        at = self.rows["name"][numbers].astype(np.int64)
        ends = np.append(self._ends, len(names))[np.searchsorted(self._ends, at)]
        return numbers[np.searchsorted(hits, at) < np.searchsorted(hits, ends)]

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        """Where names end."""
        return np.flatnonzero(np.frombuffer(self._data, np.uint8, self._names.size, self._names.offset) == 0)

    def symbol(self, number: int) -> Symbol:
        """A row as a symbol."""
        row = self.rows[number]
        name, _, version = self._text(int(row["name"])).decode("utf-8", "replace").partition("@")
        if number < len(self._version) and self._version[number] & 0x8000:
            version = self._versions.get(int(self._version[number]) & 0x7FFF, "")
        # name@@VERSION is the default one
        return Symbol(
            name, int(row["value"]), int(row["size"]), int(row["info"]) & 15,
            "" if version.startswith("@") else version, not row["section"],
        )  # fmt: skip


class Symbols:
    """Functions by name, by part of their demangled name, and by address.

    ``image`` is the file; ``debug`` (its bytes and sections) one with its debugging information that was kept apart.
    """

    def __init__(self, image: Image, debug: tuple[mmap, dict[str, Section]] | None) -> None:
        self._image = image
        self._tables: list[_Table] = []
        for data, sections in ((image.map, image.sections), debug or (image.map, {})):
            for rows, names in ((".symtab", ".strtab"), (".dynsym", ".dynstr")):
                if rows in sections and names in sections:
                    self._tables.append(_Table(data, sections, rows, names))

    def named(self, name: str) -> list[Symbol]:
        """The symbols with exactly this linker's name, those that are only used here too; ``NAME@VERSION`` chooses."""
        base, _, version = name.partition("@")
        found = [
            table.symbol(int(number)) for table in self._tables for number in table.named(base.encode(errors="replace"))
        ]
        kept = dict.fromkeys(s for s in found if s.name == base and s.kind in (_NOTYPE, _FUNC, INDIRECT))
        defaults = [s for s in kept if not s.version]
        return [s for s in kept if s.version == version] if version else defaults or list(kept)

    def variables(self, name: str) -> list[Symbol]:
        """The symbols of data with exactly this linker's name."""
        found = [
            table.symbol(int(number)) for table in self._tables for number in table.named(name.encode(errors="replace"))
        ]
        return [s for s in dict.fromkeys(found) if s.name == name and s.kind in (_NOTYPE, _OBJECT)]

    def written(self, name: str) -> list[Symbol]:
        """The functions with this demangled name, with or without its parameters."""
        whole, parts = [], []
        for symbol in self._candidates(name):
            text = demangle(symbol.name)
            if text == name:
                whole.append(symbol)
            elif plain(text) == name:
                parts.append(symbol)
        return whole or parts

    def _candidates(self, name: str) -> Iterator[Symbol]:
        """Functions whose demangled name may be this one: those that have the rarest part of it in their own."""
        for word in tokens(name):
            seen: set[int] = set()
            for table in self._tables:
                for number in table.holding(word.encode()):
                    symbol = table.symbol(int(number))
                    if symbol.value not in seen and word in symbol.name and symbol.name.startswith(("_Z", "_R")):
                        seen.add(symbol.value)
                        yield symbol
            if seen:
                return

    def functions(self) -> Iterator[Symbol]:
        """Every function, once for each of its names."""
        seen: set[tuple[str, int]] = set()
        for table in self._tables:
            for number in table.numbers((_FUNC,)):
                symbol = table.symbol(int(number))
                if symbol.name and (symbol.name, symbol.value) not in seen:
                    seen.add((symbol.name, symbol.value))
                    yield symbol

    def end(self, entry: int, size: int) -> int:
        """Where the function at ``entry`` ends: as its symbol says, else where the next one or the code ends."""
        segment = self._image.segment(entry)
        if segment is None:
            return entry
        last = segment.va + segment.size
        if size:
            return min(entry + size, last)
        at = bisect_right(self._starts, entry)
        return min(last, self._starts[at]) if at < len(self._starts) else last

    def starts(self, address: int) -> bool:
        """Whether a function is known to start there."""
        at = bisect_right(self._starts, address)
        return bool(at) and self._starts[at - 1] == address

    def exported(self, address: int) -> bool:
        """Whether code of other files, or of other units, may call what is there by a name."""
        for table in self._tables:
            rows = table.rows
            if np.any((rows["value"] == address) & (rows["section"] != 0) & (rows["info"] >> 4 != 0)):
                return True
        return False

    def around(self, address: int) -> Symbol | None:
        """The function that the address is in, as the symbol tables say."""
        best: Symbol | None = None
        for table in self._tables:
            numbers = table.numbers((_FUNC,))
            start, size = table.rows["value"][numbers], table.rows["size"][numbers]
            inside = numbers[(start <= address) & (address < start + np.maximum(size, 1))]
            for number in inside[:16]:
                symbol = table.symbol(int(number))
                if best is None or symbol.value > best.value:
                    best = symbol
        return best

    @cached_property
    def _starts(self) -> list[int]:
        """Where functions start, by the symbols and by what is there to unwind the stack."""
        found: set[int] = set()
        for table in self._tables:
            found.update(table.rows["value"][table.numbers((_FUNC,))].tolist())
        section = self._image.sections.get(".eh_frame_hdr")
        if section is not None and section.size >= 12:
            data = self._image.map[section.offset : section.offset + section.size]
            count = int.from_bytes(data[8:12], "little")
            if data[:4] == _UNWIND_HEADER and 12 + 8 * count <= len(data):
                rows = np.frombuffer(data, "<i4", 2 * count, 12).reshape(-1, 2)
                found.update((rows[:, 0].astype(np.int64) + section.va).tolist())
        return sorted(found)
