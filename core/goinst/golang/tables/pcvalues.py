"""Tables by program counter in pclntab: line, file, stack depth, inlined body (runtime/symtab.go: pcvalue)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["PcValues", "pairs"]

_FAR = 1 << 62


class PcValues(NamedTuple):
    """Values of one function: ``values[n]`` holds from the previous of ``ends`` up to ``ends[n]``, in bytes from the
    function's start."""

    ends: tuple[int, ...]
    values: tuple[int, ...]

    @classmethod
    def decode(cls, table: bytes, size: int, quantum: int) -> PcValues:
        """Decode what belongs to ``size`` bytes of code."""
        ends, values = [], []
        value, pc = -1, 0
        for delta, step in pairs(table):
            value += delta
            pc += step * quantum
            ends.append(pc)
            values.append(value)
            if pc >= size:
                break
        return cls(tuple(ends), tuple(values))

    def at(self, offset: int) -> int:
        """Return the value at an offset from the function's start; -1 outside."""
        index = bisect_right(self.ends, offset)
        return self.values[index] if offset >= 0 and index < len(self.values) else -1

    def end(self, offset: int) -> int:
        """Return where the value at an offset ends to hold; far away behind the last one."""
        index = bisect_right(self.ends, offset)
        return self.ends[index] if index < len(self.ends) else _FAR

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Give (start, end, value)."""
        start = 0
        for end, value in zip(self.ends, self.values, strict=True):
            yield start, end, value
            start = end


def pairs(table: bytes) -> Iterator[tuple[int, int]]:
    """Give (value delta, pc delta) of a table (runtime/symtab.go: step).

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
