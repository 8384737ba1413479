"""Plugins that exist only as data, resolved by hand: what the source writer and the loader get from a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from goinst import Fragment, Probe, Protocol, Record, Tail
from goinst.binary.model import Site
from goinst.plan.plan import ResolvedProbe
from goinst.plan.source import Part
from goinst.plugin.layout import lay_out

__all__ = ["GOROUTINE", "part", "probe"]

# offsets that a plan reads from the binary
GOROUTINE = {"GOINST_G_GOID": 152, "GOINST_G_STACK_HI": 8}
# where made-up functions are
_AT: dict[str, int] = {}


def probe(program: str, symbol: str = "main.work", **changes: Any) -> ResolvedProbe:
    """A probe at the entry of ``symbol``; two probes of one symbol are at one instruction."""
    address = _AT.setdefault(symbol, 0x1000 + 0x100 * len(_AT))
    settings: dict[str, Any] = {"place": "entry", "guard": None, "g": "r14", "stack_adjust": 8, "shift": 0} | changes
    place, at = settings.pop("place"), address + settings.pop("shift")
    site = Site(
        symbol, place, at, at, "push rbp", True, settings.pop("guard"), settings.pop("g"),
        settings.pop("stack_adjust"), "made up",
    )  # fmt: skip
    members: dict[str, Any] = {
        "optional": False,
        "closes": False,
        "attach_on": "",
        "until": "",
        "lost": "",
        "reason": "",
    }
    members |= {"candidates": (symbol,), "inlined_in": (), "linked": True} | settings
    return ResolvedProbe(program, symbol, place, (site,), **members)


def part(
    name: str,
    text: str = "",
    probes: Sequence[ResolvedProbe] = (),
    *,
    records: Sequence[Record] = (),
    tails: Sequence[str] = (),
    losses: Mapping[str, str] | None = None,
    signals: Sequence[str] = (),
    defines: Mapping[str, str] | None = None,
    first: int = 1,
) -> Part:
    """A plugin that is on. Without ``text`` each program does nothing."""
    text = text or "\n".join(f"PROBE({probe.program})\n{{\n    return 0;\n}}" for probe in probes)
    protocol = Protocol(
        name=name,
        summary="made up",
        fragments=(Fragment(f"{name}.bpf.c", text=text),),
        probes=tuple(Probe(one.program, (), attach_on=one.attach_on, until=one.until) for one in probes),
        records=tuple(records),
        tails=tuple(Tail(tail) for tail in tails),
        losses=dict(losses or {}),
        signals=tuple(signals),
    )
    layouts = tuple(lay_out(name, record, first + index, {}) for index, record in enumerate(records))
    return Part(protocol, dict(defines or {}), tuple(probes), layouts)
