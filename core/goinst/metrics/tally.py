"""Records to metrics without a span for each: those that fall into one series are counted at once.

A plugin says (``Series``) which columns of a record decide on its series. Of the records that have the same there, one
is decoded by the plugin's own decoder and measured as any span; so names and values are those that spans would have
had. All the others only add to its histograms. What says nothing, or does not come out as it says, is decoded one by
one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goinst.metrics.conventions import BYTES, SECONDS
from goinst.metrics.series_keys import Decides, keys_of
from goinst.metrics.store import Addition, MetricStore, Point
from goinst.plugin.layout import HEAD, OPERATION_SIZE, Layout
from goinst.records.arrays import Table, places
from goinst.records.correlate import BEGAN, Correlator, Fact
from goinst.records.ring import Ring, Slab
from goinst.spans.span import Span

__all__ = ["Tally"]

_REMEMBERED = 16384
_ONE_BY_ONE, _COUNTED, _NEW = -1, -2, -3
_EXEMPLAR_NS = 1_000_000_000
_WORTH_IT = 64  # fewer records are decoded sooner than arrays are made of them
_BATCH = 8192
_Places = NDArray[np.int64]


@dataclass(slots=True)
class _Group:
    """What the records of one key add to: series of durations, and series of sizes with the column that has them."""

    durations: list[Point] = field(default_factory=list)
    sizes: list[tuple[str, Point]] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """Groups of one layout and service, by key; their numbers are places in ``groups``."""

    numbers: dict[Any, int] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)


class Tally:
    """Counts the records of one correlator in ``store``, in the thread of its own ``drain``."""

    def __init__(self, correlator: Correlator, store: MetricStore) -> None:
        self._correlator = correlator
        self._store = store
        self._decides = {kind: Decides.of(layout) for kind, layout in correlator.layouts.items()}
        self._known: dict[tuple[int, str], _Known] = {}
        self._data = memoryview(b"")
        self._spans: Counter[str] = Counter()

    def drain(self, ring: Ring, limit: int = _BATCH) -> tuple[int, Counter[str]]:
        """Take records and count them; (number of records taken, spans by plugin)."""
        found = ring.take_by(places, limit)
        if not found.size:
            return 0, Counter()
        self._correlator.show(ring, found.T.tolist() if self._correlator.tapped else ())
        spans = self._count(ring.data, found)
        ring.release()
        return found.shape[1], spans

    def replay(self, slab: Slab, wall: int, now: int, seed: int) -> Counter[str]:
        """Count a batch that was recorded at another time; ``struct.error`` when it is not whole."""
        self._correlator.clock.turn(wall, now, seed)
        return self._count(slab.data, slab.take_by(places, 1 << 30))

    def finish(self) -> Counter[str]:
        """Count the spans that decoders still hold."""
        self._spans = Counter()
        self._add(self._correlator.finish())
        return self._spans

    def _count(self, data: memoryview, found: _Places) -> Counter[str]:
        self._data, self._spans = data, Counter()
        types = np.frombuffer(data, "<u2", len(data) >> 1)[found[0] >> 1]
        layouts = {kind: self._correlator.layouts.get(kind) for kind in np.unique(types).tolist()}
        by_role: dict[str, list[tuple[Layout, NDArray[np.intp]]]] = {"operation": [], "fact": [], "span": []}
        for kind, layout in layouts.items():
            if layout is not None:
                by_role[layout.record.role].append((layout, np.flatnonzero(types == kind)))
        alone = np.ones(len(types), bool)  # decoded one by one
        if BEGAN in layouts:  # before anything is said of a process under its pid
            first = types == BEGAN
            self._correlator.spans(data, found[:, first].T.tolist())
            alone &= ~first
        if len(types) >= _WORTH_IT and self._in_order(found[0], by_role):
            for layout, at in by_role["fact"]:
                alone[at[self._facts(layout, found[:, at])]] = False
            for layout, at in by_role["operation"]:
                if (decides := self._decides[layout.type]) is not None:
                    alone[at[self._operations(layout, decides, found[:, at])]] = False
        rest = np.flatnonzero(alone)
        if len(rest):
            self._add(self._correlator.spans(data, found[:, rest].T.tolist()))
        self._data = memoryview(b"")  # or the ring could not be unmapped
        return self._spans

    def _in_order(self, starts: NDArray[np.int64], by_role: dict[str, list[tuple[Layout, NDArray[np.intp]]]]) -> bool:
        """Whether no fact lies behind its operation: then facts can be taken first."""
        if not by_role["fact"] or not by_role["operation"]:
            return True
        ids = np.frombuffer(self._data, "<u8", len(self._data) >> 3)[(starts + 8) >> 3]
        facts, ends = (np.concatenate([at for _, at in by_role[role]]) for role in ("fact", "operation"))
        ends = ends[np.argsort(ids[ends])]
        near = np.minimum(np.searchsorted(ids[ends], ids[facts]), len(ends) - 1)
        return not bool(((ids[ends[near]] == ids[facts]) & (ends[near] < facts)).any())

    def _add(self, spans: Sequence[Span]) -> None:
        self._store.add(spans)
        self._spans.update([span.plugin for span in spans])

    def _facts(self, layout: Layout, found: _Places) -> NDArray[np.intp]:
        """Keep them for their operations, with their keys; which could be read."""
        decides, data, hold = self._decides[layout.type], self._data, self._correlator.hold
        table = Table(layout, data, found, HEAD.size)
        keys: list[bytes | None] = [None] * len(table.rows)
        if decides is not None:
            kind = layout.type.to_bytes(2, "little")
            keys = [kind + key for key in keys_of(decides, layout.last, table)[0]]
        starts, ends = found[:, table.rows].tolist()
        for span_id, start, end, key in zip(table[".span_id"].tolist(), starts, ends, keys, strict=True):
            hold(span_id, (layout, bytes(data[start + HEAD.size : end]), key))
        return table.rows

    def _operations(self, layout: Layout, decides: Decides, found: _Places) -> NDArray[np.intp]:
        """Count those that can be; which they are."""
        table = Table(layout, self._data, found, OPERATION_SIZE)
        keys, plain = keys_of(decides, layout.last, table)
        waiting = self._correlator.facts
        if waiting:
            told = [waiting.get(one) for one in table[".span_id"].tolist()]
            keys = [key if facts is None else _with(key, facts) for key, facts in zip(keys, told, strict=True)]
            plain &= np.fromiter((key is not None for key in keys), bool, len(keys))
        counted = np.zeros(len(table.rows), bool)
        processes = table[".tgid"]
        for process in np.unique(processes).tolist():
            rows = np.flatnonzero((processes == process) & plain)
            if len(rows):
                counted[rows[self._process(layout, found, table, keys, rows, process)]] = True
        if waiting:
            for span_id in table[".span_id"][counted].tolist():
                waiting.pop(span_id, None)
        return table.rows[counted]

    def _process(
        self, layout: Layout, found: _Places, table: Table, keys: Sequence[Any], rows: NDArray[np.intp], process: int
    ) -> NDArray[np.bool_]:
        """Count these rows of the table, all of one process; which were counted."""
        service = str(self._correlator.resource(process).attributes.get("service.name", "unknown"))
        known = self._known.setdefault((layout.type, service), _Known())
        if len(known.numbers) > _REMEMBERED:
            known.numbers.clear()
            known.groups.clear()
        chosen = keys if len(rows) == len(keys) else [keys[row] for row in rows.tolist()]
        array = np.fromiter(map(known.numbers.get, chosen, repeat(_NEW)), np.intp, len(chosen))
        decoded: dict[int, Span] = {}
        for at in np.flatnonzero(array == _NEW).tolist():
            key = chosen[at]
            if (number := known.numbers.get(key)) is None:
                row = int(rows[at])
                number, spans = self._learn(layout, table, row, found, known)
                known.numbers[key] = number
                if number == _ONE_BY_ONE:
                    self._add(spans)
                    number = _COUNTED
                else:
                    decoded[row] = spans[0]
            array[at] = number
        fast = np.flatnonzero(array >= 0)
        if len(fast):
            self._fold(known, array[fast], table, rows[fast], found, decoded)
            self._spans[layout.plugin] += len(fast)
        counted: NDArray[np.bool_] = array != _ONE_BY_ONE
        return counted

    def _decode(self, table: Table, row: int, found: _Places) -> list[Span]:
        start, end = found[:, table.rows[row]].tolist()
        return self._correlator.spans(self._data, ((start, end),))

    def _learn(self, layout: Layout, table: Table, row: int, found: _Places, known: _Known) -> tuple[int, list[Span]]:
        """Decode one record: the number of its group, and its spans. It has no group when what it adds to cannot be
        told from its columns, or when something is lost with it: losses are counted for each."""
        lost = self._correlator.losses.total()
        spans = self._decode(table, row, found)
        if len(spans) != 1 or self._correlator.losses.total() != lost:
            return _ONE_BY_ONE, spans
        (span,) = spans
        measured = self._store.series(span)
        if measured is None:
            return _ONE_BY_ONE, spans
        series, columns = layout.record.series, table
        assert series is not None
        took = max(int(columns[".ended"][row]) - int(columns[".began"][row]), 0)
        group = _Group()
        for instrument, point, value in measured:
            column = series.sizes.get(instrument.size)
            if not instrument.size and span.duration_ns == took and (series.name or not instrument.named):
                group.durations.append(point)
            elif column is not None and columns[column][row] == value:
                group.sizes.append((column, point))
            else:
                return _ONE_BY_ONE, spans
        known.groups.append(group)
        return len(known.groups) - 1, spans

    def _fold(
        self, known: _Known, numbers: NDArray[np.intp], table: Table, rows: NDArray[np.intp], found: _Places,
        decoded: dict[int, Span],
    ) -> None:  # fmt: skip
        """Add rows to the histograms of their groups."""
        used, inverse = np.unique(numbers, return_inverse=True)
        groups = [known.groups[number] for number in used.tolist()]
        began, ended = table[".began"][rows], table[".ended"][rows]
        took = np.where(ended > began, ended - began, 0).astype(np.int64) / 1e9
        additions: list[Addition] = []
        shown: list[tuple[Point, int, Span]] = []
        now = self._correlator.clock.now
        cells, sums, where = _histograms(inverse, len(groups), took, SECONDS)
        for number, group in enumerate(groups):
            counts = cells[number].tolist()
            additions += [(point, counts, sums[number]) for point in group.durations]
            for bucket, point in product(np.flatnonzero(cells[number]).tolist(), group.durations):
                old = point.exemplars[bucket]
                if old is None or now - old[3] > _EXEMPLAR_NS:
                    row = int(rows[np.flatnonzero(where == number * len(counts) + bucket)[-1]])
                    spans = [decoded[row]] if row in decoded else self._decode(table, row, found)
                    shown += [(point, bucket, span) for span in spans[:1]]
        for column in {column for group in groups for column, _ in group.sizes}:
            of = [dict(group.sizes).get(column) for group in groups]
            having = np.flatnonzero(np.array([point is not None for point in of])[inverse])
            cells, sums, _ = _histograms(inverse[having], len(groups), table[column][rows[having]], BYTES)
            additions += [(point, cells[n].tolist(), sums[n]) for n, point in enumerate(of) if point is not None]
        self._store.fold(additions, shown)


def _histograms(
    groups: NDArray[np.intp], count: int, values: NDArray[Any], bounds: Sequence[float]
) -> tuple[NDArray[np.intp], list[float], NDArray[np.intp]]:
    """Buckets by group, sums by group, and the cell of each value."""
    buckets = len(bounds) + 1
    at = groups * buckets + np.searchsorted(bounds, values)
    cells = np.bincount(at, minlength=count * buckets).reshape(count, buckets)
    return cells, np.bincount(groups, values, count).tolist(), at


def _with(key: bytes, facts: Sequence[Fact]) -> Any:
    """The key of an operation with facts; None when one of them has none."""
    known = [fact[2] for fact in facts]
    return None if None in known else (key, *known)
