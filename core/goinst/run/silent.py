"""Required probes that were never passed although their neighbours were: a sign that something is not seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from goinst.plan.source import Counter
from goinst.plugin.protocol import Protocol

__all__ = ["Passed", "passed", "silent_probes"]

_MANY = 10


@dataclass(slots=True)
class Passed:
    """Where a program is, and how often that was passed."""

    where: str
    count: int = 0


def passed(runs: Iterable[tuple[Sequence[Counter], Sequence[int]]]) -> dict[tuple[str, str], Passed]:
    """By plugin and program, in all executables; of several programs at one instruction, the first. ``runs`` are the
    counters of each executable with their values."""
    found: dict[tuple[str, str], Passed] = {}
    for counters, values in runs:
        for counter, value in zip(counters, values, strict=True):
            if counter.kind == "hit":
                found.setdefault((counter.plugin, counter.name), Passed(counter.where)).count += value
    return found


def silent_probes(
    protocols: Sequence[Protocol], hits: Mapping[tuple[str, str], Passed], still_open: int
) -> Iterator[tuple[str, str]]:
    """(plugin, words) for each. What a probe that stands in for another one sees counts for that one; each operation
    passes all the required probes of a protocol's side, unless it is ``still_open``."""
    for protocol in protocols:
        sides: dict[str, list[Passed]] = {}
        for probe in protocol.probes:
            if not probe.side or probe.optional or probe.instead_of:
                continue
            names = [one.program for one in protocol.probes if one is probe or one.instead_of == probe.program]
            found = [hits[protocol.name, name] for name in names if (protocol.name, name) in hits]
            if found:
                sides.setdefault(probe.side, []).append(Passed(found[0].where, sum(one.count for one in found)))
        for side, sites in sides.items():
            most = max(sites, key=lambda one: one.count)
            if most.count < max(_MANY, 2 * still_open):
                continue
            for site in sites:
                if not site.count:
                    yield protocol.name, f"{site.where} 0 times, {most.where} of the same {side} {most.count:,} times"
