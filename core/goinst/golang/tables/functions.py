"""Functions from .gopclntab: names, bounds, tables by program counter; stripping does not remove it.

Layouts: runtime/symtab.go and runtime/runtime2.go (``_func``), cmd/link/internal/ld/pcln.go, Go 1.16 to 1.27.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from goinst.binary.arrays import Integers
from goinst.binary.elf import Image
from goinst.binary.model import Function
from goinst.errors import BinaryError, UsageError
from goinst.golang.releases import START_LINES, TEXT_OFFSETS
from goinst.golang.tables.moduledata import Module
from goinst.golang.tables.pcvalues import PcValues

__all__ = ["FunctionTable", "text_at"]

Table = Literal["sp", "file", "line", "inlined"]

_INLINE_INDEX = 2  # runtime/symtab.go: _PCDATA_InlTreeIndex
_TABLES = {"sp": 20, "file": 24, "line": 28}  # where in a _func of Go 1.16 and 1.17; later all are 4 bytes before
_MOST_TABLES = 8192
_LONGEST_NAME = 1 << 16


class FunctionTable:
    """All functions of a program by name and by address, without decoding them all.

    Lookups search the name table by bytes and gather the records' name offsets as one array (a few
    milliseconds for 50,000 functions, once); nothing is kept per function but arrays. BinaryError when the
    table is broken.
    """

    def __init__(self, image: Image, module: Module) -> None:
        self._image = image
        self._module = module
        view = image.view(module.pclntab, module.pclntab_size)
        self._bytes = np.frombuffer(view, np.uint8)
        self._names = view[module.names - module.pclntab :][: module.names_size]
        self.old = not TEXT_OFFSETS.holds(module.version)  # entries are addresses instead of text offsets
        short = not self.old and not START_LINES.holds(module.version)
        self._id_offset = 36 if short else 40
        self._values: dict[tuple[int, Table], PcValues] = {}
        self.pcdata = 40 if short else 44

    def function(self, name: str) -> Function | None:
        """Return the function called ``name``.

        Where a name occurs more than once (an assembly function and its ABI wrapper) it is the one that is
        not a wrapper; of the bodies of a generic function, which share a name such as ``F[...]``, the first.
        """
        found = self._indexes(name)
        if len(found) > 1:
            found = found[np.argsort(self._ids(found) != 0, kind="stable")]
            if self._ids(found[:1])[0] != 0:
                found = found[np.argsort(self._ids(found) == self._wrapper_id, kind="stable")]
        return self._function(int(found[0]), name) if len(found) else None

    def matching(self, regex: str) -> tuple[Function, ...]:
        """Return the functions whose name ``regex`` is found in, by address."""
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise UsageError(f"{regex!r} is not a regular expression: {error}") from None
        offsets = [
            found.start()
            for found in re.finditer(rb"[^\0]+", self._names)
            if pattern.search(found[0].decode("utf-8", "replace"))
        ]
        indexes = np.flatnonzero(np.isin(self.name_offsets, np.array(offsets, np.int64)))
        return tuple(self._function(int(index)) for index in indexes)

    def containing(self, va: int) -> Function | None:
        """Return the function whose body, padding included, holds the address ``va``."""
        index = self.index(va)
        return None if index is None else self._function(index)

    def argument_bytes(self, function: Function) -> int:
        """Return how much stack a function's arguments take: those that are passed on the stack, results on the stack,
        and room for its caller's registers that hold arguments; negative when it depends on the call.

        It is ArgWidth of cmd/compile/internal/abi/abiutils.go; the assembler has it from the TEXT directive.
        """
        index = int(np.searchsorted(self.entries, function.entry))
        size = int(self.u32(self.records[[index]] + (12 if self.old else 8))[0])
        return size - (size >> 31 << 32)

    # One function by its index in the table

    def index(self, va: int) -> int | None:
        """Return which function holds the address ``va``."""
        if not self._module.min_pc <= va < self._module.max_pc:
            return None
        index = int(np.searchsorted(self.entries, va, side="right")) - 1
        return index if 0 <= index < self._module.functions else None

    def stack_depth(self, va: int) -> int:
        """Return how many bytes SP at an instruction is below SP at its function's first one; -1 when unknown."""
        index = self.index(va)
        return -1 if index is None else self.values(index, "sp").at(va - int(self.entries[index]))

    def at(self, index: int) -> Function:
        """Return the function at an index."""
        return self._function(index)

    def values(self, index: int, what: Table) -> PcValues:
        """Return a function's table; one without values when it has none.

        ``sp``: how deep its stack is in bytes, ``file``: a number for ``file``, ``line``, ``inlined``: a number for
        ``inlined``, or -1 in the function's own code.
        """
        known = self._values.get((index, what))
        if known is None:
            if len(self._values) >= _MOST_TABLES:
                self._values.clear()
            known = self._values[index, what] = self._decode(index, what)
        return known

    def _place(self, what: Table) -> int:
        """Return where in a ``_func`` is the place of a table."""
        return self.pcdata + 4 * _INLINE_INDEX if what == "inlined" else _TABLES[what] - (0 if self.old else 4)

    def _decode(self, index: int, what: Table) -> PcValues:
        record = int(self.records[index])
        if what == "inlined" and int(self.u32(np.array([record + (32 if self.old else 28)]))[0]) <= _INLINE_INDEX:
            return PcValues((), ())
        at = int(self.u32(np.array([record + self._place(what)]))[0])
        size = int(self.entries[index + 1] - self.entries[index])
        if not at:
            return PcValues((), ())
        start = at + self._module.pctab - self._module.pclntab
        return PcValues.decode(bytes(self._bytes[start : start + 10 * size + 10]), size, self._module.quantum)

    # Arrays, one element per function

    @cached_property
    def _rows(self) -> Integers:
        """The functab: (entry, record offset) rows and the end's row."""
        kind = np.dtype("<u8" if self.old else "<u4")
        start = self._module.functab - self._module.pclntab
        count = 2 * self._module.functions + 1
        if start + count * kind.itemsize > len(self._bytes):
            raise self._broken("function table")
        flat = self._bytes[start : start + count * kind.itemsize].view(kind).astype(np.int64)
        return np.append(flat, 0).reshape(-1, 2)

    @cached_property
    def entries(self) -> Integers:
        """Where each function starts; one more than there are functions, rising."""
        offsets = np.ascontiguousarray(self._rows[:, 0])
        if self.old:
            entries = offsets
        else:
            entries = offsets + self._module.text
            for section in self._module.text_sections:  # runtime/symtab.go: (*moduledata).textAddr
                inside = (offsets >= section.start) & (offsets < section.end)
                if section is self._module.text_sections[-1]:  # with the end of all, which the table has, too
                    inside |= offsets == section.end
                entries[inside] = offsets[inside] - section.start + section.base
        if np.any(np.diff(entries) < 0):
            raise self._broken("function table")
        return entries

    @cached_property
    def records(self) -> Integers:
        """Where each function's ``_func`` is in the table."""
        return self._rows[:-1, 1] + (self._module.functab - self._module.pclntab)

    @cached_property
    def name_offsets(self) -> Integers:
        """Where each function's name is in the table of names."""
        return self.u32(self.records + (8 if self.old else 4))

    @cached_property
    def _wrapper_id(self) -> int:
        """The funcID of compiler-made wrappers. It moves between releases and is the most frequent but
        zero.
        """
        ids = self._ids(np.arange(self._module.functions))
        return int(np.bincount(ids[ids > 0], minlength=1).argmax())

    # One function

    def _function(self, index: int, name: str = "") -> Function:
        return Function(name or self._name(index), int(self.entries[index]), int(self.entries[index + 1]))

    def text(self, offset: int) -> str:
        """Return the function name at an offset in the table of names."""
        return text_at(self._names, offset)

    def first_values(self, indexes: Integers, what: Table) -> Integers:
        """Return the first value of each of these functions' tables."""
        starts = self.u32(self.records[indexes] + self._place(what)) + (self._module.pctab - self._module.pclntab)
        found = np.zeros(len(indexes), np.int64)
        more = np.ones(len(indexes), bool)
        for step in range(5):
            byte = self.u8(np.minimum(starts + step, len(self._bytes) - 1))
            found |= np.where(more, (byte & 0x7F) << 7 * step, 0)
            more &= byte >= 0x80
        return (found >> 1 ^ -(found & 1)) - 1

    def packaged(self, package: str) -> Integers:
        """Return the places of all names of a package's functions, those that are only inlined too."""
        names = re.finditer(rb"(?<=\0)" + re.escape(f"{package}.".encode()), self._names)
        return np.array([found.start() for found in names], np.int64)

    def spelled(self, part: bytes) -> Iterator[str]:
        """Give the names that ``part`` is found in, those of functions that are only inlined too; ``\\0`` in it stands
        for a name's end."""
        at = self._text.find(part)
        while at >= 0:
            start = self._text.rfind(b"\0", 0, at + 1) + 1
            end = self._text.find(b"\0", max(at, start))
            yield self._text[start : end if end >= 0 else len(self._text)].decode("utf-8", "replace")
            at = self._text.find(part, max(end, at + 1)) if end >= 0 else -1

    @cached_property
    def _text(self) -> bytes:
        return b"\0" + self._names

    def _name(self, index: int) -> str:
        return text_at(self._names, int(self.name_offsets[index]))

    def _indexes(self, name: str) -> Integers:
        offset = self.offset_of(name)
        return np.flatnonzero(self.name_offsets == (-1 if offset is None else offset))

    def offset_of(self, name: str) -> int | None:
        """Return where the name table has ``name``, as a whole entry."""
        wanted = name.encode() + b"\0"
        if bytes(self._names[: len(wanted)]) == wanted:
            return 0
        segment_start = self._image.file_offset(self._module.names)
        if segment_start is None or "\0" in name or not name:
            return None
        at = self._image.map.find(b"\0" + wanted, segment_start, segment_start + self._module.names_size)
        return None if at < 0 else at + 1 - segment_start

    def is_wrapper(self, index: int) -> bool:
        """Say whether the compiler has made a function to call another one: ABI wrappers, promoted methods, method
        values, what ``go`` and ``defer`` statements with arguments become."""
        return bool(self._ids(np.array([index]))[0] == self._wrapper_id)

    # Bytes of many records at once

    def _ids(self, indexes: Integers) -> Integers:
        return self.u8(self.records[indexes] + self._id_offset)

    def u8(self, at: Integers) -> Integers:
        """Return the bytes at these places of the table."""
        if len(at) and (at.min() < 0 or at.max() >= len(self._bytes)):
            raise self._broken("function records")
        return self._bytes[at].astype(np.int64)

    def u32(self, at: Integers) -> Integers:
        """Return the numbers of 4 bytes at these places of the table."""
        if len(at) and (at.min() < 0 or at.max() + 4 > len(self._bytes)):
            raise self._broken("function records")
        numbers: npt.NDArray[np.uint32] = self._bytes[at[:, None] + np.arange(4)].view("<u4").ravel()
        return numbers.astype(np.int64)

    def _broken(self, what: str) -> BinaryError:
        return BinaryError(f"{self._image.path}: has broken {what} in pclntab; build or copy the program again")


def text_at(table: memoryview, start: int) -> str:
    """Return the name at an offset of a table of names."""
    return bytes(table[start : start + _LONGEST_NAME]).partition(b"\0")[0].decode("utf-8", "replace")
