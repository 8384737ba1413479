"""From plugins and a binary to programs in the kernel, leaving out each plugin that does not get there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from goinst.binary.facts import Facts
from goinst.capture.expand import smaller
from goinst.errors import BinaryError, BuildError, PluginError
from goinst.kernel.compiler import Compiler, blame
from goinst.kernel.loader import Loaded, Rejected, load
from goinst.plan.plan import Plan, make_plan
from goinst.plan.settings import PlanSettings
from goinst.plugin.protocol import Protocol

__all__ = ["Built", "build"]

# the verifier's words for more than a million instructions on all paths (kernel/bpf/verifier.c, do_check), and what is
# left of them when its log is cut
_TOO_LARGE = ("too large", "processed 1000001 insns")


@dataclass(slots=True)
class Built:
    """A plan whose programs are loaded. ``markers`` are file offsets of instructions that could be probed, are not, and
    are passed once in a process, at its start."""

    plan: Plan
    loaded: Loaded
    markers: tuple[int, ...] = ()


def build(
    facts: Facts,
    protocols: Sequence[Protocol],
    options: Mapping[str, Mapping[str, Any]],
    settings: PlanSettings,
    compiler: Compiler,
    failed: Callable[[PluginError], None],
    *,
    multi: bool,
    ring_bytes: int,
    operations: int,
) -> Built | Plan:
    """Plan, compile and load; again without the plugin that is to blame when one of the last two fails.

    ``failed`` is told of each such plugin. When no plugin is left, the plan that says why is returned.
    """
    disabled: dict[str, str] = {}
    while True:
        try:
            plan = make_plan(facts, protocols, options, settings, disabled=disabled)
        except PluginError as error:
            if error.plugin == "core" or error.plugin in disabled:
                raise
            disabled[error.plugin] = str(error)
            failed(error)
            continue
        if not plan.enabled:
            return plan
        try:
            built = compiler.compile(plan.source)
        except BuildError as error:
            culprit = blame(error.detail, plan.enabled) or _find_culprit(
                plan, partial(make_plan, facts, protocols, options, settings), compiler, disabled
            )
            if culprit is None:
                raise
            reason = str(error)
            failed(PluginError(culprit, reason, detail=error.detail))
            disabled[culprit] = reason
            continue
        try:
            loaded = load(
                built, plan.programs, multi=multi, ring_bytes=ring_bytes, operations=operations, rows=plan.rows
            )
        except Rejected as error:
            plugin = plan.program(error.function).plugin
            if any(words in str(error) for words in _TOO_LARGE) and (less := _with_less(protocols, plugin)) is not None:
                protocols = less
                continue
            failed(PluginError(plugin, str(error), detail=error.detail))
            disabled[plugin] = str(error)
            continue
        return Built(plan, loaded, _markers(facts, plan))


def _markers(facts: Facts, plan: Plan) -> tuple[int, ...]:
    """In runtime.schedinit and what it calls (runtime/proc.go): on a Go program's first thread, once."""
    taken = {offset for program in plan.programs for offset in program.offsets}
    found = []
    for name in ("runtime.schedinit", "runtime.mallocinit", "runtime.modulesinit", "runtime.goenvs"):
        try:
            found += [site.file_offset for site in facts.sites(name, "entry")]
        except BinaryError:
            continue
    return tuple(offset for offset in found if offset not in taken)


def _with_less(protocols: Sequence[Protocol], plugin: str) -> list[Protocol] | None:
    """The protocols, of which one captures less; None when it cannot."""
    found = {protocol.name: smaller(protocol) for protocol in protocols if protocol.name == plugin}
    if not any(found.values()):
        return None
    return [found.get(protocol.name) or protocol for protocol in protocols]


def _find_culprit(
    plan: Plan, planned: Callable[..., Plan], compiler: Compiler, disabled: Mapping[str, str]
) -> str | None:
    """When the compiler's words name no plugin (LLVM ended the process): the one without which it compiles.

    ``planned`` makes the plan that failed, without the plugins that are ``disabled``.
    """
    for name in reversed(plan.enabled):
        trial = planned(disabled={**disabled, name: "left out to find the culprit"})
        if not trial.enabled:
            return name
        try:
            compiler.compile(trial.source)
        except BuildError:
            continue
        return name
    return None
