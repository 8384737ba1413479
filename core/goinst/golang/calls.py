"""All direct calls of a program, found without decoding it: who calls whom."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from goinst.binary.arrays import Integers
from goinst.binary.elf import Image
from goinst.binary.machine.steps import turns_back
from goinst.golang.tables.functions import FunctionTable

__all__ = ["Calls"]

_PIECE = 1 << 24  # bytes that are looked at at once; a multiple of an instruction of arm64
_CALL = 5  # bytes of a call of amd64
_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)  # lea reg, [rip + ...]


class Calls:
    """Calls by what is called. On amd64 there are some that are none: bytes in the middle of other instructions."""

    def __init__(self, image: Image, functions: FunctionTable) -> None:
        self._image = image
        self._entries = functions.entries

    def owners(self, targets: Iterable[int], *, again: bool = False) -> list[int]:
        """The functions that call one of these, by index; with ``again``, only those that seem to jump back from behind
        such a call to before it."""
        order, called = self._by_target
        wanted = np.sort(np.fromiter(targets, np.int64))
        firsts, lasts = (np.searchsorted(called, wanted, side=side) for side in ("left", "right"))
        ranges = [
            order[first:last] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True) if first < last
        ]
        if not ranges:
            return []
        hits = np.sort(self._calls[0][np.concatenate(ranges)])
        owners, firsts = np.unique(np.searchsorted(self._entries, hits, side="right") - 1, return_index=True)
        if not again:
            return [int(index) for index in owners]
        groups = zip(owners.tolist(), np.split(hits, firsts[1:]), strict=True)
        return [index for index, places in groups if self._turns_back(index, places)]

    def _turns_back(self, index: int, places: Integers) -> bool:
        """Whether some bytes of a function look like a jump over one of these places to before it."""
        start, end = self._bounds(index)
        sources, targets = turns_back(self._image.arch, self._image.read(start, end - start))
        places = (places - start)[:, None]
        return bool(np.any((sources >= places) & (targets <= places)))

    def of(self, entry: int) -> list[int]:
        """What the function at an address calls."""
        at, called = self._calls
        index = int(np.searchsorted(self._entries, entry))
        first, last = np.searchsorted(at, self._entries[index : index + 2])
        return [int(target) for target in called[first:last]]

    def addresses(self, index: int) -> list[int]:
        """The addresses that a function computes; and some that it does not."""
        start, end = self._bounds(index)
        code = self._image.read(start, end - start)
        if self._image.arch == "amd64":
            found = ((at.end() + 4, code[at.end() : at.end() + 4]) for at in _LEA.finditer(code))
            return [start + after + int.from_bytes(offset, "little", signed=True) for after, offset in found]
        words = np.frombuffer(code, "<u4", len(code) // 4).astype(np.int64)
        pages, adds = words[:-1], words[1:]
        pairs = np.flatnonzero(
            (pages & 0x9F000000 == 0x90000000) & (adds & 0xFFC00000 == 0x91000000) & (pages & 31 == adds >> 5 & 31)
        )
        pages, adds = pages[pairs], adds[pairs]
        offsets = ((pages >> 5 & 0x7FFFF) << 45 >> 43 | pages >> 29 & 3) << 12
        found = ((start + 4 * pairs) & ~0xFFF) + offsets + (adds >> 10 & 0xFFF)
        return [int(address) for address in found]

    @cached_property
    def _by_target(self) -> tuple[Integers, Integers]:
        """The calls in order of what they call: their numbers, and that."""
        _, called = self._calls
        order = np.argsort(called)
        return order, called[order]

    @cached_property
    def _calls(self) -> tuple[Integers, Integers]:
        """All direct calls: where, and what they call. Some that are none: bytes of other instructions."""
        start, end = int(self._entries[0]), int(self._entries[-1])
        pieces = []
        for at in range(start, end, _PIECE):
            places, called = self._calls_in(at, min(at + _PIECE, end), end)
            inside = (called >= start) & (called < end)
            pieces.append((places[inside], called[inside]))
            self._image.release(at, min(_PIECE, end - at))
        places, called = (np.concatenate(side) for side in zip(*pieces, strict=True))
        return places, called

    def _calls_in(self, start: int, end: int, last: int) -> tuple[Integers, Integers]:
        """Those that begin in a piece of the code, which ends at ``last``."""
        text = self._image.view(start, min(end + _CALL - 1, last) - start)
        if self._image.arch == "arm64":
            words = np.frombuffer(text, "<u4", (end - start) // 4)
            places = np.flatnonzero(words & 0xFC000000 == 0x94000000)
            offsets = (words[places].astype(np.int64) << 38 >> 38) * 4
            return places * 4 + start, places * 4 + start + offsets
        code = np.frombuffer(text, np.uint8)
        places = np.flatnonzero(code[: max(len(code) - _CALL + 1, 0)] == 0xE8)
        offsets = np.zeros(len(places), np.uint32)
        for number in range(4):
            offsets |= code[places + 1 + number].astype(np.uint32) << 8 * number
        return places + start, places + start + _CALL + offsets.view(np.int32)

    def _bounds(self, index: int) -> tuple[int, int]:
        return int(self._entries[index]), int(self._entries[index + 1])
