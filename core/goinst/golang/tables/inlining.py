"""What is inlined where, from the inline trees behind .gopclntab; stripping does not remove them.

Layouts: runtime/symtabinl.go (``inlinedCall``), cmd/link/internal/ld/pcln.go, Go 1.16 to 1.27.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from goinst.binary.arrays import Integers
from goinst.binary.elf import Image
from goinst.errors import BinaryError
from goinst.golang.releases import INLINED_CALL_SHORT
from goinst.golang.tables.functions import FunctionTable
from goinst.golang.tables.moduledata import Module

__all__ = ["InlineTrees"]

_INLINE_INDEX = 2  # runtime/symtab.go: _PCDATA_InlTreeIndex
_INLINE_TREE = 3  # runtime/symtab.go: _FUNCDATA_InlTree
_MOST_BODIES = 1 << 16  # inlined into one function
_TREE_SLACK = 1 << 16  # bytes a last inline tree may have


class InlineTrees:
    """The inlined bodies of all functions. BinaryError when the trees are broken."""

    def __init__(self, image: Image, module: Module, functions: FunctionTable) -> None:
        self._image = image
        self._module = module
        self._functions = functions
        # A record's size, and where in it are its function's name and the instruction that the call belongs to.
        self._record, self._name, self._parent = (
            (16, 4, 8) if INLINED_CALL_SHORT.holds(module.version) else (20, 12, 16)
        )

    def body(self, index: int, number: int) -> tuple[str, int] | None:
        """Return an inlined body of the function at ``index`` by its number: its function's name, and the offset in the
        code of an instruction that the call belongs to."""
        owners, trees = self._trees
        at = int(np.searchsorted(owners, index))
        if number < 0 or at >= len(owners) or owners[at] != index:
            return None
        try:
            record = self._image.read(int(trees[at]) + number * self._record, self._record)
        except BinaryError:
            return None
        name, parent = (int.from_bytes(record[start : start + 4], "little") for start in (self._name, self._parent))
        return self._functions.text(name), parent

    def bodies(self, index: int, name: str) -> dict[int, frozenset[int]]:
        """Return the inlined bodies of ``name`` in the function at ``index``: each one's number, with the numbers that
        its instructions have: its own and those of what is inlined into it."""
        values = self._functions.values(index, "inlined")
        parents: dict[int, int] = {}
        pending = {value for value in values.values if value >= 0}
        while pending and len(parents) < _MOST_BODIES:
            number = pending.pop()
            body = self.body(index, number)
            parents[number] = -1 if body is None else values.at(body[1])
            if parents[number] >= 0 and parents[number] not in parents:
                pending.add(parents[number])
        wanted = [number for number in sorted(parents) if (self.body(index, number) or ("",))[0] == name]
        inside = {number: _chain(number, parents) for number in values.values if number >= 0}
        return {body: frozenset(each for each in inside if body in inside[each]) for body in wanted}

    def callers(self, name: str) -> tuple[str, ...]:
        """Return the names of the functions that hold an inlined body of ``name``, by address.

        One pass over all inline trees as an array (some milliseconds), then about 0.1 ms for each copy found.
        """
        return tuple(dict.fromkeys(self._functions.at(owner).name for owner in self.owners_of(name)))

    def owners_of(self, name: str) -> tuple[int, ...]:
        """Return the functions that hold an inlined body of ``name``, rising."""
        offset = self._functions.offset_of(name)
        return self.owners(np.array([] if offset is None else [offset], np.int64))

    def owners(self, names: Integers) -> tuple[int, ...]:
        """Return the functions, rising, that hold an inlined body of a function whose name is at such a place."""
        owners, trees = self._trees
        if not len(names) or not len(trees):
            return ()
        hits = np.flatnonzero(np.isin(self._memory, names)) * 4 + self._start
        starts = np.unique(trees)
        nearest = starts[np.maximum(np.searchsorted(starts, hits - self._name, side="right") - 1, 0)]
        distance = hits - self._name - nearest
        fits = (distance >= 0) & (distance % self._record == 0)
        by_tree = np.argsort(trees, kind="stable")
        found = set()
        for tree, entry in zip(nearest[fits].tolist(), (distance[fits] // self._record).tolist(), strict=True):
            first, last = np.searchsorted(trees[by_tree], [tree, tree + 1])
            for owner in owners[by_tree[first:last]].tolist():
                if owner not in found and entry <= max(self._functions.values(owner, "inlined").values, default=-1):
                    found.add(owner)
        return tuple(sorted(found))

    @cached_property
    def _start(self) -> int:
        return int(self._trees[1].min())

    @cached_property
    def _memory(self) -> npt.NDArray[np.uint32]:
        segment = self._image.segment(self._start)
        if segment is None:
            raise self._broken()
        size = min(int(self._trees[1].max()) + _TREE_SLACK, segment.va + segment.size) - self._start
        return np.frombuffer(self._image.view(self._start, size), "<u4", size // 4)

    @cached_property
    def _trees(self) -> tuple[Integers, Integers]:
        """The functions with inlined bodies, and the address of each one's inline tree."""
        table = self._functions
        records = table.records
        pcdata = table.u32(records + (32 if table.old else 28))
        funcdata = table.u8(records + table.pcdata - 1)
        owners = np.flatnonzero((funcdata > _INLINE_TREE) & (pcdata > _INLINE_INDEX) & (pcdata < 1 << 16))
        first = records[owners] + table.pcdata + 4 * pcdata[owners]
        if table.old:
            first += (first + self._module.pclntab) & 4  # pointers are aligned
            low, high = (table.u32(first + 8 * _INLINE_TREE + part) for part in (0, 4))
            trees = low | high << 32
            present = trees != 0
        else:
            low = table.u32(first + 4 * _INLINE_TREE)
            present = low != 0xFFFFFFFF
            trees = low + self._module.gofunc
        owners, trees = owners[present], trees[present]
        if len(trees):
            segment = self._image.segment(int(trees[0]))
            if segment is None or trees.min() < segment.va or trees.max() >= segment.va + segment.size:
                raise self._broken()
            if np.any(trees % 4):
                raise self._broken()
        return owners, trees

    def _broken(self) -> BinaryError:
        return BinaryError(f"{self._image.path}: has broken inline trees in pclntab; build or copy the program again")


def _chain(number: int, parents: dict[int, int]) -> frozenset[int]:
    """Return a body's number and those of the bodies that it is in."""
    found: set[int] = set()
    while number >= 0 and number not in found:
        found.add(number)
        number = parents.get(number, -1)
    return frozenset(found)
