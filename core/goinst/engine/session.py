"""A run: find processes, trace them, hand on what they do, until it is time to stop."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from goinst.config import RunConfig
from goinst.engine.allowed import allowed_propagation, usable_features
from goinst.engine.build import Built, build
from goinst.engine.compiler import Compiler
from goinst.engine.delivery import Delivery
from goinst.engine.plan import Plan, Propagate
from goinst.engine.processes import Built as BuildInfo
from goinst.engine.processes import Processes
from goinst.engine.reload import Reload
from goinst.engine.still_open import StillOpen
from goinst.engine.stop import Stop, catch_signals
from goinst.engine.summary import Summary
from goinst.engine.targets import analyse, library_of, scanner
from goinst.engine.telemetry import Reporter, gather
from goinst.engine.tracer import Tracer
from goinst.errors import GoinstError, PluginError, TargetError
from goinst.events.tap import Observer, Telemetry
from goinst.export.base import Exporter, Meter
from goinst.golang.cache import Cache
from goinst.plugin.manager import PluginSet
from goinst.plugin.options import check_options
from goinst.sampling import parse_sampling
from goinst.target.command import Command
from goinst.target.process import Process, exe_of
from goinst.where import filters

__all__ = ["Session"]

_SCAN_EVERY = 1.0
_DEMAND_EVERY = 0.1
_SHORTEST, _LONGEST = 0.001, 0.05
_FULL = 0.25

# (device, inode): what a uprobe sits on
_File = tuple[int, int]


class Session:
    """Runs once. ``log`` is a structlog logger for diagnostics; exporters get the spans, observers the records.

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
    ) -> None:
        self._reload = Reload(reload, log)
        self._observers = observers
        self._config = config
        self._plugins = plugins
        self._log = log
        self._options = check_options(plugins.protocols, config.plugin_options)
        self._cache = Cache.default() if config.cache else None
        self._propagate: Propagate = ""
        metrics = any(isinstance(one, Meter) for one in exporters)
        self._sample, self._share = parse_sampling(config.sample).divided(metrics=metrics)
        self._scanner = scanner(config, strict=not config.wait)
        self._processes = Processes(self._built_from, config.service_name or os.environ.get("OTEL_SERVICE_NAME", ""))
        self._tracers: dict[_File, Tracer] = {}
        self._preparing: dict[_File, tuple[Future[Built | Plan], list[Process]]] = {}
        self._hopeless: dict[_File, str] = {}
        self._known: dict[tuple[int, float, int], _File] = {}
        self._stop = Stop()
        self._ended = ""
        self._summary = Summary()
        self._delivery = Delivery(
            plugins, exporters, self._summary, config.max_spans, self.end, self._plugin_failed,
            filters(config.where, self._share),
        )  # fmt: skip
        self._still_open = StillOpen(config.partial_after, self._delivery.report)
        self._reporter = Reporter(self._telemetry, [*self._observers, *self._delivery.listeners])
        self._count_only = not self._delivery.decode and not self._observers
        self._reported: set[str] = set()
        self._command: Command | None = None
        self._stack = ExitStack()

    def run(self) -> Summary:
        """Trace until a signal, the duration, the number of spans, or the end of all targets. GoinstError when it
        cannot start; everything is given back in any case."""
        began = time.monotonic()
        with self._stack:
            self._stack.callback(self._stop.close)
            catch_signals(self._stack, self.end, self._reload.want)
            for failure in self._plugins.failures:
                self._plugin_failed(failure)
            if not self._plugins.protocols:
                raise TargetError("none of the plugins can be used; `goinst plugins` says why")
            features = usable_features()
            self._multi = features["uprobe_multi"] is True
            self._propagate = allowed_propagation(self._config.propagate, features, self._log)
            self._pool = self._stack.enter_context(ThreadPoolExecutor(1, "goinst-prepare"))
            self._start_targets()
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000)  # spans are not cyclic: collections find nothing and cost a lot
            self._announce(began)
            self._loop()
            self._wind_up(began)
        return self._summary

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_targets(self) -> None:
        config = self._config
        processes: list[Process] = []
        if config.command:
            self._command = Command(config.command)
            self._stack.callback(self._command.terminate)
            held = self._command.start_held()
            processes.append(library_of(held, config.library) if config.library else held)
        if self._scanner is not None:
            processes += self._scanner.scan()
        problems: list[GoinstError] = []
        for process in processes:
            key = (process.device, process.inode)
            if key not in self._tracers and key not in self._hopeless:
                try:
                    self._trace(process, self._build(process))
                except TargetError as error:
                    self._hopeless[key] = str(error)
                    problems.append(error)
            if key in self._tracers:
                self._join(process)
        if not self._tracers and not self._config.wait:
            raise problems[0] if problems else TargetError("no process to instrument")
        for problem in problems:
            (self._log.debug if self._config.wait else self._log.warning)("not instrumented", reason=str(problem))
        if self._command is not None:
            self._command.release()

    def _build(self, process: Process) -> Built | Plan:
        """Analyse, plan, compile and load; in a thread when other targets are being traced already."""
        compiler = Compiler(self._cache)
        try:
            facts = analyse(process, self._config, self._cache)
            if not facts.known:
                compiler.warm_up()  # it loads LLVM while the binary is analysed
            built = build(
                facts,
                self._plugins.protocols,
                self._options,
                compiler,
                self._plugin_failed if len(self._plugins.protocols) > 1 else self._only_failed,
                filter_pids=not self._every(process),
                lineage=self._config.lineage,
                count_only=self._count_only,
                propagate=self._propagate,
                sample=self._sample,
                multi=self._multi,
                ring_bytes=self._config.ring_megabytes << 20,
                operations=self._config.max_operations,
            )
            facts.save()
            return built
        finally:
            compiler.close()

    @property
    def _waits(self) -> bool:
        """Whether what is asked for may come later: a library also into a process that is there."""
        config = self._config
        later = not config.command and (not config.pids or any(exe_of(pid) for pid in config.pids))
        return bool(config.exes or config.ports or (config.library and later))

    def _every(self, process: Process) -> bool:
        """Whether each process that runs the file is meant: then one is traced from its first instruction on."""
        return process.matched.startswith("--exe")

    def _trace(self, process: Process, built: Built | Plan) -> None:
        if isinstance(built, Plan):
            reasons = "; ".join(", ".join((f"{p.name}: {p.reason}", *p.unseen)) for p in built.plugins)
            raise TargetError(f"nothing to instrument in {process.exe}: {reasons}")
        for rejected in built.loaded.rejected:
            self._log.warning(
                "program left out", plugin=rejected.program.plugin, reason=str(rejected),
                lost=rejected.program.lost, **({"detail": rejected.detail} if self._config.verbose else {}),
            )  # fmt: skip
        # an open descriptor keeps the file reachable when the process is gone and its path deleted
        descriptor = os.open(process.binary, os.O_RDONLY | os.O_CLOEXEC)
        self._stack.callback(os.close, descriptor)
        tracer = Tracer(
            built,
            f"/proc/self/fd/{descriptor}",
            self._options,
            self._processes.resource,
            lambda plugin, words: self._plugin_failed(PluginError(plugin, words)),
            redact=self._config.redact,
            every=self._every(process),
            name=process.exe,
            count_only=self._count_only,
            observers=self._observers,
        )
        self._stack.callback(tracer.close)
        probed = tracer.attach()
        for plugin in built.plan.plugins:
            for what in plugin.unseen:
                self._log.warning("not seen", plugin=plugin.name, executable=process.exe, reason=what)
            if not plugin.enabled:
                self._log.debug(
                    "plugin not used here", plugin=plugin.name, executable=process.exe, reason=plugin.reason
                )
            for problem in plugin.problems if plugin.enabled else ():
                self._log.warning("not captured as asked", plugin=plugin.name, executable=process.exe, reason=problem)
            for probe in plugin.probes if plugin.enabled else ():
                # a function that the linker left out is never called: nothing is lost
                if not probe.sites and (self._config.verbose or not probe.optional or probe.inlined_in):
                    self._log.warning("probe missing", plugin=plugin.name, reason=probe.reason, lost=probe.lost)
        for refused in tracer.refused:
            self._log.warning("the kernel refuses a probe", reason=refused)
        if not probed:
            raise TargetError(f"no instruction of {process.exe} can be probed: {'; '.join(tracer.refused)}")
        self._tracers[process.device, process.inode] = tracer

    def _join(self, process: Process) -> None:
        key = (process.device, process.inode)
        self._known[process.identity] = key
        self._processes.add(process.pid, process.program or process.exe)
        self._tracers[key].add(process.pid)

    def _built_from(self, path: str) -> BuildInfo:
        for tracer in self._tracers.values():
            if tracer.name == path:
                return BuildInfo(tracer.plan.info.main_module, tracer.plan.info.go_version)
        return BuildInfo()

    def _announce(self, began: float) -> None:
        self._log.info(
            "ready", targets=[tracer.members() for tracer in self._tracers.values()],
            attach="uprobe_multi" if self._multi else "perf events", seconds=round(time.monotonic() - began, 3),
        )  # fmt: skip

    def _reconfigure(self, new: RunConfig) -> None:
        """What can change while probes are live; the rest stays as it was."""
        self._scanner = scanner(new, strict=False)
        self._config = replace(self._config, pids=new.pids, exes=new.exes, ports=new.ports)
        self._delivery.keep = filters(new.where, self._share)

    # -- running -------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        self._reporter.tell()
        config, start = self._config, time.monotonic()
        deadline = start + config.duration if config.duration is not None else float("inf")
        scan, demand, pause = start + _SCAN_EVERY, start + _DEMAND_EVERY, _SHORTEST
        while not self._stop.is_set():
            taken = self._drain()
            now = time.monotonic()
            if now >= deadline:
                self.end("duration")
                break
            if now >= demand:
                demand = now + _DEMAND_EVERY
                self._attach_on_demand()
                if self._command is not None and self._command.poll() is not None:
                    self.end("the command ended")
            if (new := self._reload.take()) is not None:
                self._reconfigure(new)
            if now >= scan:
                scan = now + _SCAN_EVERY
                self._rescan()
                self._reporter.tell()
                self._still_open.report((one.operations, one.correlator) for one in self._tracers.values())
            pause = _SHORTEST if taken else min(pause * 2, _LONGEST)
            if not taken or all(tracer.ring.waiting < _FULL for tracer in self._tracers.values()):
                # metrics alone are in no hurry, and cheaper for many records at once
                quiet = _DEMAND_EVERY if self._delivery.store is not None else 0.005 if taken else pause
                self._stop.wait(min(max(pause, quiet), max(deadline - now, 0)))

    def _drain(self) -> int:
        total = 0
        for tracer in self._tracers.values():
            turn, more = time.monotonic() + _DEMAND_EVERY, True  # what comes without end leaves time for all else
            while more and not self._stop.is_set() and time.monotonic() < turn:
                taken, more = tracer.hand_on(self._delivery)
                total += taken
        if total:
            self._delivery.flush()
        return total

    def _attach_on_demand(self) -> None:
        for tracer in self._tracers.values():
            come, go = tracer.settle()
            if come:
                self._log.info("probes added on demand", symbols=come, executable=tracer.name)
            if go:
                self._log.info("probes taken away", symbols=go, executable=tracer.name)

    def _rescan(self) -> None:
        """Pick up new processes of what was asked for, let go of those that ended."""
        self._collect_prepared()
        now: set[tuple[int, float, int]] = set()
        if self._scanner is not None:
            for process in self._scanner.scan():
                now.add(process.identity)
                if process.identity not in self._known:
                    self._arrived(process)
        for identity, key in list(self._known.items()):
            if identity in now or (self._command is not None and identity[0] == self._command.pid):
                continue
            del self._known[identity]
            if key in self._tracers:
                self._tracers[key].remove(identity[0])
                self._log.info("process left", pid=identity[0], executable=self._tracers[key].name)
            self._processes.remove(identity[0])
        if not self._known and not self._preparing and not self._waits:
            self.end("all processes ended")

    def _arrived(self, process: Process) -> None:
        key = (process.device, process.inode)
        self._known[process.identity] = key
        if key in self._tracers:
            self._join(process)
            self._log.info("process joined", pid=process.pid, executable=process.exe)
        elif key in self._preparing:
            self._preparing[key][1].append(process)
        elif key not in self._hopeless:
            self._preparing[key] = (self._pool.submit(self._build, process), [process])

    def _collect_prepared(self) -> None:
        for key, (future, processes) in list(self._preparing.items()):
            if not future.done():
                continue
            del self._preparing[key]
            try:
                self._trace(processes[0], future.result())
            except (GoinstError, OSError) as error:
                self._hopeless[key] = str(error)
                self._log.warning("not instrumented", executable=processes[0].exe, reason=str(error))
                continue
            for process in processes:
                self._join(process)
                self._log.info("process joined", pid=process.pid, executable=process.exe)

    # -- ending --------------------------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """End the run soon; from any thread."""
        self._ended = self._ended or why
        self._stop.set()

    def _wind_up(self, began: float) -> None:
        """Detach first, then take what is still in the rings, unless the run ended because it had enough."""
        summary = self._summary
        for tracer in self._tracers.values():
            tracer.detach()
        enough = self._ended in ("enough spans", "the output was closed")
        self._stop.clear()
        if not enough:
            while self._drain() and not self._stop.is_set():  # no probe is left that could add to it
                pass
            kept = [span for tracer in self._tracers.values() for span in tracer.correlator.finish()]
            if kept:
                self._delivery.deliver(kept, len(kept))
        self._reporter.tell(last=True)
        self._delivery.finish()
        state = self._telemetry()
        for tracer in self._tracers.values():
            summary.tables += tracer.tables()
            summary.notes += tracer.notes()
            summary.places += tracer.loss_places()
        summary.open += state.open.total()
        summary.losses, summary.hits, summary.ring_high_water = state.losses, state.hits, state.ring_high_water
        summary.seconds = time.monotonic() - began
        summary.ended = self._ended
        self._log.info("summary", **summary.fields(places=self._config.stats or self._config.verbose))

    def _telemetry(self) -> Telemetry:
        return gather(self._tracers.values(), self._summary.spans_by_plugin, self._delivery.losses())

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
