"""One executable that is being traced: its programs, its ring buffer, its counters, its processes."""

from __future__ import annotations

import stat
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goinst.capture.aggregate import Table
from goinst.export.pipeline import Pipeline
from goinst.kernel import syscalls as kernel
from goinst.kernel.attach import Attachment, attach
from goinst.plan.source import Program
from goinst.plugin.layout import HEAD
from goinst.processes.process import Process
from goinst.processes.text import BREAKPOINT, read_code
from goinst.records.correlate import Correlator
from goinst.records.observer import Observer, Source, Telemetry
from goinst.records.ring import Ring
from goinst.run.build import Built
from goinst.run.demand import Demand
from goinst.run.evicted import count_evicted
from goinst.run.partial import OpenOperations
from goinst.spans.span import Resource, Span

if TYPE_CHECKING:
    from goinst.metrics.tally import Tally

__all__ = ["Tracer"]

_BATCH = 1024  # what fits in the CPU's caches: larger batches are slower
_SOME = 4  # probed instructions that are looked at to see whose code it is


class Tracer:
    """Owns what was built for one executable from attach to close. ``detach`` may be called from any thread, at any
    time; then nothing is attached any more.

    ``traced`` holds the pids that it is told of; with ``every`` every process that runs the file is traced.
    ``count_only``: the programs count operations and send none. ``observers`` see its records.
    """

    def __init__(
        self,
        built: Built,
        path: str,
        options: Mapping[str, Mapping[str, Any]],
        resource: Callable[[int], Resource],
        failed: Callable[[str, str], None],
        *,
        redact: bool,
        every: bool,
        name: str,
        count_only: bool,
        observers: Sequence[Observer] = (),
        began: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.plan = built.plan
        self.name = name
        self.every = every
        self._loaded = built.loaded
        self._path = path
        self._way = 0
        self._attaching = threading.RLock()
        self._detached = False
        self._attachments: list[tuple[Sequence[Program], Attachment]] = []
        self._passing: dict[Program, Attachment] = {}
        self._demand = Demand(built.plan.programs, built.plan.counters)
        self._piped = [p for p in built.plan.programs if p.piped_stdin and p.function in built.loaded.programs]
        self.refused: list[str] = []
        self.traced: set[int] = set()
        self.ring_bytes = built.loaded.sizes["goinst_events"][2]
        self.ring_descriptor = built.loaded.maps["goinst_events"]
        self.ring = Ring(self.ring_descriptor, self.ring_bytes)
        self._count_only = count_only
        source = Source(
            name, asdict(built.plan.info), built.plan.describe(), built.plan.enabled, built.plan.layouts, options,
            resource, redact,
        )  # fmt: skip
        taps = [observer.source(source) for observer in observers]
        fields = {
            plugin.name: {found.macro: found.fact.value for found in plugin.fields if found.fact is not None}
            for plugin in built.plan.plugins
        }
        self.correlator = Correlator(
            built.plan.layouts, options, resource, redact=redact, failed=failed, taps=taps, fields=fields, began=began,
            signals={plugin.name: plugin.signals for plugin in built.plan.plugins},
        )  # fmt: skip
        self.operations = OpenOperations(
            built.loaded.maps["goinst_operations"], built.loaded.sizes["goinst_operations"]
        )
        self._tally: Tally | None = None
        self._cpus = kernel.possible_cpus()
        self._final: list[int] | None = None
        self._ended = 0

    def attach(self) -> int:
        """Attach what is wanted at once; the number of instructions probed, or kept for a piped standard input."""
        programs = [p for p in self.plan.programs if p.role == "entry" and not p.attach_on and not p.piped_stdin]
        count = self._attach(programs) + sum(len(program.offsets) for program in self._piped)
        count += self._attach_each(self._demand.first)
        for attachment in (*(one for _, one in self._attachments), *self._passing.values()):
            if attachment.failure is not None:
                raise attachment.failure
        return count

    def _attach_each(self, programs: Sequence[Program]) -> int:
        """Those that may have to go again."""
        count = 0
        with self._attaching:
            for program in programs:
                if not self._detached:
                    attachment = self._passing[program] = self._attached([program])
                    count += self._places([program]) - self._refused([program], attachment)
        return count

    def _places(self, programs: Sequence[Program]) -> int:
        return sum(len(p.offsets) for p in programs if p.function in self._loaded.programs)

    def _attach(self, programs: Sequence[Program]) -> int:
        with self._attaching:
            if self._detached:
                return 0
            attachment = self._attached(programs)
            self._attachments.append((programs, attachment))
        return self._places(programs) - self._refused(programs, attachment)

    def _attached(self, programs: Sequence[Program]) -> Attachment:
        pairs = [
            (self._loaded.programs[p.function], list(zip(p.offsets, p.semaphores, strict=True)))
            for p in programs
            if p.function in self._loaded.programs
        ]
        return attach(self._path, pairs, multi=self._loaded.multi, cookie=self._way)

    def _refused(self, programs: Sequence[Program], attachment: Attachment) -> int:
        by_offset = {offset: program for program in programs for offset in program.offsets}
        for offset, why in attachment.refused:
            program = by_offset[offset]
            self.refused.append(f"{program.plugin}: {program.symbol} at file offset {offset:#x}: {why}")
        return len(attachment.refused)

    def move(self, path: str) -> bool:
        """Attach by another path to the same file, and let the old one go: its mount is wanted elsewhere. True when no
        hit is missed meanwhile, which takes attach cookies (Linux 5.15)."""
        ways = self._loaded.maps.get("goinst_way")
        with self._attaching:
            if self._detached:
                return True
            old = [attachment for _, attachment in self._attachments] + list(self._passing.values())
            if ways is None:
                for attachment in old:
                    attachment.close()
            else:
                self._way += 1
            self._path = path
            self._attachments = [(programs, self._attached(programs)) for programs, _ in self._attachments]
            self._passing = {program: self._attached([program]) for program in self._passing}
            if ways is not None:
                kernel.update(ways, struct.pack("<I", 0), struct.pack("<Q", self._way))
                for attachment in old:
                    attachment.close()
        return ways is not None

    def runs_in(self, process: Process) -> bool | None:
        """Whether the probes are in the code that a process runs; None when that cannot be told (it has not mapped the
        file yet, it is gone, or may not be looked at)."""
        with self._attaching:
            refused = {offset for _, attachment in self._attachments for offset, _ in attachment.refused}
            places = [o for programs, _ in self._attachments for p in programs for o in p.offsets if o not in refused]
        if not places or not BREAKPOINT:
            return None
        code = read_code(process, places[:_SOME])
        return None if code is None else all(each == BREAKPOINT for each in code)

    @property
    def idle(self) -> bool:
        """Whether all that plugins have here waits for a process whose standard input is a pipe."""
        mine = [p for p in self.plan.programs if p.role == "entry" and p.plugin in self.plan.enabled]
        return bool(self._piped) and not any(not p.piped_stdin and (p.until or not p.attach_on) for p in mine)

    def settle(self) -> tuple[list[str], list[str]]:
        """Attach programs that the signals given by now call for, and take away those that they send away: the symbols
        of both. For facts only, so not when counting."""
        if not self._demand:
            return [], []
        come, go = self._demand.settle(self.counts(), self.correlator.signals)
        self._attach_each([p for p in come if p.until])
        if lasting := [p for p in come if not p.until]:
            self._attach(lasting)
        with self._attaching:
            for program in go:
                if program in self._passing:
                    self._passing.pop(program).close()
        return sorted({program.symbol for program in come}), sorted({program.symbol for program in go})

    def add(self, pid: int) -> None:
        """Trace a process."""
        self.traced.add(pid)
        if not self.every:
            kernel.update(self._loaded.maps["goinst_pids"], struct.pack("<I", pid), b"\1")
        if self._piped and _reads_a_pipe(pid):
            piped, self._piped = self._piped, []
            self._attach(piped)

    def remove(self, pid: int) -> None:
        """Let a process go that has ended."""
        self.traced.discard(pid)
        if not self.every:
            kernel.delete(self._loaded.maps["goinst_pids"], struct.pack("<I", pid))

    def hand_on(self, pipeline: Pipeline) -> tuple[int, bool]:
        """Take some of the records that wait, and give the spans to ``pipeline``, or count them if it wants no more:
        how many, and whether there may be more."""
        store = pipeline.store
        if store is not None:
            if self._tally is None:
                from goinst.metrics.tally import Tally  # it needs numpy, which others can do without

                self._tally = Tally(self.correlator, store)
            taken, tallied = self._tally.drain(self.ring)
            pipeline.tallied(tallied)
            return taken, taken > 0
        taken, count, spans = self.drain(decode=pipeline.decode, limit=_BATCH)
        if count:
            pipeline.deliver(spans, count)
        return taken, taken >= _BATCH

    def drain(self, *, decode: bool, limit: int = 8192) -> tuple[int, int, list[Span]]:
        """(records taken, spans among them, spans decoded: none unless ``decode``)."""
        if decode:
            taken, spans = self.correlator.drain(self.ring, limit)
            return taken, len(spans), spans
        if not self._count_only:
            return *self.correlator.count(self.ring, limit), []
        # the kernel counts operations; only what is sent as a span by itself is in the ring
        ended = sum(
            value for counter, value in zip(self.plan.counters, self.counts(), strict=True) if counter.kind == "span"
        )
        new, self._ended = ended - self._ended, ended
        return 0, new + self.correlator.count(self.ring)[1], []

    def counts(self) -> list[int]:
        """The kernel's counters, in the order of the plan."""
        if self._final is not None:
            return self._final
        descriptor, form = self._loaded.maps["goinst_counters"], struct.Struct(f"<{self._cpus}Q")
        values = []
        for number in range(len(self.plan.counters)):
            raw = kernel.lookup(descriptor, struct.pack("<I", number), form.size)
            values.append(sum(form.unpack(raw)) if raw else 0)
        return values

    def losses(self) -> Counter[tuple[str, str]]:
        """What was lost, by (plugin, reason)."""
        losses = Counter(self.correlator.losses)
        values = self.counts()
        for counter, value in zip(self.plan.counters, values, strict=True):
            if counter.kind == "loss" and value:
                losses[counter.plugin, counter.name] += value
        if self._detached and self._final is None:
            count_evicted(losses, self.plan.counters, values, self.operations.count())
        return losses

    def notes(self) -> Counter[str]:
        """What was counted and is no loss, by ``plugin.reason``."""
        notes: Counter[str] = Counter()
        for counter, value in zip(self.plan.counters, self.counts(), strict=True):
            if counter.kind == "note" and value:
                notes[f"{counter.plugin}.{counter.name}"] += value
        return notes

    def loss_places(self) -> Counter[str]:
        """The same by place in the BPF source: ``plugin.reason at file:line``."""
        return Counter(
            {
                f"{counter.plugin}.{counter.name} at {counter.where}": value
                for counter, value in zip(self.plan.counters, self.counts(), strict=True)
                if counter.kind == "loss" and value
            }
        )

    def hits(self) -> Counter[str]:
        """How often each probe fired."""
        hits: Counter[str] = Counter()
        for counter, value in zip(self.plan.counters, self.counts(), strict=True):
            if counter.kind == "hit":
                hits[counter.where] += value
        return hits

    def open_operations(self) -> Counter[tuple[str, str, str]]:
        """Operations that have begun and not ended, as in ``Telemetry.open``."""
        names = {layout.type: (layout.plugin, layout.record.name, layout.record.active) for layout in self.plan.layouts}
        return Counter(names.get(HEAD.unpack_from(value)[0], ("core", "unknown", "")) for value in self.operations)

    def tables(self) -> Iterator[tuple[Table, list[tuple[Any, int]]]]:
        """What the kernel has counted by value, so far."""
        for plugin in self.plan.plugins:
            for table in plugin.tables:
                if table.name in self._loaded.maps:
                    yield table, table.rows(self._entries(table.name))

    def _entries(self, name: str) -> Iterator[tuple[bytes, bytes]]:
        descriptor, (key_size, value_size, most) = self._loaded.maps[name], self._loaded.sizes[name]
        key = None
        for _ in range(most):
            key = kernel.next_key(descriptor, key, key_size)
            if key is None:
                break
            value = kernel.lookup(descriptor, key, value_size)
            if value is not None:
                yield key, value

    def members(self) -> dict[str, Any]:
        """What is traced, as members of a log line."""
        return {
            "executable": self.name,
            "go": self.plan.info.go_version,
            "plugins": list(self.plan.enabled),
            "pids": sorted(self.traced),
        }

    def program_statistics(self) -> Iterator[tuple[str, int, int]]:
        """(program, ns in it, runs) of those that the kernel has counted: all, when kernel.bpf_stats_enabled is 1."""
        for name, descriptor in self._loaded.programs.items():
            try:
                text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
            except OSError:  # no descriptor to read it by
                continue
            fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            runs = int(fields.get("run_cnt", 0))
            if runs:
                yield name, int(fields["run_time_ns"]), runs

    def tell(self, state: Telemetry) -> None:
        """Add how it goes here."""
        for (plugin, reason), count in self.losses().items():
            state.losses[f"{plugin}.{reason}"] += count
        state.hits.update(self.hits())
        state.open.update(self.open_operations())
        for name, ns, runs in self.program_statistics():
            state.program_ns[name] += ns
            state.program_runs[name] += runs
        state.ring = max(state.ring, self.ring.waiting)
        state.ring_high_water = max(state.ring_high_water, self.ring_share())

    def ring_share(self) -> float:
        """The most that ever waited in the ring, as a share of its size."""
        return self.ring.high_water / self.ring_bytes

    def detach(self) -> None:
        """Take the probes away for good, from any thread; what is in the ring can still be drained."""
        with self._attaching:
            self._detached = True
            for attachment in [*(attachment for _, attachment in self._attachments), *self._passing.values()]:
                attachment.close()
            self._attachments, self._passing = [], {}

    def close(self) -> None:
        """Detach, remember the counters, give everything back."""
        self.detach()
        if self._final is None:
            self._final = self.counts()
            self.ring.close()
            self._loaded.close()


def _reads_a_pipe(pid: int) -> bool:
    """Whether the standard input of a process is a pipe or a socket, as it is for what speaks a protocol on it."""
    try:
        mode = Path(f"/proc/{pid}/fd/0").stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
