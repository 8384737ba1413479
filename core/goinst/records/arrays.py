"""Records as numpy arrays: where they are, and their columns, for many of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goinst.plugin.layout import OPERATION_AT, Layout
from goinst.plugin.rows import Column
from goinst.records.ring import BUSY, DISCARD, LENGTH

__all__ = ["Table", "places"]

_DTYPES = {"u8": "<u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "i32": "<i4", "i64": "<i8"}
_ALIKE = 4  # so many records of one length in a row, and it is worth while to look for the end of the row at once
_NOWHERE: NDArray[np.int64] = np.empty(0, np.int64)


def places(data: memoryview, position: int, produced: int, mask: int, limit: int) -> tuple[Any, int]:
    """As ``ring.walk``, in an array of two rows: starts and ends."""
    base = position & mask
    at, end = base >> 2, (base + produced - position) >> 2  # in words of 32 bits; the data is mapped twice in a row
    array = np.frombuffer(data, "<u4", len(data) >> 2)
    words = data[: len(data) & ~3].cast("I")
    pieces: list[NDArray[np.int64]] = []
    found: list[int] = []
    taken, alike, before = 0, 0, -1
    while at < end and taken < limit:
        header = words[at]
        if header & BUSY:
            break
        step = (((header & LENGTH) + 15) & ~7) >> 2
        if header & DISCARD:
            at += step
            continue
        alike = alike + 1 if header == before else 0
        before = header
        if alike < _ALIKE:
            found.append(at)
            taken += 1
            at += step
            continue
        alike = 0
        same = array[at:end:step] == header
        count = min(len(same) if same.all() else int(same.argmin()), limit - taken)
        pieces += (np.array(found, np.int64), np.arange(at, at + count * step, step))
        found = []
        taken += count
        at += count * step
    heads = np.concatenate((*pieces, np.array(found, np.int64))) if taken else _NOWHERE
    starts = (heads << 2) + 8
    return np.stack((starts, starts + (array[heads] & LENGTH))), position + (at << 2) - base


class Table(Mapping[str, NDArray[Any]]):
    """Records of one layout as columns by name, each made when it is first asked for: numbers (1-D), or bytes (2-D, as
    wide as the longest of them; what is behind the part that counts is anything). In front of a record's own columns
    are ``.tgid``, ``.span_id``, and of an operation ``.began`` and ``.ended``.

    ``rows`` are which of the records asked for they are: those that are whole; ``sent`` is how many bytes of the last
    column each has. The data must stay as long as columns are asked for.
    """

    def __init__(self, layout: Layout, data: memoryview, places: NDArray[np.int64], prefix: int) -> None:
        starts, ends = places
        self._kinds = {
            column.name: (prefix + offset, column)
            for offset, column in zip(layout.offsets, layout.columns, strict=True)
        }
        at, last = self._kinds[layout.last]
        size = _size(last)
        sent = np.minimum(ends - starts - at, size)
        width = at + min(-(-max(int(sent.max(initial=1)), 1) // 8) * 8, size)
        whole = (sent >= (0 if last.type == "bytes" else size)) & (starts + width <= len(data))
        self.rows = np.flatnonzero(whole)
        self.sent = sent[self.rows]
        self._last = layout.last
        self._data = np.frombuffer(data, np.uint8)
        self._at = starts[self.rows] >> 3
        self._heads = {".tgid": (OPERATION_AT["head.tgid"], "<u4"), ".span_id": (OPERATION_AT["head.span_id"], "<u8")}
        if layout.record.role == "operation":
            self._heads |= {".began": (OPERATION_AT["start"], "<u8"), ".ended": (OPERATION_AT["end"], "<u8")}
        self._heads |= {
            name: (at, _DTYPES[column.type]) for name, (at, column) in self._kinds.items() if column.type != "bytes"
        }
        self._head: NDArray[Any] | None = None
        self._made: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._number(*self._heads[name]) if name in self._heads else self._text(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter((*self._heads, *(name for name in self._kinds if name not in self._heads)))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def _number(self, at: int, kind: str) -> NDArray[Any]:
        if self._head is None:
            self._head = self._take(0, max(at + int(kind[2]) for at, kind in self._heads.values()))
        return np.ndarray((len(self.rows),), kind, self._head, at, (self._head.itemsize,))

    def _text(self, name: str) -> NDArray[Any]:
        at, column = self._kinds[name]
        width, length = int(column.size), f"{name}_length"
        if name == self._last:
            width = min(width, -(-max(int(self.sent.max(initial=1)), 1) // 8) * 8)
        elif length in self._heads:
            width = min(width, -(-max(int(self[length].max(initial=1)), 1) // 32) * 32)
        return self._take(at, width).view(np.uint8).reshape(len(self.rows), width)

    def _take(self, at: int, width: int) -> NDArray[Any]:
        """``width`` bytes of each record. Every one begins at a multiple of 8: as items that overlap, so that taking
        some is copying bytes."""
        count = max((len(self._data) - at - width) // 8 + 1, 0)
        items: NDArray[Any] = np.ndarray((count,), f"V{width}", self._data, at, (8,))
        return items[self._at] if len(self._at) else np.empty(0, f"V{width}")


def _size(column: Column) -> int:
    return int(column.size) if column.type == "bytes" else int(_DTYPES[column.type][2])
