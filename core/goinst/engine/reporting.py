"""What a run lacks, for people: each thing once. Of a plan, when its executable begins to be traced."""

from __future__ import annotations

from typing import Any

from goinst.engine.build import Built
from goinst.golang.cache import Cache

__all__ = ["report_plan", "usable_cache"]


def usable_cache(log: Any) -> Cache:
    """The cache; ``log`` is told when it cannot be trusted or used, and what that costs."""
    cache = Cache.default()
    if cache.problem:
        log.warning(
            "nothing is kept", reason=cache.problem,
            lost="a second or more at each start, for analysing and compiling anew (--no-cache says that it is meant)",
        )  # fmt: skip
    return cache


def report_plan(log: Any, built: Built, executable: str, *, verbose: bool) -> None:
    """Tell ``log`` which programs and probes are missing in an executable, and what is not seen for that."""
    for rejected in built.loaded.rejected:
        log.warning(
            "program left out", plugin=rejected.program.plugin, reason=str(rejected),
            lost=rejected.program.lost, **({"detail": rejected.detail} if verbose else {}),
        )  # fmt: skip
    if moved := {name: real for plugin in built.plan.plugins if plugin.enabled for name, real in plugin.packages}:
        log.info("packages under other names", executable=executable, packages=moved)
    for plugin in built.plan.plugins:
        for what in plugin.unseen:
            log.warning("not seen", plugin=plugin.name, executable=executable, reason=what)
        if not plugin.enabled:
            log.debug("plugin not used here", plugin=plugin.name, executable=executable, reason=plugin.reason)
        for problem in plugin.problems if plugin.enabled else ():
            log.warning("not captured as asked", plugin=plugin.name, executable=executable, reason=problem)
        for probe in plugin.probes if plugin.enabled else ():
            # a function that the linker left out is never called: nothing is lost
            if not probe.sites and not probe.covered and (verbose or not probe.optional or probe.inlined_in):
                log.warning("probe missing", plugin=plugin.name, reason=probe.reason, lost=probe.lost)
            elif probe.unseen and (verbose or not probe.attach_on):
                say = log.warning if probe.optional else log.error
                say(
                    "calls are not seen",
                    plugin=plugin.name,
                    executable=executable,
                    reason=probe.unseen,
                    lost=probe.lost,
                )
