"""Records to spans: an operation's record is a span; facts that were sent for it come first and are merged in."""

from __future__ import annotations

import random
import struct
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from goinst.plugin.layout import HEAD, OPERATION, OPERATION_SIZE, Layout
from goinst.records.observer import Tap
from goinst.records.ring import Ring, Slab
from goinst.spans.memory import Memory
from goinst.spans.span import Clock, DecodeContext, Resource, Span

__all__ = ["BEGAN", "Correlator", "Fact"]

_PENDING = 65536
BEGAN = 0  # a record's type: GOINST_PROCESS_BEGAN in bpf/event.h; its span_id is the time (CLOCK_MONOTONIC, ns)
_NAME = struct.Struct("<I68s")  # behind its head: bpf/process.bpf.c
_ERRORS = 100
# a fact that waits for its operation: its layout; its columns, or its bytes; by what of it a span is counted in metrics
# (None: it has to be decoded)
Fact = tuple[Layout, Any, bytes | None]
_NONE: list[Fact] = []


def _declared(fact: Fact) -> int:
    return fact[0].type


class Correlator:
    """Decodes the records of one target.

    ``resource(tgid)`` describes a process. What is lost here is in ``losses`` by (plugin, reason); a decoder that
    raises is counted, and after 100 times in a row switched off (``failed`` is called with plugin and words). ``taps``
    see the records first. ``fields`` are the offsets that each plugin's decoders may need for what is still open.
    ``signals`` are those that each plugin declares, and, by (plugin, signal), how often decoders gave them.
    ``began`` is told of each process that begins: its pid, the time (CLOCK_MONOTONIC, ns), and OTEL_SERVICE_NAME.
    ``layouts`` are those of the records by type, ``facts`` wait for the operation of a span id, ``clock`` is that of
    the batch; ``tapped``: there are taps.
    """

    def __init__(
        self,
        layouts: Sequence[Layout],
        options: Mapping[str, Mapping[str, Any]],
        resource: Callable[[int], Resource],
        *,
        redact: bool,
        failed: Callable[[str, str], None],
        taps: Sequence[Tap] = (),
        fields: Mapping[str, Mapping[str, int]] | None = None,
        began: Callable[[int, int, str], None] | None = None,
        signals: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._told = began
        self._taps = tuple(taps)
        self.tapped = bool(taps)
        self.clock = Clock()
        self._memory = Memory()
        self.layouts: dict[int, Layout] = {layout.type: layout for layout in layouts}
        self.resource = resource
        self._failed = failed
        self.facts: dict[int, list[Fact]] = {}
        self.losses: Counter[tuple[str, str]] = Counter()
        self.signals: Counter[tuple[str, str]] = Counter()
        self._raised: Counter[str] = Counter()
        self._off: set[str] = set()
        self._complained: set[str] = set()
        self._contexts = {
            layout.plugin: DecodeContext(
                redact,
                options.get(layout.plugin, {}),
                self._counter(layout.plugin),
                clock=self.clock,
                memory=self._memory,
                fields=(fields or {}).get(layout.plugin, {}),
                signal=self._giver(layout.plugin, (signals or {}).get(layout.plugin, ())),
            )
            for layout in layouts
        }

    def finish(self) -> list[Span]:
        """The spans that decoders still hold: call it when all records are decoded."""
        spans: list[Span] = []
        for layout in self.layouts.values():
            if layout.record.finish is None or layout.plugin in self._off:
                continue
            try:
                spans += layout.record.finish(self._contexts[layout.plugin])
            except Exception as error:  # a plugin's bug must not stop the others
                self.losses[layout.plugin, "decoder_raised"] += 1
                self._failed(layout.plugin, f"{layout.record.name} finish: {type(error).__name__}: {error}")
        return spans

    def _counter(self, plugin: str) -> Callable[[str], None]:
        def count(reason: str) -> None:
            self.losses[plugin, reason] += 1

        return count

    def _giver(self, plugin: str, declared: Collection[str]) -> Callable[[str], None]:
        def signal(name: str) -> None:
            if name not in declared:
                raise ValueError(f"signal({name!r}) is not among its declared signals {sorted(declared)}")
            self.signals[plugin, name] += 1

        return signal

    def count(self, ring: Ring, limit: int = 65536) -> tuple[int, int]:
        """Take records and only count: (all of them, those that are spans)."""
        records = ring.take(limit)
        if not records:
            return 0, 0
        unpack, data, total = HEAD.unpack_from, ring.data, 0
        spans = {number for number, layout in self.layouts.items() if layout.record.role != "fact"}
        for start, _ in records:
            total += unpack(data, start)[0] in spans
        self.show(ring, records)
        ring.release()
        return len(records), total

    def still_open(self, operation: bytes, now: int) -> Span | None:
        """The span so far of an operation as it is in the map, at a time (CLOCK_MONOTONIC, ns); None when its record
        is not meant for that, or its process is gone."""
        kind, _, tgid, _ = HEAD.unpack_from(operation)
        layout = self.layouts.get(kind)
        if layout is None or not layout.record.partial or not self._memory.open(tgid):
            return None
        try:
            wall = time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            span = self._operation(layout, operation, 0, len(operation), wall, still_open=now)
        finally:
            self._memory.close()
        return None if span.dropped else span

    def show(self, ring: Ring, records: Sequence[tuple[int, int]]) -> None:
        """Begin a batch: what time it is, and the taps."""
        # CLOCK_MONOTONIC to Unix time, anew for each batch: the wall clock may be set
        now = time.time_ns()
        self.clock.turn(now - time.clock_gettime_ns(time.CLOCK_MONOTONIC), now, random.getrandbits(64))
        for start, _ in records if self._taps else ():
            if HEAD.unpack_from(ring.data, start)[0] == BEGAN:  # before a tap asks who it is
                self._began(ring.data, start)
        for tap in self._taps:
            tap.batch(ring.slab(), ring.data, records, self.clock)

    def drain(self, ring: Ring, limit: int = 8192) -> tuple[int, list[Span]]:
        """Take records and decode them; (number of records taken, spans that are complete)."""
        records = ring.take(limit)
        if not records:
            return 0, []
        self.show(ring, records)
        spans = self.spans(ring.data, records)
        ring.release()
        return len(records), spans

    def replay(self, slab: Slab, wall: int, now: int, seed: int) -> list[Span]:
        """The spans of a batch that was recorded at another time; ``struct.error`` when it is not whole."""
        self.clock.turn(wall, now, seed)
        return self.spans(slab.data, slab.take(1 << 30))

    def spans(self, data: memoryview, records: Iterable[tuple[int, int]]) -> list[Span]:
        """The spans of these records, which are places in the data, in their order."""
        wall = self.clock.wall
        spans: list[Span] = []
        layouts = self.layouts
        for start, end in records:
            try:
                kind, _, tgid, span_id = HEAD.unpack_from(data, start)
                if kind == BEGAN:
                    self._began(data, start)
                    continue
                layout = layouts[kind]
                role = layout.record.role
                if role == "operation":
                    span = self._operation(layout, data, start, end, wall)
                elif role == "fact":
                    self.hold(span_id, (layout, layout.read(data, start + HEAD.size, end), None))
                    continue
                else:
                    values = layout.read(data, start + HEAD.size, end)
                    clock = self.clock
                    span = Span(
                        layout.plugin, layout.record.name, layout.record.kind, clock.new_id(128),
                        span_id or clock.new_id(), 0, clock.now, 0,
                        self.resource(tgid),
                    )  # fmt: skip
                    self._decode(layout, values, span)
            except (struct.error, KeyError):
                self.losses["core", "record_unreadable"] += 1
                continue
            if not span.dropped:
                spans.append(span)
            if span.children:
                spans.extend(span.children)
        return spans

    def _operation(self, layout: Layout, data: Any, start: int, end: int, wall: int, *, still_open: int = 0) -> Span:
        _, _, tgid, span_id, high, low, parent, began, ended = OPERATION.unpack_from(data, start)
        if still_open:
            ended = still_open
        values = layout.read(data, start + OPERATION_SIZE, end)
        span = Span(
            layout.plugin,
            layout.record.name,
            layout.record.kind,
            high << 64 | low,
            span_id,
            parent,
            began + wall,
            ended - began if ended > began else 0,
            self.resource(tgid),
        )
        if still_open:
            span.partial = True
            facts = list(self.facts.get(span_id, ()))
        else:
            facts = self.facts.pop(span_id, _NONE)
        self._decode(layout, values, span)
        if len(facts) > 1:
            facts.sort(key=_declared)
        for other, fact, _ in facts:
            self._decode(other, other.read(fact, 0, len(fact)) if type(fact) is bytes else fact, span)
        return span

    def _began(self, data: Any, start: int) -> None:
        if self._told is not None:
            _, _, pid, moment = HEAD.unpack_from(data, start)
            length, name = _NAME.unpack_from(data, start + HEAD.size)
            whole = name[: length - 1] if 0 < length < len(name) else b""
            self._told(pid, moment, whole.decode("utf-8", "replace"))

    def hold(self, span_id: int, fact: Fact) -> None:
        """Keep a fact until its operation comes."""
        facts = self.facts.get(span_id)
        if facts is not None:
            facts.append(fact)
            return
        if len(self.facts) >= _PENDING:
            # the oldest: its operation was evicted, or its end lost
            lost = self.facts.pop(next(iter(self.facts)))
            self.losses[lost[0][0].plugin, "fact_without_span"] += len(lost)
        self.facts[span_id] = [fact]

    def _decode(self, layout: Layout, values: Any, span: Span) -> None:
        plugin = layout.plugin
        if plugin in self._off:
            return
        try:
            layout.record.decode(values, span, self._contexts[plugin])
        except Exception as error:  # a plugin's bug must not stop the others
            self.losses[plugin, "decoder_raised"] += 1
            self._raised[plugin] += 1
            if self._raised[plugin] >= _ERRORS:
                self._off.add(plugin)
            if plugin not in self._complained or plugin in self._off:
                self._complained.add(plugin)
                words = f"{layout.record.decode.__name__}: {type(error).__name__}: {error}"
                self._failed(plugin, words + ("; switched off" if plugin in self._off else ""))
        else:
            if self._raised:
                self._raised.pop(plugin, None)

    @property
    def pending(self) -> int:
        """Operations that facts wait for."""
        return len(self.facts)
