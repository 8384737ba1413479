"""The plan: plugins x one binary -> C text and attach points. Pure: no root, no kernel, same input, same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from goinst.binary.facts import Facts
from goinst.binary.model import BinaryInfo, Fact
from goinst.capture.aggregate import Table
from goinst.capture.expand import expand
from goinst.errors import BinaryError, PluginError
from goinst.golang.symbols import package_of, unescaped
from goinst.plan.arguments import bias, marked_words, word
from goinst.plan.began import BEGAN
from goinst.plan.lineage import CONTEXT, LINEAGE, WORKERS, worker_rows
from goinst.plan.packages import View, declared_packages, views
from goinst.plan.resolve import ResolvedField, ResolvedProbe, not_asked_for, not_needed, resolve_probe
from goinst.plan.runtime import runtime_macros
from goinst.plan.settings import PlanSettings
from goinst.plan.source import Counter, Part, Program, write_source
from goinst.plan.unseen import left_out, of_binary, unseen
from goinst.plugin import protocol as declare
from goinst.plugin.enums import macros_of
from goinst.plugin.layout import Layout, lay_out

__all__ = ["Plan", "PluginPlan", "ResolvedField", "ResolvedProbe", "make_plan"]

Rows = tuple[tuple[bytes, bytes], ...]
_FEW_RETURNS = 8  # of so many it can be told which one was hit
_OWN = (LINEAGE.name, BEGAN.name)  # the core's own probes


@dataclass(frozen=True, slots=True)
class PluginPlan:
    """A plugin in this binary. When it is not ``enabled``, ``reason`` says why in one line. ``problems`` are captures
    that the binary cannot give, or not whole; ``tables`` what the kernel counts for others. ``packages`` are those that
    have another path in the binary than is declared, with it; ``unseen`` what the plugin has no probe for; ``signals``
    those that it declares."""

    name: str
    enabled: bool
    reason: str
    fields: tuple[ResolvedField, ...]
    probes: tuple[ResolvedProbe, ...]
    types: tuple[tuple[str, str, Fact | None], ...]
    layouts: tuple[Layout, ...] = ()
    unseen: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    packages: tuple[tuple[str, str], ...] = ()
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is needed to trace one binary: ``source`` for the compiler, ``programs`` for the loader and the
    attacher, ``counters`` and ``layouts`` for the reader. ``rows``: what maps hold from the start, by name; such a map
    is as large as that. ``unseen``: what no plugin can see."""

    info: BinaryInfo
    source: str
    programs: tuple[Program, ...]
    counters: tuple[Counter, ...]
    layouts: tuple[Layout, ...]
    plugins: tuple[PluginPlan, ...]
    rows: Mapping[str, Rows] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()

    @property
    def enabled(self) -> tuple[str, ...]:
        """Names of the plugins that trace this binary."""
        return tuple(p.name for p in self.plugins if p.enabled and p.name not in _OWN)

    def program(self, function: str) -> Program:
        """The program of this name in the source."""
        return next(program for program in self.programs if program.function == function)

    def describe(self) -> str:
        """The decisions as text, for golden tests and for people."""
        lines = [f"{self.info.go_version or 'native'} {self.info.arch} {self.info.abi} ABI"]
        for plugin in self.plugins:
            lines.append(f"plugin {plugin.name}: {'on' if plugin.enabled else 'off: ' + plugin.reason}")
            lines += [f"  package {declared} is {real}" for declared, real in plugin.packages]
            for found in plugin.fields:
                offset = found.fact.value if found.fact else "absent"
                lines.append(f"  field {found.macro} = {found.type}.{found.path} @ {offset}")
            for probe in plugin.probes:
                if not probe.sites:
                    lines.append(f"  probe {probe.program}: none: {probe.reason}")
                for site in probe.sites:
                    kind = "emulated" if site.emulated else "single-stepped"
                    lines.append(
                        f"  probe {probe.program} {probe.place} {probe.symbol}: `{site.instruction}` {kind}"
                        f" guard={site.guard} g={site.g} stack_adjust={site.stack_adjust}"
                    )
                for argument in (*probe.parameters, *probe.results) if probe.sites else ():
                    words = " ".join(
                        f"{suffix or 'word'}={where.register or f'stack+{where.stack}'}"
                        for suffix, where in argument.words.items()
                    )
                    lines.append(f"    {argument.name} {argument.type}: {words}")
        for program in self.programs:
            lines.append(f"program {program.function} role={program.role} slot={program.slot}")
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Draft:
    """A plugin while it is being resolved."""

    protocol: declare.Protocol
    options: Mapping[str, Any]
    view: View
    reason: str = ""
    fields: list[ResolvedField] = field(default_factory=list)
    types: list[tuple[str, str, Fact | None]] = field(default_factory=list)
    probes: list[ResolvedProbe] = field(default_factory=list)
    layouts: list[Layout] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    used: dict[str, tuple[str, str]] = field(default_factory=dict)  # by probe: its package as declared, in the binary
    left_out: dict[str, str] = field(default_factory=dict)  # packages that another view has, and words for users

    def off(self, reason: str) -> None:
        self.reason = self.reason or reason


def make_plan(
    facts: Facts,
    protocols: Sequence[declare.Protocol],
    options: Mapping[str, Mapping[str, Any]] | None = None,
    settings: PlanSettings = PlanSettings(),  # noqa: B008 - it is frozen
    *,
    disabled: Mapping[str, str] | None = None,
) -> Plan:
    """Plan the tracing of one binary by these plugins, base plugins first (PluginSet's order).

    ``disabled`` maps plugins that failed to compile or verify to the reason. A plugin that lacks what it requires in
    this binary is in the plan, switched off. BinaryError when even the goroutine cannot be found.
    """
    native, propagate = facts.info.native, bool(settings.propagate)
    macros = {"GOINST_NATIVE": 1} if native else runtime_macros(facts)
    macros.update(settings.sample.macros)
    if settings.propagate:
        macros["GOINST_PROPAGATE"] = 1 if settings.propagate == "write" else 2
    drafts: list[_Draft] = []
    rows: dict[str, Rows] = {}
    off: dict[str, str] = dict(disabled or {})
    number = 1
    seen = views(facts, protocols)
    chosen: dict[str, View] = {}
    for protocol in protocols:
        # programs of plugins that build on each other see the same packages
        bases = [base for base in protocols if base.name in protocol.builds_on and base.name in chosen]
        possible = [view for view in seen if all(view.agrees(chosen[base.name], base) for base in bases)]
        draft = _best([_draft(view, protocol, options or {}, off, number, propagate=propagate) for view in possible])
        chosen[protocol.name] = draft.view
        drafts.append(draft)
        number += len(draft.protocol.records)
        if draft.reason:
            off[protocol.name] = draft.reason
    clients = any(_has_clients(draft) for draft in drafts)
    if clients or settings.sample.macros:
        macros["GOINST_CONTEXT"] = 1  # somebody asks for a server's trace before user space knows it
    if settings.count_only:
        for draft in drafts:
            if all(record.role == "fact" for record in draft.protocol.records):
                draft.off("it only adds to spans, and they are only counted")
    elif clients and (settings.lineage or settings.propagate) and not native:
        drafts.append(_draft(View(facts), LINEAGE, {}, off, number, propagate=False))
        if not drafts[-1].reason:
            try:
                rows[WORKERS] = worker_rows(facts)
            except BinaryError as error:
                drafts[-1].off(str(error))
        if not drafts[-1].reason and (context := facts.type_hash(CONTEXT)) is not None:
            macros["GOINST_T_CONTEXT"] = context.value
    if not (settings.filter_pids or settings.count_only or native):
        drafts.append(_draft(View(facts), BEGAN, {}, off, number, propagate=False))
    if settings.ways:
        macros["GOINST_WAYS"] = 1
    parts = [_part(draft, pie=facts.info.pie) for draft in drafts if not draft.reason]
    source, programs, counters = write_source(
        facts.info.arch, macros, parts, filter_pids=settings.filter_pids, count_only=settings.count_only
    )
    return Plan(
        info=facts.info,
        source=source,
        programs=programs,
        counters=counters,
        layouts=tuple(layout for draft in drafts if not draft.reason for layout in draft.layouts),
        plugins=tuple(
            PluginPlan(
                draft.protocol.name,
                not draft.reason,
                draft.reason,
                tuple(draft.fields),
                tuple(draft.probes),
                tuple(draft.types),
                tuple(draft.layouts),
                _unseen(facts, draft),
                tuple(draft.problems),
                tuple(draft.tables),
                draft.view.names(declared_packages(draft.protocol)),
                draft.protocol.signals,
            )
            for draft in drafts
        ),
        unseen=of_binary(facts),
        rows=rows,
    )


def _best(drafts: Sequence[_Draft]) -> _Draft:
    """Choose the view in which most of a plugin's probes have a place, and say what it leaves out that others show."""

    def places(draft: _Draft) -> tuple[bool, int, int, int]:
        first = draft.view.places[0]
        inside = sum(1 for _, real in draft.used.values() if first and real.startswith(first))
        sites = sum(1 for probe in draft.probes if probe.sites)
        return not draft.reason, sites, inside, sum(1 for probe in draft.probes if probe.linked)

    best = max(drafts, key=places)  # the first of equal ones
    if not best.reason:
        others = {pair for draft in drafts if not draft.reason for pair in draft.used.values()}
        best.left_out = left_out(best.used.values(), others)
    return best


def _unseen(facts: Facts, draft: _Draft) -> tuple[str, ...]:
    if facts.info.native:
        return ()
    seen = {program: real for program, (_, real) in draft.used.items() if not draft.reason}
    for probe in draft.protocol.probes:
        if probe.instead_of and probe.program in seen:
            seen.setdefault(probe.instead_of, seen[probe.program])
    return (*draft.left_out.values(), *unseen(facts, draft.protocol, seen, draft.left_out))


def _draft(
    view: View,
    protocol: declare.Protocol,
    options: Mapping[str, Mapping[str, Any]],
    off: Mapping[str, str],
    number: int,
    *,
    propagate: bool,
) -> _Draft:
    """Resolve one plugin; ``off`` are those that are off already, ``number`` the type of its first record."""
    expanded = expand(protocol, view.renamed)
    protocol = expanded.protocol
    draft = _Draft(protocol, _options(protocol, options.get(protocol.name, {})), view)
    draft.problems += expanded.problems + [words for made in expanded.made for words in made.limited]
    draft.tables += [table for made in expanded.made for table in made.tables]
    if expanded.problems and not protocol.probes:
        draft.off("; ".join(expanded.problems))
    for base in protocol.builds_on:
        if base in off:
            draft.off(f"it builds on {base}, which is off: {off[base]}")
    if protocol.name in off:
        draft.off(off[protocol.name])
    _resolve(view.renamed, draft, propagate=propagate)
    for index, record in enumerate(protocol.records):
        try:
            draft.layouts.append(lay_out(protocol.name, record, number + index, draft.options))
        except PluginError as error:
            draft.off(str(error))
    return draft


def _has_clients(draft: _Draft) -> bool:
    """Whether the plugin is on and can begin an operation here that may be the child of another goroutine's."""
    present = {probe.program for probe in draft.probes if probe.sites}
    return not draft.reason and any(
        record.role == "operation" and record.kind != "server" and (not record.begun_by or present & {*record.begun_by})
        for record in draft.protocol.records
    )


def _options(protocol: declare.Protocol, given: Mapping[str, Any]) -> dict[str, Any]:
    return {option.name: given.get(option.name, option.default) for option in protocol.options}


def _resolve(facts: Facts, draft: _Draft, *, propagate: bool) -> None:
    protocol = draft.protocol
    without: dict[str, str] = {}  # sides that the binary does not have, and why
    probes = [probe for probe in protocol.probes if propagate or not probe.propagates]
    placed = {probe.program: _asked_for(facts, draft, probe) for probe in probes if not probe.instead_of}
    _stand_in(facts, draft, [probe for probe in probes if probe.instead_of], placed)
    for probe in probes:
        resolved = placed[probe.program]
        asked_for = not probe.option or bool(draft.options.get(probe.option))
        if asked_for and not resolved.sites and not resolved.covered and not probe.optional:
            if probe.side and not resolved.linked:
                without.setdefault(probe.side, resolved.reason)
                resolved = replace(resolved, optional=True)
            else:
                draft.off(resolved.reason)
        draft.probes.append(resolved)
    present = {probe.program for probe in draft.probes if probe.sites}
    if without and present.isdisjoint(name for record in protocol.records for name in record.begun_by):
        draft.off(next(iter(without.values())))
    if not (protocol.fragments or protocol.probes or protocol.records or protocol.captures):
        draft.off("it has hooks and no probes")
    if not present:
        draft.off("none of the functions that it looks for is in the binary")
    absent: list[str] = []
    for macro, wanted in protocol.fields.items():
        places = ((wanted.type, wanted.path), *wanted.alternatives)
        found = ((place, facts.field(*place)) for place in places)
        (type_name, path), fact = next((pair for pair in found if pair[1] is not None), (places[0], None))
        optional = wanted.optional or wanted.side in without
        draft.fields.append(ResolvedField(macro, type_name, path, fact, optional))
        if fact is None and not optional:
            absent.append(f"{wanted.type}.{wanted.path}")
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        draft.off(f"the binary has no field {', '.join(absent[:3])}{more}")
    for macro, kind in protocol.types.items():
        draft.types.append((macro, kind.name, facts.type_hash(kind.name)))


def _asked_for(facts: Facts, draft: _Draft, probe: declare.Probe) -> ResolvedProbe:
    """Where a probe goes, if its option is on."""
    if probe.option and not draft.options.get(probe.option):
        return not_asked_for(facts, probe)
    return _placed(facts, draft, probe)


def _stand_in(facts: Facts, draft: _Draft, probes: Sequence[declare.Probe], found: dict[str, ResolvedProbe]) -> None:
    """Plan those probes that stand in for others whose functions are inlined; ``found`` are the others, by program."""
    for probe in probes:
        needed = bool(found[probe.instead_of].inlined_in)
        found[probe.program] = _asked_for(facts, draft, probe) if needed else not_needed(facts, probe)
        if not found[probe.program].sites:
            found[probe.program] = replace(found[probe.program], parameters=(), results=())
    for program in {probe.instead_of for probe in probes}:
        instead = [found[probe.program] for probe in probes if probe.instead_of == program]
        linked = [each for each in instead if each.linked]
        if linked and all(each.sites and not each.inlined_in for each in linked):
            found[program] = replace(found[program], covered=True)


def _placed(facts: Facts, draft: _Draft, probe: declare.Probe) -> ResolvedProbe:
    """Where a probe goes; in a fork not where it would write, and only where arguments are as declared."""
    view, resolved = draft.view, resolve_probe(facts, probe)
    if not resolved.sites or resolved.symbol is None or facts.info.native:
        return resolved
    path = unescaped(package_of(resolved.symbol))
    symbol = facts.called(resolved.symbol)
    if view.is_fork(path):
        chosen = (resolved.symbol, resolved.callee, resolved.place)
        site = next(site for site in probe.sites if (site.symbol, site.callee, site.place or probe.place) == chosen)
        if probe.propagates:
            return replace(resolved, sites=(), symbol=None, reason=f"{view.real(path)} is a fork: not written into")
        if not facts.takes(site.callee or site.symbol, site.signature):
            return replace(resolved, sites=(), symbol=None, reason=f"{symbol} takes other arguments")
    draft.used[probe.program] = path, view.real(path)
    return replace(resolved, symbol=symbol)


def _part(draft: _Draft, *, pie: bool) -> Part:
    """What the source writer needs of a plugin: every decision made, only text left to write."""
    defines = macros_of(draft.protocol)
    for found in draft.fields:
        if found.fact is not None:
            defines[found.macro] = str(found.fact.value)
    for macro, _, fact in draft.types:
        defines[macro] = hex(fact.value) if fact else "0"
    for option in draft.protocol.options:
        if option.define:
            value = draft.options[option.name]
            defines[option.define] = str(int(value) if isinstance(value, bool) else value)
    for probe in draft.probes:
        if probe.sites and (probe.place != "return" or len(probe.sites) <= _FEW_RETURNS):
            defines[f"{probe.program}__bias"] = bias(pie, [site.address for site in probe.sites])
        defines |= marked_words(probe.program, probe.marked)
        for kind, arguments in (("", probe.parameters), ("result_", probe.results)):
            for argument in arguments:
                for suffix, where in argument.words.items():
                    text = word(where) if probe.sites else "0"
                    if text is not None:
                        name = f"{argument.name}_{suffix}" if suffix else argument.name
                        defines[f"{probe.program}__{kind}{name}"] = text
    return Part(draft.protocol, defines, tuple(p for p in draft.probes if p.sites), tuple(draft.layouts))
