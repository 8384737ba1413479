"""A plan as text and as JSON members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from goinst.text import printable

if TYPE_CHECKING:
    from goinst.binary.model import Argument, BinaryInfo, Site
    from goinst.plan.plan import Plan, PluginPlan, ResolvedProbe

__all__ = ["as_members", "as_text", "missing"]

_FEW = 12


def missing(plugin: PluginPlan, *, library: bool = False) -> list[str]:
    """What this plugin will not see in this binary although the program may do it, in sentences. A function that was
    not linked in is never called, and a type that the program does not have holds nothing: neither is in the list.
    ``library``: it is no executable."""
    if not plugin.enabled:
        return [f"everything: {plugin.reason}", *plugin.unseen]
    said = ["everything: goinst run traces executables, and this is none"] if library else []
    said += plugin.unseen
    for probe in plugin.probes:
        if not probe.sites and not probe.covered and (probe.linked or not probe.optional):
            said.append(f"{probe.lost or probe.program}: {probe.reason}")
        elif probe.unseen:
            said.append(probe.unseen)
    present = {field.type for field in plugin.fields if field.fact is not None}
    said.extend(
        f"what is read from {field.type}.{field.path}: this binary's {field.type} has no such field"
        for field in plugin.fields
        if field.fact is None and field.type in present
    )
    return list(dict.fromkeys(said))


def as_members(plan: Plan) -> dict[str, Any]:
    """The plan for ``--json``: addresses are numbers as linked, offsets are in bytes."""
    info = plan.info
    return {
        "binary": {
            "path": info.path,
            "size": info.size,
            "build_id": info.build_id,
            "go_version": info.go_version,
            "arch": info.arch,
            "abi": info.abi,
            "build_mode": _build_mode(info),
            "symbol_table": info.has_symtab,
            "dwarf": info.has_dwarf,
            "main_package": info.main_package,
            "main_module": info.main_module,
            "modules": dict(info.modules),
            "settings": dict(info.settings),
        },
        "unseen": list(plan.unseen),
        "plugins": [_plugin_members(plugin, library=bool(info.library)) for plugin in plan.plugins],
    }


def _plugin_members(plugin: PluginPlan, *, library: bool) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "enabled": plugin.enabled,
        "reason": plugin.reason,
        "missing": missing(plugin, library=library),
        "packages": dict(plugin.packages),
        "probes": [
            {
                "program": probe.program,
                "symbol": probe.symbol,
                "place": probe.place,
                "optional": probe.optional,
                "attach_on": probe.attach_on,
                "until": probe.until,
                "reason": probe.reason,
                "candidates": list(probe.candidates),
                "inlined_in": list(probe.inlined_in),
                "sites": [_site_members(site) for site in probe.sites],
                "parameters": [_argument_members(argument) for argument in probe.parameters],
                "results": [_argument_members(argument) for argument in probe.results],
            }
            for probe in plugin.probes
        ],
        "fields": [
            {
                "macro": field.macro,
                "type": field.type,
                "path": field.path,
                "optional": field.optional,
                "offset": field.fact.value if field.fact else None,
                "source": field.fact.source if field.fact else None,
            }
            for field in plugin.fields
        ],
        "types": [
            {
                "macro": macro,
                "type": name,
                "hash": fact.value if fact else None,
                "source": fact.source if fact else None,
            }
            for macro, name, fact in plugin.types
        ],
    }


def _site_members(site: Site) -> dict[str, Any]:
    return {
        "address": site.address,
        "file_offset": site.file_offset,
        "instruction": site.instruction,
        "emulated": site.emulated,
        "guard": site.guard,
        "goroutine": site.g,
        "stack_adjust": site.stack_adjust,
        "why": site.why,
    }


def _argument_members(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "type": argument.type,
        "words": {
            suffix: {"register": where.register, "stack": where.stack} for suffix, where in argument.words.items()
        },
        "source": argument.source,
    }


def as_text(plan: Plan) -> str:
    """The plan for people. What a hostile binary says cannot drive the terminal."""
    lines = [*_binary_lines(plan.info)]
    lines += [f"{'not seen':<10}{what}" for what in plan.unseen]
    for plugin in plan.plugins:
        lines.append("")
        lines.extend(_plugin_lines(plugin, library=bool(plan.info.library)))
    return "\n".join(printable(line) for line in lines) + "\n"


def _build_mode(info: BinaryInfo) -> str:
    return info.settings.get("-buildmode") or ("pie" if info.pie else "exe")


def _binary_lines(info: BinaryInfo) -> Iterator[str]:
    modules = [f"{path} {version}" for path, version in sorted(info.modules.items())]
    more = f" and {len(modules) - _FEW} more (--json has all)" if len(modules) > _FEW else ""
    profile = info.settings.get("-pgo")
    rows = {
        "binary": f"{info.path} ({info.size / 1e6:.1f} MB)",
        "program": " ".join(dict.fromkeys(part for part in (info.main_package, info.main_module) if part)) or "?",
        "built by": f"{info.go_version} for {info.arch}, {info.abi} ABI, build mode {_build_mode(info)}"
        + (", cgo" if info.settings.get("CGO_ENABLED") == "1" else "")
        + (f", profile-guided ({profile})" if profile else ""),
        "symbols": f"symbol table: {_yes(info.has_symtab)}, DWARF: {_yes(info.has_dwarf)}; neither is needed",
        "build id": info.build_id,
        "modules": f"{len(modules)}: {', '.join(modules[:_FEW])}{more}" if modules else "none but the standard library",
    }
    for name, value in rows.items():
        yield f"{name:<10}{value}"


def _yes(value: bool) -> str:
    return "yes" if value else "no (stripped)"


def _plugin_lines(plugin: PluginPlan, *, library: bool) -> Iterator[str]:
    yield f"plugin {plugin.name}: " + ("on" if plugin.enabled else f"off: {plugin.reason}")
    yield from (f"  {declared} is {real} here" for declared, real in plugin.packages)
    unlinked = [probe for probe in plugin.probes if plugin.enabled and probe.optional and not probe.linked]
    unlinked = [probe for probe in unlinked if not probe.covered]
    yield "  probes"
    for probe in plugin.probes:
        if probe not in unlinked and (probe.sites or not probe.covered):
            yield from _probe_lines(probe)
    if plugin.fields:
        yield "  fields"
        fields = [field for field in plugin.fields if field.fact is not None or not field.optional]
        names = [f"{field.type}.{field.path}" for field in fields]
        width = max(map(len, names), default=0)
        for name, field in zip(names, fields, strict=True):
            fact = field.fact
            yield f"    {name:<{width}}  " + (f"+{fact.value:<5} {fact.source}" if fact else "absent")
    types = [(name, fact) for _, name, fact in plugin.types if fact]
    if types:
        yield "  types"
        for name, fact in types:
            yield f"    {name}  hash {fact.value:#010x}  {fact.source}"
    said = missing(plugin, library=library)
    yield "  missing" + ("" if said else ": nothing")
    for sentence in said:
        yield f"    {sentence}"
    if unlinked:
        yield "  not in this program, so nothing to see (it never calls these)"
        for probe in unlinked:
            yield f"    {probe.program}: {' or '.join(probe.candidates) or probe.reason}"


def _probe_lines(probe: ResolvedProbe) -> Iterator[str]:
    if not probe.sites:
        yield f"    {probe.program}: nowhere: {probe.reason}"
        return
    when = f", attached only after the first {probe.attach_on!r}" if probe.attach_on else ""
    if probe.until:
        when = f", taken away at {probe.until!r} and put back at {probe.attach_on!r}"
    yield f"    {probe.program}: {probe.place} of {probe.symbol}{when}"
    for site in probe.sites[:_FEW]:
        cost = "emulated (cheap)" if site.emulated else "single-stepped (dear)"
        yield f"      {site.address:#x}  {site.instruction}  {cost}: {site.why}"
    if len(probe.sites) > _FEW:
        yield f"      and {len(probe.sites) - _FEW} more of these"
    for kind, arguments in (("argument", probe.parameters), ("result", probe.results)):
        for argument in arguments:
            words = ", ".join(
                f"{suffix + ' ' if suffix else ''}in {where.register or f'stack+{where.stack}'}"
                for suffix, where in argument.words.items()
            )
            yield f"      {kind} {argument.name} {argument.type}: {words or 'no words'}"
