"""The kernel's BPF ring buffer, mapped and read in place (kernel/bpf/ringbuf.c).

Page 0 holds the consumer's position and is ours to write; page 1 the producer's; then comes the data, mapped twice in a
row, so that a record never wraps. A record is an 8-byte header (length with BUSY and DISCARD in the top bits, page
offset) and its data, rounded up to 8.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["Ring", "Slab", "walk"]

_HEADER = 8
BUSY, DISCARD, LENGTH = 1 << 31, 1 << 30, (1 << 30) - 1
_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")
_Found = TypeVar("_Found")
# as ``walk``
Walk = Callable[[memoryview, int, int, int, int], tuple[_Found, int]]


class Ring:
    """A mapped ring buffer of ``size`` bytes (a power of two). Take records, then give the space back."""

    def __init__(self, descriptor: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self._consumer = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._map = mmap.mmap(descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self.data = memoryview(self._map)[page:]
        self._position = self._taken = _U64.unpack_from(self._consumer, 0)[0]
        self.high_water = 0

    def take(self, limit: int = 8192) -> list[tuple[int, int]]:
        """Up to ``limit`` finished records as (start, end) in ``data``, in the order they were reserved. They stay
        valid until ``release``.

        The producer position is read once; a record behind it whose BUSY bit is set is still being written and ends
        the batch, so the order of the stores is the kernel's (smp_store_release of the header).
        """
        return self.take_by(walk, limit)

    def take_by(self, find: Walk[_Found], limit: int) -> _Found:
        """``take`` with another way to find the records."""
        produced = _U64.unpack_from(self._map, 0)[0]
        waiting = produced - self._position
        if waiting > self.high_water:
            self.high_water = waiting
        self._taken = self._position
        found, self._position = find(self.data, self._position, produced, self._size - 1, limit)
        return found

    def slab(self) -> memoryview:
        """The bytes that the last ``take`` went over, headers and all, in one piece (see ``Slab``)."""
        at = self._taken & (self._size - 1)
        return self.data[at : at + self._position - self._taken]

    def release(self) -> None:
        """Give the space of all taken records back to the producers."""
        _U64.pack_into(self._consumer, 0, self._position)

    @property
    def waiting(self) -> float:
        """How full the ring is, 0 to 1."""
        produced: int = _U64.unpack_from(self._map, 0)[0]
        share: float = (produced - self._position) / self._size
        return share

    def close(self) -> None:
        """Unmap; what somebody still looks at (an exception's traceback, for one) goes when it does."""
        for part in (self.data.release, self._map.close, self._consumer.close):
            with suppress(BufferError):
                part()


class Slab:
    """A stretch of a ring buffer that was copied out of it, to be taken from like the ring itself."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self._position = 0

    def take(self, limit: int = 8192) -> list[tuple[int, int]]:
        """As ``Ring.take``. ``struct.error`` when a record is not there as a whole."""
        return self.take_by(walk, limit)

    def take_by(self, find: Walk[_Found], limit: int) -> _Found:
        """As ``Ring.take_by``; ``struct.error`` likewise."""
        found, self._position = find(self.data, self._position, len(self.data), -1, limit)
        if self._position > len(self.data):
            raise struct.error("the last record is cut")
        return found

    def release(self) -> None:
        """Nothing to give back."""


def walk(data: memoryview, position: int, produced: int, mask: int, limit: int) -> tuple[list[tuple[int, int]], int]:
    """Finished records between two positions, as (start, end), and the position behind the last. At most ``limit``;
    ``mask`` makes places in the data of positions."""
    unpack = _U32.unpack_from
    found: list[tuple[int, int]] = []
    append = found.append
    while position < produced and limit > 0:
        at = position & mask
        (header,) = unpack(data, at)
        if header & BUSY:
            break
        length = header & LENGTH
        if not header & DISCARD:
            append((at + _HEADER, at + _HEADER + length))
            limit -= 1
        position += (length + _HEADER + 7) & ~7
    return found, position
