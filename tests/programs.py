"""Every program of every plugin, compiled: Go programs that have something for each of them, planned in each mode."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import gobuild
from goinst.golang.facts import GoFacts
from goinst.kernel.compiler import Compiler
from goinst.kernel.program import BpfObject
from goinst.plan.plan import Plan, make_plan
from goinst.plan.settings import PlanSettings
from goinst.plugin.manager import PluginSet

__all__ = ["MODES", "PLUGINS", "Compiled", "compiled", "compiled_for_a_run"]

# Go programs of tests/go that between them have something for each plugin, and for which
_GO_PROGRAMS = {
    "chain": ("nethttp", "http2", "jsonrpc", "jsonstream", "grpc"),
    "netrpc": ("netrpc",),
    "connectrpc": ("nethttp", "connectrpc"),
}
PLUGINS = tuple(dict.fromkeys(plugin for plugins in _GO_PROGRAMS.values() for plugin in plugins))
"""All that come with goinst."""

MODES: dict[str, dict[str, Any]] = {
    "spans": {"filter_pids": True, "count_only": False, "propagate": ""},
    "counted": {"filter_pids": False, "count_only": True, "propagate": ""},
    "written": {"filter_pids": True, "count_only": False, "propagate": "write"},
}


@dataclass(frozen=True)
class Compiled:
    """The programs for one Go program in one mode, as the loader takes them."""

    name: str
    plan: Plan
    built: BpfObject


def compiled(modes: tuple[str, ...] = tuple(MODES), go: str | None = None) -> Iterator[Compiled]:
    """AssertionError when a plugin that comes with goinst has nothing to do in any of them."""
    seen: set[str] = set()
    for program, plugins in _GO_PROGRAMS.items():
        facts = GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / program, go=go)))
        protocols = PluginSet.load(list(plugins)).protocols
        for mode in modes:
            plan = make_plan(facts, protocols, {}, PlanSettings(**MODES[mode]))
            seen.update(plan.enabled)
            compiler = Compiler()
            try:
                yield Compiled(f"{program}, {mode}", plan, compiler.compile(plan.source))
            finally:
                compiler.close()
    own = {point.name for point in entry_points(group="goinst") if point.value.startswith("goinst.plugins.")}
    assert own
    assert own == set(PLUGINS)
    assert own <= seen, f"no program has anything for {own - seen}"


def compiled_for_a_run(
    executables: Sequence[Path], plugins: Sequence[str] = PLUGINS, **settings: Any
) -> dict[str, dict[str, Any]]:
    """What a run compiles for these: packed objects by the digest of their source. ``settings`` are PlanSettings'. For
    guests, where the compiler takes minutes."""
    protocols, found = PluginSet.load(plugins).protocols, {}
    for executable in executables:
        plan = make_plan(GoFacts.open(str(executable)), protocols, {}, PlanSettings(**settings))
        compiler = Compiler()
        try:
            found[hashlib.sha256(plan.source.encode()).hexdigest()] = compiler.compile(plan.source).pack()
        finally:
            compiler.close()
    return found
