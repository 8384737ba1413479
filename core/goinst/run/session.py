"""A run: find processes, trace them, hand on what they do, until it is time to stop."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from goinst.capture.aggregate import Table
from goinst.config import RunConfig, reloaded
from goinst.errors import GoinstError, PluginError, TargetError
from goinst.export.base import Listener, Meter
from goinst.export.ending import Ending
from goinst.export.filters import filters
from goinst.export.pipeline import Pipeline
from goinst.kernel.compiler import Compiler
from goinst.limits import raise_files
from goinst.patience import Patience
from goinst.plan.plan import Plan
from goinst.plan.settings import PlanSettings, Propagate
from goinst.plugin.exporter import Exporter
from goinst.plugin.manager import PluginSet
from goinst.plugin.options import check_options
from goinst.plugin.process import TracedProcess
from goinst.plugin.summary import Summary
from goinst.processes.command import Command
from goinst.processes.process import Process, exe_of
from goinst.records.observer import Observer, Telemetry
from goinst.run.build import Built, build
from goinst.run.executable import Executable
from goinst.run.executables import Executables
from goinst.run.partial import StillOpen
from goinst.run.permissions import allowed_propagation, usable_features
from goinst.run.reload import Reload
from goinst.run.reporting import (
    Comings,
    reasons_of,
    report_plan,
    report_ready,
    report_silent,
    report_unused,
    usable_cache,
)  # fmt: skip
from goinst.run.resources import Processes, Program
from goinst.run.sizes import sizes
from goinst.run.stop import Stop, catch_signals
from goinst.run.targets import analyse, library_of, named_files, scanner, with_libraries
from goinst.run.telemetry import Accounts, Reporter
from goinst.run.tracer import Tracer
from goinst.run.watcher import Watcher
from goinst.run.wording import report_summary
from goinst.sampling import parse_sampling

__all__ = ["Session"]

_SCAN_EVERY = 1.0
_DEMAND_EVERY = 0.1
_SHORTEST, _LONGEST = 0.001, 0.05
_FULL = 0.25


class Session:
    """Runs once. ``log`` is a structlog logger for diagnostics; exporters get the spans, observers the records,
    ``listeners`` (and observers, and exporters that are listeners) hear how it goes. ``tables``: what the kernel has
    counted by value when it ended.

    ``reload`` reads the configuration again at SIGHUP: what to trace and --where are taken from it; without
    it, SIGHUP ends the run."""

    def __init__(
        self,
        config: RunConfig,
        plugins: PluginSet,
        exporters: Sequence[Exporter],
        log: Any,
        observers: Sequence[Observer] = (),
        reload: Callable[[], RunConfig] | None = None,
        patience: Patience | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._patience, self._reload = patience or Patience(), Reload(reload, log)
        self._observers = observers
        self._config = config
        self._plugins = plugins
        self._log = log
        self._options = check_options(plugins.protocols, config.plugin_options)
        self._cache = usable_cache(log) if config.cache else None
        self._propagate: Propagate = ""
        metrics = any(isinstance(one, Meter) for one in exporters)
        self._sample, self._share = parse_sampling(config.sample).divided(metrics=metrics)
        self._scanner = scanner(config, strict=not config.wait)
        self._processes = Processes(config.service_name or os.environ.get("OTEL_SERVICE_NAME", ""), self._said_of)
        self._accounts = Accounts()
        self._stop = Stop()
        self._ended: Ending | None = None
        self._pipeline = Pipeline(
            plugins, exporters, config.max_spans, self.end, self._plugin_failed, filters(config.where, self._share),
            log=log, observers=observers,
        )  # fmt: skip
        self._still_open = StillOpen(config.partial_after, self._pipeline.report)
        self._reporter = Reporter(self._telemetry, [*self._observers, *self._pipeline.listeners, *listeners])
        self._count_only = not self._pipeline.decode and not self._observers
        self._reported: set[str] = set()
        self.tables: list[tuple[Table, list[tuple[Any, int]]]] = []
        self._comings = Comings(log)
        self._command: Command | None = None
        self._library: Process | None = None
        self._launches = self._announced = False
        self._stack = ExitStack()

    def run(self) -> Summary:
        """Trace until a signal, the duration, the number of spans, or the end of all targets. GoinstError when it
        cannot start; everything is given back in any case."""
        began = time.monotonic()
        raise_files()
        with self._stack:
            self._stack.callback(self._stop.close)
            self._watcher = Watcher(self._stop, self.end, lambda: self._executables.end(), self._hurry)
            self._stack.callback(self._watcher.close)
            self._executables = Executables(
                self._build, self._trace, self._retired, self._joined, self._left, self._watcher, self._log
            )
            self._stack.callback(self._executables.close)
            catch_signals(self._stack, self.end, self._reload.want, self._watcher.wakeup)
            for failure in self._plugins.failures:
                self._plugin_failed(failure)
            if not self._plugins.protocols:
                raise TargetError("none of the plugins can be used; `goinst plugins` says why")
            if not self._plugins.tracing:
                raise TargetError(
                    "the plugins have hooks and no probes: add one that traces (`goinst plugins`) to --plugins"
                )
            features, self._attach_by = usable_features(self._log)
            self._ways = features["cookie"] is True
            self._propagate = allowed_propagation(self._config.propagate, features, self._log)
            self._start_targets()
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000)  # spans are not cyclic: collections find nothing and cost a lot
            self._announce(began)
            self._loop()
            return self._wind_up(began)

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_targets(self) -> None:
        config = self._config
        processes: list[Process] = []
        if config.command:
            self._command = Command(config.command)
            self._stack.callback(self._command.terminate)
            held = self._command.start_held()
            self._library = library_of(held, config.library) if config.library else None
            processes.append(self._library or held)
        if self._scanner is not None:
            processes += self._scanner.scan()
        problems: dict[str, GoinstError] = {}
        for process in processes:
            try:
                self._executables.take(process)
            except GoinstError as error:
                whole = with_libraries(error, process)
                problems.setdefault(str(whole), whole)
        if config.wait:
            self._executables.name(named_files(config, self._log), now=True)
        patient = config.wait or self._launches
        if not self._executables.tracers and not patient:
            raise next(iter(problems.values()), TargetError("no process to instrument"))
        for problem in problems:
            (self._log.debug if config.wait else self._log.warning)("not instrumented", reason=problem)
        if self._command is not None:
            self._command.release()

    def _build(self, executable: Executable) -> Built | Plan:
        """Analyse, plan, compile and load; in a thread when other targets are being traced already."""
        compiler = Compiler(self._cache)
        try:
            facts = analyse(executable.file.path, executable.name, self._config, self._cache)
            if not facts.known:
                compiler.warm_up()  # it loads LLVM while the binary is analysed
            if self._command is not None and not self._announced:
                # linked into programs that call it: this one may become another
                self._launches = facts.function("syscall.Exec") is not None
            ring_bytes, operations = sizes(self._config, [tracer.ring_bytes for tracer in self._executables.tracers])
            built = build(
                facts,
                self._plugins.tracing,
                self._options,
                PlanSettings(
                    filter_pids=not executable.every,
                    lineage=self._config.lineage,
                    count_only=self._count_only,
                    propagate=self._propagate,
                    sample=self._sample,
                    ways=self._ways,
                ),
                compiler,
                self._plugin_failed if len(self._plugins.tracing) > 1 else self._only_failed,
                multi=self._attach_by == "uprobe_multi",
                ring_bytes=ring_bytes,
                operations=operations,
            )
            facts.save()
        finally:
            compiler.close()
        if self._announced:
            del facts
            gc.collect()  # its parts refer to each other, and hold the file and tens of megabytes
        return built

    @property
    def _waits(self) -> bool:
        """Whether what is asked for may come later: a library also into a process that is there."""
        config = self._config
        later = not config.command and (not config.pids or any(exe_of(pid) for pid in config.pids))
        return bool(config.exes or config.ports or (config.library and later))

    def _trace(self, executable: Executable, built: Built | Plan) -> Tracer:
        if isinstance(built, Plan):
            raise TargetError(f"nothing to instrument in {executable.name}: {reasons_of(built)}")
        info = built.plan.info
        library = bool(self._config.library)
        program = Program() if library else Program(executable.name, info.main_module, info.go_version)
        tracer = Tracer(
            built,
            executable.file.path,
            self._options,
            lambda pid: self._processes.resource(pid, program),
            lambda plugin, words: self._plugin_failed(PluginError(plugin, words)),
            redact=self._config.redact,
            every=executable.every,
            name=executable.name,
            count_only=self._count_only,
            observers=self._observers,
            began=lambda pid, moment, name: self._processes.began(pid, moment, name, program),
        )
        try:
            self._attach(executable, tracer)
        except BaseException:
            tracer.close()
            raise
        report_plan(self._log, built, executable, self._config)
        self._stop.wakes(tracer.ring_descriptor)
        return tracer

    def _attach(self, executable: Executable, tracer: Tracer) -> None:
        executable.file.remember(offset for one in tracer.plan.programs for offset in one.offsets)
        if changed := executable.file.changed():
            raise TargetError(f"{executable.name} changed while it was analysed: {changed}")
        executable.tracer = tracer  # from now on it can be told to let go
        probed = tracer.attach() if not executable.gone else 0
        executable.traced_since = time.time()
        for refused in tracer.refused:
            self._log.warning("the kernel refuses a probe", reason=refused)
        if not probed:
            executable.tracer = None
            reasons = executable.gone or "; ".join(tracer.refused)
            raise TargetError(f"no instruction of {executable.name} can be probed: {reasons}")

    def _joined(self, executable: Executable, process: Process) -> None:
        assert executable.tracer is not None
        info = executable.tracer.plan.info
        known = Program(process.program or process.exe)
        if not self._config.library:
            known = known._replace(module=info.main_module, go=info.go_version)
        self._processes.join(process.pid, known)
        self._comings.joined(executable, process, say=self._announced)
        self._comings.idle(executable, process)

    def _left(self, executable: Executable, process: Process) -> None:
        self._processes.remove(process.pid)
        self._comings.left(executable, process)

    def _retired(self, tracer: Tracer) -> None:
        """Nothing comes from there any more: take what its ring still holds, and its counts."""
        while sum(tracer.hand_on(self._pipeline)[:1]):
            pass
        kept = tracer.correlator.finish()
        if kept:
            self._pipeline.deliver(kept, len(kept))
        self._pipeline.flush()
        self._accounts.take(tracer)

    def _announce(self, began: float) -> None:
        report_ready(self._log, self._executables.tracers, self._attach_by, time.monotonic() - began)
        report_unused(self._log, [tracer.plan for tracer in self._executables.tracers], self._config.named)
        self._announced = True

    def _reconfigure(self, new: RunConfig) -> None:
        """What can change while probes are live; the rest stays as it was."""
        self._scanner = scanner(new, strict=False)
        self._config = reloaded(self._config, new)
        self._pipeline.keep = filters(new.where, self._share)

    # -- running -------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        self._reporter.tell()
        config, start = self._config, time.monotonic()
        deadline = start + config.duration if config.duration is not None else float("inf")
        scan, demand, pause = start + _SCAN_EVERY, start + _DEMAND_EVERY, _SHORTEST
        self._watcher.ends_at(deadline)
        while not self._stop.is_set():
            taken = self._drain()
            now = time.monotonic()
            if now >= deadline:
                self.end(Ending.DURATION)
                break
            if now >= demand:
                demand = now + _DEMAND_EVERY
                self._attach_on_demand()
                self._executables.settle()
                if self._command is not None and self._command.poll() is not None:
                    self.end(Ending.COMMAND)
                elif self._executables.replaced or (self._command is not None and self._command.moved()):
                    scan = now
            if (new := self._reload.take()) is not None:
                self._reconfigure(new)
            if now >= scan:
                scan = now + _SCAN_EVERY
                self._rescan()
                self._reporter.tell()
                self._still_open.report((one.operations, one.correlator) for one in self._executables.tracers)
            pause = _SHORTEST if taken else min(pause * 2, _LONGEST)
            if not taken or all(tracer.ring.waiting < _FULL for tracer in self._executables.tracers):
                # metrics alone are in no hurry, and cheaper for many records at once
                quiet = _DEMAND_EVERY if self._pipeline.store is not None else 0.005 if taken else pause
                self._stop.wait(min(max(pause, quiet), max(deadline - now, 0)))

    def _drain(self) -> int:
        total = 0
        for tracer in self._executables.tracers:
            turn, more = time.monotonic() + _DEMAND_EVERY, True  # what comes without end leaves time for all else
            while more and not self._stop.is_set() and time.monotonic() < turn:
                taken, more = tracer.hand_on(self._pipeline)
                total += taken
        if total:
            self._pipeline.flush()
        return total

    def _attach_on_demand(self) -> None:
        for tracer in self._executables.tracers:
            come, go = tracer.settle()
            if come:
                self._log.info("probes added on demand", symbols=come, executable=tracer.name)
            if go:
                self._log.info("probes taken away", symbols=go, executable=tracer.name)

    def _rescan(self) -> None:
        """Pick up new processes of what was asked for, let go of those that ended."""
        processes = self._scanner.scan() if self._scanner is not None else []
        if self._command is not None and (running := self._command.process()) is not None:
            processes.append(self._library or running)
        self._executables.scanned(processes)
        self._executables.name(named_files(self._config, self._log))
        self._executables.look()
        self._processes.prune()
        if not self._executables.alive and not self._waits:
            self.end(Ending.PROCESSES)

    # -- ending --------------------------------------------------------------------------------------------------

    def end(self, why: Ending) -> None:
        """End the run soon; from any thread. Outputs are waited for a second longer."""
        self._patience.end()
        if not self._ended:
            self._ended = why
            self._stop.set()

    def _hurry(self) -> None:
        """Asked a second time: whatever an output waits for, it waits no more."""
        self._patience.hurry()
        self._stop.set()

    def _wind_up(self, began: float) -> Summary:
        """Detach first, then take what is still in the rings, unless the run ended because it had enough."""
        self._executables.end()
        self._stop.clear()
        tracers = self._executables.tracers
        if self._ended is not Ending.ENOUGH:
            while self._drain() and not self._stop.is_set():  # no probe is left that could add to it
                pass
            self._pipeline.give_up(sum(one.correlator.count(one.ring, 1 << 30)[1] for one in tracers))
            kept = [span for tracer in tracers for span in tracer.correlator.finish()]
            self._pipeline.deliver(kept, len(kept))
        self._reporter.tell(last=True)
        self._pipeline.finish()
        state = self._telemetry()
        for tracer in tracers:
            self._accounts.take(tracer)
        self.tables = self._accounts.tables
        report_silent(self._log, tracers, self._plugins.protocols, state.open.total())
        summary = self._pipeline.summary(
            state, ended=self._ended or "", seconds=time.monotonic() - began, notes=self._accounts.notes,
            places=self._accounts.places,
        )  # fmt: skip
        places = self._config.stats or self._config.verbose
        report_summary(self._log, summary, self._plugins.protocols, places=places, live=True)
        return summary

    def _telemetry(self) -> Telemetry:
        return self._accounts.gather(self._executables.tracers, self._pipeline.spans_by_plugin, self._pipeline.losses())

    def _said_of(self, process: TracedProcess) -> dict[str, Any]:
        """What plugins say of a process."""
        return self._plugins.hooks.resource(
            process,
            self._plugin_failed,
            lambda error: self._log.warning("an attribute was refused", plugin=error.plugin, reason=str(error)),
        )

    def _only_failed(self, error: PluginError) -> None:
        """Say nothing more of the only plugin than the error with which the run ends."""
        self._log.debug("plugin switched off", plugin=error.plugin, reason=str(error))

    def _plugin_failed(self, error: PluginError) -> None:
        """Name a broken plugin, once for each reason."""
        if str(error) in self._reported:
            return
        self._reported.add(str(error))
        detail = {"detail": error.detail} if self._config.verbose and error.detail else {}
        self._log.error("plugin switched off", plugin=error.plugin, reason=str(error), **detail)
