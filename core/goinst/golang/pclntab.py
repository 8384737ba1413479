"""Functions from .gopclntab: names, bounds and what is inlined where; stripping does not remove it.

Layouts: runtime/symtab.go and runtime/runtime2.go (``_func``), cmd/link/internal/ld/pcln.go, Go 1.16 to 1.27.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from goinst.errors import BinaryError, UsageError
from goinst.golang.elf import Image
from goinst.golang.model import Function
from goinst.golang.moduledata import Module

__all__ = ["FunctionTable"]

Integers = npt.NDArray[np.int64]

_INLINE_INDEX = 2  # runtime/symtab.go: _PCDATA_InlTreeIndex
_INLINE_TREE = 3  # runtime/symtab.go: _FUNCDATA_InlTree
_LONGEST_NAME = 1 << 16
_TREE_SLACK = 1 << 16  # bytes a last inline tree may have


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
        self._old = module.version < (1, 18)  # entries are addresses instead of text offsets
        self._id_offset = 36 if (1, 18) <= module.version < (1, 20) else 40
        self._pcdata_offset = 40 if (1, 18) <= module.version < (1, 20) else 44

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
        indexes = np.flatnonzero(np.isin(self._name_offsets, np.array(offsets, np.int64)))
        return tuple(self._function(int(index)) for index in indexes)

    def containing(self, va: int) -> Function | None:
        """Return the function whose body, padding included, holds the address ``va``."""
        if not self._module.min_pc <= va < self._module.max_pc:
            return None
        index = int(np.searchsorted(self._entries, va, side="right")) - 1
        return self._function(index) if 0 <= index < self._module.functions else None

    def argument_bytes(self, function: Function) -> int:
        """Return how much stack a function's arguments take: those that are passed on the stack, results on the stack,
        and room for its caller's registers that hold arguments; negative when it depends on the call.

        It is ArgWidth of cmd/compile/internal/abi/abiutils.go; the assembler has it from the TEXT directive.
        """
        index = int(np.searchsorted(self._entries, function.entry))
        size = int(self._u32(self._records[[index]] + (12 if self._old else 8))[0])
        return size - (size >> 31 << 32)

    def inlined_callers(self, name: str) -> tuple[str, ...]:
        """Return the names of the functions that hold an inlined body of ``name``, by address.

        One pass over all inline trees as an array (some milliseconds), then about 0.1 ms for each copy found.
        """
        offset = self._offset_of(name)
        owners, trees = self._inline_trees
        if offset is None or not len(trees):
            return ()
        start = int(trees.min())
        segment = self._image.segment(start)
        if segment is None:
            raise self._broken("inline trees")
        size = min(int(trees.max()) + _TREE_SLACK, segment.va + segment.size) - start
        memory = np.frombuffer(self._image.view(start, size), "<u4", size // 4)
        hits = np.flatnonzero(memory == offset) * 4 + start
        record, field = (16, 4) if self._module.version >= (1, 20) else (20, 12)
        starts = np.unique(trees)
        nearest = starts[np.maximum(np.searchsorted(starts, hits - field, side="right") - 1, 0)]
        distance = hits - field - nearest
        fits = (distance >= 0) & (distance % record == 0)
        callers = set()
        for tree, entry in zip(nearest[fits].tolist(), (distance[fits] // record).tolist(), strict=True):
            for owner in owners[trees == tree].tolist():
                if owner not in callers and entry <= self._last_inlined(owner):
                    callers.add(owner)
        return tuple(dict.fromkeys(self._name(owner) for owner in sorted(callers)))

    # Arrays, one element per function

    @cached_property
    def _rows(self) -> Integers:
        """The functab: (entry, record offset) rows and the end's row."""
        kind = np.dtype("<u8" if self._old else "<u4")
        start = self._module.functab - self._module.pclntab
        count = 2 * self._module.functions + 1
        if start + count * kind.itemsize > len(self._bytes):
            raise self._broken("function table")
        flat = self._bytes[start : start + count * kind.itemsize].view(kind).astype(np.int64)
        return np.append(flat, 0).reshape(-1, 2)

    @cached_property
    def _entries(self) -> Integers:
        """Where each function starts; one more than there are functions, rising."""
        offsets = np.ascontiguousarray(self._rows[:, 0])
        if self._old:
            entries = offsets
        else:
            entries = offsets + self._module.text
            for section in self._module.text_sections:  # runtime/symtab.go: (*moduledata).textAddr
                inside = (offsets >= section.start) & (offsets < section.end)
                entries[inside] = offsets[inside] - section.start + section.base
        if np.any(np.diff(entries) < 0):
            raise self._broken("function table")
        return entries

    @cached_property
    def _records(self) -> Integers:
        """Where each function's ``_func`` is in the table."""
        return self._rows[:-1, 1] + (self._module.functab - self._module.pclntab)

    @cached_property
    def _name_offsets(self) -> Integers:
        return self._u32(self._records + (8 if self._old else 4))

    @cached_property
    def _wrapper_id(self) -> int:
        """The funcID of compiler-made wrappers. It moves between releases and is the most frequent but
        zero.
        """
        ids = self._ids(np.arange(self._module.functions))
        return int(np.bincount(ids[ids > 0], minlength=1).argmax())

    @cached_property
    def _inline_trees(self) -> tuple[Integers, Integers]:
        """The functions with inlined bodies, and the address of each one's inline tree."""
        records = self._records
        pcdata = self._u32(records + (32 if self._old else 28))
        funcdata = self._u8(records + self._pcdata_offset - 1)
        owners = np.flatnonzero((funcdata > _INLINE_TREE) & (pcdata > _INLINE_INDEX) & (pcdata < 1 << 16))
        first = records[owners] + self._pcdata_offset + 4 * pcdata[owners]
        if self._old:
            first += (first + self._module.pclntab) & 4  # pointers are aligned
            low, high = (self._u32(first + 8 * _INLINE_TREE + part) for part in (0, 4))
            trees = low | high << 32
            present = trees != 0
        else:
            low = self._u32(first + 4 * _INLINE_TREE)
            present = low != 0xFFFFFFFF
            trees = low + self._module.gofunc
        owners, trees = owners[present], trees[present]
        if len(trees):
            segment = self._image.segment(int(trees[0]))
            if segment is None or trees.min() < segment.va or trees.max() >= segment.va + segment.size:
                raise self._broken("inline trees")
            if np.any(trees % 4):
                raise self._broken("inline trees")
        return owners, trees

    # One function

    def _function(self, index: int, name: str = "") -> Function:
        return Function(name or self._name(index), int(self._entries[index]), int(self._entries[index + 1]))

    def _name(self, index: int) -> str:
        start = int(self._name_offsets[index])
        text = bytes(self._names[start : start + _LONGEST_NAME])
        return text.partition(b"\0")[0].decode("utf-8", "replace")

    def _indexes(self, name: str) -> Integers:
        offset = self._offset_of(name)
        return np.flatnonzero(self._name_offsets == (-1 if offset is None else offset))

    def _offset_of(self, name: str) -> int | None:
        """Return where the name table has ``name``, as a whole entry."""
        wanted = name.encode() + b"\0"
        if bytes(self._names[: len(wanted)]) == wanted:
            return 0
        segment_start = self._image.file_offset(self._module.names)
        if segment_start is None or "\0" in name or not name:
            return None
        at = self._image.map.find(b"\0" + wanted, segment_start, segment_start + self._module.names_size)
        return None if at < 0 else at + 1 - segment_start

    def _last_inlined(self, index: int) -> int:
        """Return the highest inline tree index that the function's code refers to, or -1."""
        record = int(self._records[index])
        at = int(self._u32(np.array([record + self._pcdata_offset + 4 * _INLINE_INDEX]))[0])
        if not at:
            return -1
        start = at + self._module.pctab - self._module.pclntab
        size = int(self._entries[index + 1] - self._entries[index])
        last = value = -1
        pc = 0
        for delta, step in _pairs(bytes(self._bytes[start : start + 10 * size + 10])):
            value += delta
            last = max(last, value)
            pc += step * self._module.quantum
            if pc >= size:
                break
        return last

    # Bytes of many records at once

    def _ids(self, indexes: Integers) -> Integers:
        return self._u8(self._records[indexes] + self._id_offset)

    def _u8(self, at: Integers) -> Integers:
        if len(at) and (at.min() < 0 or at.max() >= len(self._bytes)):
            raise self._broken("function records")
        return self._bytes[at].astype(np.int64)

    def _u32(self, at: Integers) -> Integers:
        if len(at) and (at.min() < 0 or at.max() + 4 > len(self._bytes)):
            raise self._broken("function records")
        numbers: npt.NDArray[np.uint32] = self._bytes[at[:, None] + np.arange(4)].view("<u4").ravel()
        return numbers.astype(np.int64)

    def _broken(self, what: str) -> BinaryError:
        return BinaryError(f"{self._image.path}: has broken {what} in pclntab; build or copy the program again")


def _pairs(table: bytes) -> Iterator[tuple[int, int]]:
    """Give (value delta, pc delta) of a pc-value table (runtime/symtab.go: step).

    Two varints each, the first zigzag-coded; a zero value delta ends the table, unless it is the first.
    """
    numbers: list[int] = []
    number = shift = 0
    first = True
    for byte in table:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte >= 0x80 and shift < 35:
            continue
        if not numbers and not number and not first:
            return
        numbers.append(number)
        number = shift = 0
        if len(numbers) == 2:
            yield numbers[0] >> 1 ^ -(numbers[0] & 1), numbers[1]
            numbers.clear()
            first = False
