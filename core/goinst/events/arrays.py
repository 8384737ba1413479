"""Records as numpy arrays: where they are, and their columns, for many of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goinst.events.record import Layout
from goinst.events.ring import BUSY, DISCARD, LENGTH
from goinst.plugin.declare import Column

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


@dataclass(frozen=True, slots=True)
class Table:
    """Records of one layout as rows. ``columns`` are numbers (1-D) or bytes (2-D; what is behind the part that counts
    is anything, and of the last column there may be fewer than it has); ``rows`` which of the records asked for they
    are: those that are whole; ``sent`` how many bytes of the last column each has."""

    columns: Mapping[str, NDArray[Any]]
    rows: NDArray[np.intp]
    sent: NDArray[np.int64]

    @classmethod
    def of(
        cls, layout: Layout, wanted: Iterable[str], data: memoryview, places: NDArray[np.int64], prefix: int
    ) -> Table:
        """The ``wanted`` columns of the records at these places, and of what is in front of them (``prefix`` bytes)
        ``.tgid``, ``.span_id``, and of operations ``.began`` and ``.ended``."""
        starts, ends = places
        kinds = {column.name: (offset, column) for offset, column in zip(layout.offsets, layout.columns, strict=True)}
        last_at, last = kinds[layout.last]
        size = _size(last)
        sent = np.minimum(ends - starts - (prefix + last_at), size)
        wanted = set(wanted)
        if last.name in wanted:
            length = max(int(sent.max(initial=1)), 1)
            width = prefix + last_at + (min(-(-length // 8) * 8, size) if last.type == "bytes" else size)
        else:
            width = max((prefix + kinds[name][0] + _size(kinds[name][1]) for name in wanted), default=prefix)
        whole = (sent >= (0 if last.type == "bytes" else size)) & (starts + width <= len(data))
        rows = np.flatnonzero(whole)
        if len(rows) < len(starts):
            starts, sent = starts[rows], sent[rows]
        # every record begins at a multiple of 8: as items that overlap, so that taking some is copying bytes
        items: NDArray[Any] = np.ndarray(
            (max((len(data) - width) // 8 + 1, 0),), f"V{width}", np.frombuffer(data, np.uint8), strides=(8,)
        )
        table = items[starts >> 3] if len(rows) else np.empty(0, f"V{width}")

        def numbers(at: int, kind: str) -> NDArray[Any]:
            return np.ndarray((len(rows),), kind, table, at, (width,))

        # bpf/event.h, bpf/operation.h
        columns = {".tgid": numbers(4, "<u4"), ".span_id": numbers(8, "<u8")}
        if layout.record.role == "operation":
            columns |= {".began": numbers(40, "<u8"), ".ended": numbers(48, "<u8")}
        for name in wanted:
            at, column = kinds[name]
            if column.type == "bytes":
                part = min(int(column.size), width - prefix - at)
                columns[name] = np.ndarray((len(rows), part), np.uint8, table, prefix + at, (width, 1))
            else:
                columns[name] = numbers(prefix + at, _DTYPES[column.type])
        return cls(columns, rows, sent)


def _size(column: Column) -> int:
    return int(column.size) if column.type == "bytes" else int(_DTYPES[column.type][2])
