"""What a run lacks, for people: each thing once. Of a plan, when its executable begins to be traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goinst.cache import Cache
from goinst.config import RunConfig
from goinst.plan.plan import Plan
from goinst.plugin.protocol import Protocol
from goinst.processes.process import Process
from goinst.run.build import Built
from goinst.run.executable import Executable, Identity
from goinst.run.silent import passed, silent_probes
from goinst.run.tracer import Tracer
from goinst.run.wording import ready_lines

__all__ = [
    "Comings", "reasons_of", "report_plan", "report_ready", "report_silent", "report_unused", "usable_cache",
]  # fmt: skip

_NOTHING = (
    "nothing that the plugins know is in the program but standard input and output, and its standard input is no pipe"
)


def usable_cache(log: Any) -> Cache:
    """The cache; ``log`` is told when it cannot be trusted or used, and what that costs."""
    cache = Cache.default()
    if cache.problem:
        log.warning(
            "nothing is kept", reason=cache.problem,
            lost="a second or more at each start, for analysing and compiling anew (--no-cache says that it is meant)",
        )  # fmt: skip
    return cache


def report_plan(log: Any, built: Built, executable: Executable, config: RunConfig) -> None:
    """Tell ``log`` which programs and probes are missing in an executable, and what is not seen for that.

    Of one that is meant by itself also which plugins are of no use there, if somebody has named them.
    """
    name = executable.name
    for rejected in built.loaded.rejected:
        program = built.plan.program(rejected.function)
        log.warning(
            "program left out", plugin=program.plugin, reason=str(rejected),
            lost=program.lost, **({"detail": rejected.detail} if config.verbose else {}),
        )  # fmt: skip
    if moved := {name: real for plugin in built.plan.plugins if plugin.enabled for name, real in plugin.packages}:
        log.info("packages under other names", executable=name, packages=moved)
    for what in built.plan.unseen if config.native == "no" else ():  # goinst trace is asked for functions by name
        log.warning("not seen", executable=name, reason=what)
    for plugin in built.plan.plugins:
        for what in plugin.unseen:
            log.warning("not seen", plugin=plugin.name, executable=name, reason=what)
        if not plugin.enabled:
            asked = plugin.name in config.named and not executable.every
            say = log.warning if asked else log.debug
            say("plugin not used here", plugin=plugin.name, executable=name, reason=plugin.reason)
        for problem in plugin.problems if plugin.enabled else ():
            log.warning("not captured as asked", plugin=plugin.name, executable=name, reason=problem)
        for probe in plugin.probes if plugin.enabled else ():
            # a function that the linker left out is never called: nothing is lost
            if not probe.sites and not probe.covered and (config.verbose or not probe.optional or probe.inlined_in):
                log.warning("probe missing", plugin=plugin.name, reason=probe.reason, lost=probe.lost)
            elif probe.unseen and (config.verbose or not probe.attach_on):
                say = log.warning if probe.optional else log.error
                say("calls are not seen", plugin=plugin.name, executable=name, reason=probe.unseen, lost=probe.lost)


class Comings:
    """Tells ``log`` of each process once that it has come, and that it has left."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._here: set[Identity] = set()

    def joined(self, executable: Executable, process: Process, *, say: bool) -> None:
        """It is traced. Not news, unless ``say``, when it was there from the start."""
        if process.identity not in self._here and say:
            missed = executable.missed(process)
            unseen = {"unseen_seconds": missed} if missed else {}  # requests of that time are counted nowhere
            self._log.info("process joined", pid=process.pid, executable=process.exe, **unseen)
        self._here.add(process.identity)

    def idle(self, executable: Executable, process: Process) -> None:
        """Warn of the first process of an executable in which there is nothing to see."""
        tracer = executable.tracer
        if tracer is not None and tracer.idle and len(executable.members) == 1:
            missing = {plugin.name: plugin.reason for plugin in tracer.plan.plugins if not plugin.enabled}
            self._log.warning(
                "nothing to see", pid=process.pid, executable=process.exe, reason=_NOTHING, missing=missing
            )

    def left(self, executable: Executable, process: Process) -> None:
        """It has ended, or runs something else."""
        self._here.discard(process.identity)
        self._log.info("process left", pid=process.pid, executable=executable.name)


def report_ready(log: Any, tracers: Sequence[Tracer], attach: str, seconds: float) -> None:
    """Say that the probes are live."""
    targets = [tracer.members() for tracer in tracers]
    log.report(
        "ready", lambda: ready_lines(targets, attach, seconds), targets=targets, attach=attach,
        seconds=round(seconds, 3),
    )  # fmt: skip


def report_silent(log: Any, tracers: Sequence[Tracer], protocols: Sequence[Protocol], under_way: int) -> None:
    """Say which probes should have been passed and were not, while so many operations are ``under_way``."""
    hits = passed((tracer.plan.counters, tracer.counts()) for tracer in tracers)
    for plugin, words in silent_probes(protocols, hits, under_way):
        log.warning(
            "a probe was never passed", plugin=plugin, reason=words,
            lost="spans: see `goinst inspect`, and what was said at the start about calls that are not seen",
        )  # fmt: skip


def report_unused(log: Any, plans: Sequence[Plan], named: Sequence[str]) -> None:
    """Tell ``log`` which plugins somebody has named and none of several executables has a use for."""
    for name in named if len(plans) > 1 else ():
        found = [plugin for plan in plans for plugin in plan.plugins if plugin.name == name]
        if found and not any(plugin.enabled for plugin in found):
            log.warning("plugin not used", plugin=name, reason=found[0].reason)


def reasons_of(plan: Plan) -> str:
    """Why there is nothing to instrument in a binary, plugin by plugin, in one line."""
    each = (", ".join((f"{plugin.name}: {plugin.reason}", *plugin.unseen)) for plugin in plan.plugins)
    return "; ".join((*plan.unseen, *each))
