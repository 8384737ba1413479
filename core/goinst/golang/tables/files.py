"""The source files of a Go program's functions, from .gopclntab: cutab and filetab (cmd/link/internal/ld/pcln.go)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from goinst.binary.arrays import Integers
from goinst.binary.elf import Image
from goinst.golang.tables.functions import FunctionTable, text_at
from goinst.golang.tables.moduledata import Module

__all__ = ["SourceFiles"]

_MOST = 1000


class SourceFiles:
    """Names of source files, by number and by the end of their paths.

    A function's table of files has numbers that count from where its compilation unit starts in cutab; there are the
    places of names.
    """

    def __init__(self, image: Image, module: Module, functions: FunctionTable) -> None:
        self._functions = functions
        self._units = image.view(module.units, module.units_size)
        self._names = image.view(module.files, module.files_size)

    def name(self, index: int, number: int) -> str:
        """Return the path of a file by its number in the table of the function at ``index``; empty without one."""
        at = 4 * (int(self._starts[index]) + number)
        if number < 0 or not 0 <= at <= len(self._units) - 4:
            return ""
        return text_at(self._names, int.from_bytes(self._units[at : at + 4], "little"))

    def ending(self, suffix: str) -> Iterator[tuple[int, str]]:
        """Give the files whose path ends with ``suffix``, as whole parts: place of the name, path."""
        table, wanted = bytes(self._names), suffix.encode() + b"\0"
        at, left = table.find(wanted) if suffix else -1, _MOST
        while at >= 0 and left:
            if at == 0 or table[at - 1] in b"/\0" or suffix.startswith("/"):
                start = table.rfind(b"\0", 0, at) + 1
                yield start, text_at(self._names, start)
                left -= 1
            at = table.find(wanted, at + 1)

    def users(self, place: int) -> tuple[Integers, Integers]:
        """Return the functions whose compilation unit has the file whose name is at ``place``, and its number there."""
        wanted = np.flatnonzero(np.frombuffer(self._units, "<u4") == place)
        starts = np.unique(self._starts)
        if not len(wanted) or not len(starts):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        units = starts[np.maximum(np.searchsorted(starts, wanted, side="right") - 1, 0)]
        indexes = np.flatnonzero(np.isin(self._starts, units))
        order = np.argsort(units)
        at = order[np.searchsorted(units[order], self._starts[indexes])]
        return indexes, wanted[at] - self._starts[indexes]

    @cached_property
    def _starts(self) -> Integers:
        """Where each function's compilation unit starts in cutab, in entries."""
        return self._functions.u32(self._functions.records + (36 if self._functions.old else 32))
