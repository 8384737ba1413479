"""Source lines and code, from pclntab: stripping does not remove it.

runtime/symtab.go (funcline1), runtime/symtabinl.go (inlineUnwinder), Go 1.16 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from goinst.binary.arrays import Integers
from goinst.golang.symbols import package_of
from goinst.golang.tables.files import SourceFiles
from goinst.golang.tables.functions import FunctionTable
from goinst.golang.tables.inlining import InlineTrees

__all__ = ["Code", "Lines"]

_DEEPEST = 64  # inlined bodies within each other


class Code(NamedTuple):
    """A run of instructions of one line: ``start`` to ``end`` are addresses; ``function`` is an index.

    ``inlined`` is the number of the inlined body that they belong to, -1 for the function's own code.
    """

    function: int
    inlined: int
    line: int
    start: int
    end: int


class Lines:
    """Which code a line has, and which line code has."""

    def __init__(self, functions: FunctionTable, inlines: InlineTrees, files: SourceFiles) -> None:
        self._functions = functions
        self._inlines = inlines
        self._files = files

    def symbolise(self, address: int) -> tuple[tuple[str, str, int], ...]:
        """Return (function, file, line) of an instruction: the innermost inlined body first, the function last.

        Nothing when it is in no function. Of a return address, subtract 1: it is behind the call.
        """
        index = self._functions.index(address)
        if index is None:
            return ()
        function = self._functions.at(index)
        inlined = self._functions.values(index, "inlined")
        found, offset = [], address - function.entry
        for _ in range(_DEEPEST):
            body = self._inlines.body(index, inlined.at(offset))
            found.append((function.name if body is None else body[0], *self._source(index, offset)))
            if body is None or not 0 <= body[1] < function.end - function.entry:
                break
            offset = body[1]
        return tuple(found)

    def source(self, address: int) -> tuple[str, int] | None:
        """Return the file and line of an instruction; None when it is in no function."""
        index = self._functions.index(address)
        return None if index is None else self._source(index, address - self._functions.at(index).entry)

    def files(self, suffix: str) -> tuple[str, ...]:
        """Return the paths of the source files that end with ``suffix``, as whole parts."""
        return tuple(name for _, name in self._files.ending(suffix))

    def code(self, suffix: str, line: int | None = None) -> Iterator[tuple[str, Code]]:
        """Give the code of a line of the files that end with ``suffix``, with the file's path; of all lines for None.

        Function by function; first the files' own functions, then those into which bodies are inlined.
        """
        for place, name in self._files.ending(suffix):
            indexes, numbers = self._files.users(place)
            number = dict(zip(indexes.tolist(), numbers.tolist(), strict=True))
            own = indexes[self._functions.first_values(indexes, "file") == numbers]
            others = self._holders(own, line)
            for index in dict.fromkeys([*own.tolist(), *(each for each in others if each in number)]):
                for code in self._code(index, number[index]):
                    if line is None or code.line == line:
                        yield name, code

    def _holders(self, own: Integers, line: int | None) -> tuple[int, ...]:
        """Return the functions that hold inlined bodies with the line: of the file's functions, and of functions of its
        package that have no body of their own and so no file that is known."""
        table = self._functions
        packages = {package_of(table.at(index).name) for index in own.tolist()}
        if not packages:
            return tuple(range(len(table.records)))  # nothing but inlined bodies: look everywhere
        inside = [index for index in own.tolist() if line is None or self._reaches(index, line)]
        bodiless = [names[~np.isin(names, table.name_offsets)] for names in map(table.packaged, sorted(packages))]
        return self._inlines.owners(np.concatenate([table.name_offsets[np.array(inside, np.int64)], *bodiless]))

    def _reaches(self, index: int, line: int) -> bool:
        """Say whether a line lies between the first and last line of a function's table."""
        lines = [each for each in self._functions.values(index, "line").values if each > 0]
        return bool(lines) and min(lines) <= line <= max(lines)

    def _code(self, index: int, number: int) -> Iterator[Code]:
        table, entry = self._functions, self._functions.at(index).entry
        files = table.values(index, "file")
        if number not in files.values:
            return
        inlined = table.values(index, "inlined")
        for start, end, line in table.values(index, "line").runs():
            at = start
            while at < end:
                until = min(end, files.end(at), inlined.end(at))
                if files.at(at) == number:
                    yield Code(index, inlined.at(at), line, entry + at, entry + until)
                at = until

    def file_at(self, index: int, offset: int) -> str:
        """Return the file of an instruction of the function at ``index``; empty without one."""
        return self._files.name(index, self._functions.values(index, "file").at(offset))

    def _source(self, index: int, offset: int) -> tuple[str, int]:
        return self.file_at(index, offset), max(self._functions.values(index, "line").at(offset), 0)
