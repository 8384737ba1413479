"""Recordings to spans: what the live run did, done again from the records."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from goinst.errors import PluginError
from goinst.plugin.layout import Layout, lay_out
from goinst.plugin.protocol import Protocol, Record
from goinst.plugin.rows import row_of
from goinst.recording.frame import columns_of
from goinst.recording.reader import Recording
from goinst.records.correlate import Correlator
from goinst.records.ring import Slab
from goinst.spans.span import Resource, Span

if TYPE_CHECKING:
    from goinst.metrics import MetricStore
    from goinst.metrics.tally import Tally

__all__ = ["Batch", "Replay"]

_TOGETHER = 1 << 20  # bytes of records that are counted at once


@dataclass(frozen=True, slots=True)
class Batch:
    """Spans that came at one time (Unix ns); or how many by plugin, if they were only counted."""

    time: int
    spans: list[Span]
    tallied: Counter[str] = field(default_factory=Counter)


class Replay:
    """Replays recordings with the plugins that are installed here.

    The records' layouts are those of the recording; a decoder that knows more columns gets zeros for those. ``options``
    (by plugin) win over the recorded ones; ``redact`` None means: as it was asked for then. ``failed`` is told of a
    plugin that cannot be used; what is lost with it is counted in ``losses``, as what decoders give up is.
    ``telemetry`` is the last that was recorded of each run, by session, ``summaries`` the ends, ``sources`` the frames
    of the executables, and ``cut`` says of each file that has no good end what is wrong with it. ``store`` is set where
    metrics are all that is wanted: the records are counted there.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        protocols: Sequence[Protocol],
        failed: Callable[[PluginError], None],
        *,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        redact: bool | None = None,
    ) -> None:
        self._recordings = recordings
        self._records = {(p.name, record.name): record for p in protocols for record in p.records}
        self._capturing = [p for p in protocols if p.captures]
        self._defaults = {p.name: {option.name: option.default for option in p.options} for p in protocols}
        self._signals = {p.name: p.signals for p in protocols}
        self._failed = failed
        self._options = options or {}
        self._redact = redact
        self._targets: dict[tuple[str, int], _Target] = {}
        self._lost: Counter[str] = Counter()
        self.telemetry: dict[str, dict[str, Any]] = {}
        self.summaries: dict[str, dict[str, Any]] = {}
        self.sources: dict[tuple[str, int], dict[str, Any]] = {}
        self.cut: list[str] = []
        self._now = 0
        self.store: MetricStore | None = None

    def __iter__(self) -> Iterator[Batch]:
        for recording in self._recordings:
            session = str(recording.head.get("session"))
            for frame in recording.frames():
                try:
                    batch = self._frame(session, frame)
                except (KeyError, TypeError, ValueError, struct.error) as error:
                    recording.cut = f"a frame that makes no sense: {type(error).__name__}: {error}"
                    break
                if batch is not None and (batch.spans or batch.tallied):
                    yield batch
            if recording.cut:
                self.cut.append(f"{recording.path}: {recording.cut}")
            recording.close()
        if self.store is not None:
            for target in self._targets.values():
                yield Batch(self._now, [], target.count(self.store))
        kept = [span for target in self._targets.values() for span in target.correlator.finish()]
        if kept:
            yield Batch(self._now, kept)

    def _frame(self, session: str, frame: Mapping[str, Any]) -> Batch | None:
        kind = frame["frame"]
        if kind == "records":
            target = self._targets[session, frame["source"]]
            self._now = max(self._now, frame["now"])
            if self.store is not None:
                return Batch(frame["now"], [], target.count(self.store, frame))
            spans = target.correlator.replay(Slab(frame["data"]), frame["wall"], frame["now"], frame["seed"])
            return Batch(frame["now"], spans)
        if kind == "process":
            self._targets[session, frame["source"]].processes[frame["pid"]] = Resource(frame["resource"], frame["json"])
        elif kind == "source":
            key = session, frame["source"]
            if key not in self._targets:  # it is said again in each file
                self._targets[key] = self._target(frame)
                self.sources[key] = dict(frame)
        elif kind == "telemetry":
            self.telemetry[session] = dict(frame)
        elif kind == "end":
            self.summaries[session] = dict(frame["summary"])
        return None

    def _target(self, frame: Mapping[str, Any]) -> _Target:
        layouts: list[Layout] = []
        captured, unreadable = self._captured(frame)
        for members in frame["layouts"]:
            plugin, name = members["plugin"], members["record"]
            record = captured.get((plugin, name)) or self._records.get((plugin, name))
            if record is None:
                if plugin not in unreadable:
                    self._failed(
                        PluginError(
                            plugin, f"records called {name} were made by a plugin that is not on here: left out"
                        )
                    )
                record = Record(
                    name, row_of(name, ()), _leave_out(self._lost, plugin), members["role"], members["kind"]
                )
            columns = columns_of(members)
            series = record.series if {one.name for one in record.columns} <= {one.name for one in columns} else None
            recorded = Record(
                name,
                row_of(name, columns),
                record.decode,
                members["role"],
                members["kind"],
                finish=record.finish,
                series=series,
            )
            layouts.append(_with_new_columns(lay_out(plugin, recorded, members["type"], {}), record))
        given = frame["options"]
        options = {
            plugin: {**self._defaults.get(plugin, {}), **given.get(plugin, {}), **self._options.get(plugin, {})}
            for plugin in {*given, *self._options, *self._defaults}
        }
        redact = bool(frame["redact"]) if self._redact is None else self._redact
        processes: dict[int, Resource] = {}
        correlator = Correlator(
            layouts,
            options,
            lambda pid: processes.get(pid) or Resource({"process.pid": pid}, b'{"process.pid":%d}' % pid),
            redact=redact,
            failed=lambda plugin, words: self._failed(PluginError(plugin, words)),
            signals=self._signals,
        )
        return _Target(correlator, processes)

    def _captured(self, frame: Mapping[str, Any]) -> tuple[dict[tuple[str, str], Record[Any]], set[str]]:
        """Records of captures by plugin and name, and the plugins whose captures cannot be read."""
        found: dict[tuple[str, str], Record[Any]] = {}
        unreadable = set()
        for protocol in self._capturing:
            if protocol.name not in frame["plugins"]:
                continue
            from goinst.recording.captured import captured_records  # it opens binaries, which others can do without

            try:
                records = captured_records(protocol, frame)
            except PluginError as error:
                self._failed(error)
                unreadable.add(protocol.name)
            else:
                found |= {(protocol.name, name): record for name, record in records.items()}
        return found, unreadable

    @property
    def losses(self) -> Counter[str]:
        """What is missing, as ``plugin.reason``: as it was counted when it was recorded, or by the decoders now,
        whichever is more (decoders may have run then, too)."""
        recorded: Counter[str] = Counter()
        for frame in (self.telemetry | self.summaries).values():
            losses = frame.get("losses", {})
            recorded.update({str(name): int(count) for name, count in losses.items()})
        now = Counter(self._lost)
        for target in self._targets.values():
            now.update({f"{plugin}.{reason}": count for (plugin, reason), count in target.correlator.losses.items()})
        return recorded | now


@dataclass(slots=True)
class _Target:
    correlator: Correlator
    processes: dict[int, Resource]
    tally: Tally | None = None
    waiting: list[Mapping[str, Any]] = field(default_factory=list)

    def count(self, store: MetricStore, frame: Mapping[str, Any] | None = None) -> Counter[str]:
        """Count a frame's records, or what waits. Some frames are counted at once, by the clock of the last: all that
        metrics have of it is when an exemplar was."""
        if self.tally is None:
            from goinst.metrics.tally import Tally  # it needs numpy, which others can do without

            self.tally = Tally(self.correlator, store)
        if frame is not None:
            self.waiting.append(frame)
            if sum(len(one["data"]) for one in self.waiting) < _TOGETHER:
                return Counter()
        if not self.waiting:
            return Counter()
        frames, self.waiting = self.waiting, []
        last = frames[-1]
        data = Slab(b"".join([one["data"] for one in frames]))
        return self.tally.replay(data, last["wall"], last["now"], last["seed"])


def _leave_out(lost: Counter[str], plugin: str) -> Any:
    def decode(values: Any, span: Span, context: Any) -> None:  # noqa: ARG001
        span.dropped = True
        lost[f"{plugin}.not_installed"] += 1

    return decode


def _with_new_columns(layout: Layout, installed: Record[Any]) -> Layout:
    """The layout, read with the columns that the installed decoder knows and the recording has not."""
    there = {column.name for column in layout.columns}
    new = [column for column in installed.columns if column.name not in there]
    if not new:
        return layout
    make = row_of(layout.record.name, (*layout.columns, *new))
    defaults = tuple(b"" if column.type == "bytes" else 0 for column in new)
    read = layout.read

    def read_more(buffer: Any, offset: int, end: int) -> Any:
        return make(*read(buffer, offset, end), *defaults)

    return replace(layout, read=read_more)
