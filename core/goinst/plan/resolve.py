"""A plugin's fields and probes in one binary: where each went, or why nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from goinst.binary.facts import Facts
from goinst.binary.model import Argument, Fact, Place, Site, Variable
from goinst.errors import BinaryError
from goinst.golang.releases import ANY_LATER
from goinst.plugin import protocol as declare

_FEW = 3

__all__ = ["ResolvedField", "ResolvedProbe", "not_asked_for", "not_needed", "resolve_probe"]


@dataclass(frozen=True, slots=True)
class ResolvedField:
    """A declared field and what the binary said; ``fact`` is None when it has no such field."""

    macro: str
    type: str
    path: str
    fact: Fact | None
    optional: bool


@dataclass(frozen=True, slots=True)
class ResolvedProbe:
    """A declared probe and where it goes in this binary; ``symbol`` is None, with a ``reason``, when it goes nowhere.
    ``linked``: the binary has one of the functions, or a body of one that was inlined; else nothing calls them.
    ``inlined_in``: functions that hold a body of it, so that calls there are not seen; ``covered``: unless by probes
    that stand in for this one.
    ``marked``: the arguments of a USDT probe."""

    program: str
    symbol: str | None
    place: Place
    sites: tuple[Site, ...]
    optional: bool
    closes: bool
    attach_on: str
    lost: str
    reason: str
    candidates: tuple[str, ...]
    inlined_in: tuple[str, ...]
    linked: bool
    parameters: tuple[Argument, ...] = ()
    results: tuple[Argument, ...] = ()
    marked: tuple[Variable, ...] = ()
    until: str = ""
    callee: str = ""
    covered: bool = False

    @property
    def unseen(self) -> str:
        """What is not seen because functions are inlined and no other place sees it, in words; empty: nothing."""
        if not self.sites or not self.inlined_in or self.covered:
            return ""
        more = f" and {len(self.inlined_in) - _FEW} more" if len(self.inlined_in) > _FEW else ""
        return f"calls of {self.callee or self.symbol} that are inlined in {', '.join(self.inlined_in[:_FEW])}{more}"


def resolve_probe(facts: Facts, probe: declare.Probe) -> ResolvedProbe:
    """Where a declared probe goes."""
    if probe.without and not probe.attach_on and facts.function(probe.without) is not None:
        return _nowhere(facts, probe, f"the binary has {probe.without}")
    attach_on, until = _signals(facts, probe)
    candidates = _candidates(facts, probe)
    names = tuple(site.symbol for site in candidates)
    found: list[ResolvedProbe] = []
    elsewhere: list[str] = []  # holds bodies of candidates that are no functions of their own
    linked = False
    reason = facts.why_not(names[0]) if len(names) == 1 else ""
    reason = reason or f"no function {' or '.join(names) or 'for ' + facts.info.go_version} in the binary"
    for candidate in candidates:
        place = candidate.place or probe.place
        inlined = facts.inlined(candidate.symbol)
        if not candidate.at and facts.function(candidate.symbol) is None and (place != "call" or not inlined):
            elsewhere.extend(inlined)
            continue
        for pattern in () if probe.until else probe.mentions:
            if not facts.mentions(pattern):
                return _nowhere(facts, probe, f"nothing in the binary looks like {pattern}")
        linked = True
        try:
            sites = candidate.at or facts.sites(candidate.symbol, place, candidate.callee)
            marked = facts.marked(candidate.symbol)
            parameters, results = facts.arguments(candidate.signature) if marked is None else ((), ())
        except BinaryError as error:
            reason = str(error)
            continue
        if sites:
            if place == "call":
                inlined = _bodies_without(facts, candidate, sites)
            else:  # what another candidate is inlined in may be this one: its calls are seen there
                inlined = tuple(name for name in (*elsewhere, *inlined) if name != facts.called(candidate.symbol))
            found.append(ResolvedProbe(
                probe.program, candidate.symbol, place, sites, probe.optional, probe.closes, attach_on,
                probe.lost, "", names, tuple(dict.fromkeys(inlined)), True, parameters, results, marked or (), until,
                candidate.callee,
            ))  # fmt: skip
            if not any(_drawbacks(found[-1])):
                break
            continue
        elsewhere.extend(inlined)
        reason = f"{candidate.symbol} has no {place} {candidate.callee} site".replace("  ", " ")
    if found:
        return min(found, key=_drawbacks)
    other = next((s for s in probe.sites if s not in candidates and facts.function(s.symbol) is not None), None)
    if other is not None and other.versions is not None and not linked:
        reason, linked = f"{other.symbol} can be probed {_in_words(*other.versions)}", True
    if elsewhere:
        reason += f" (its body is inlined in {', '.join(elsewhere[:3])}{' ...' if len(elsewhere) > 3 else ''})"
    return _nowhere(facts, probe, reason, tuple(elsewhere), linked or bool(elsewhere))


def _signals(facts: Facts, probe: declare.Probe) -> tuple[str, str]:
    """On which signals a probe is attached, and taken away, in this binary; empty: at once, and never."""
    attach_on = "" if probe.without and facts.function(probe.without) is None else probe.attach_on
    stays = not probe.until or not all(facts.mentions(pattern) for pattern in probe.mentions)
    return attach_on, "" if stays else probe.until


def _candidates(facts: Facts, probe: declare.Probe) -> list[declare.Site]:
    """The sites that are for this binary's release of Go."""
    version = facts.info.behaves_as
    return [s for s in probe.sites if s.versions is None or s.versions[0] <= version <= s.versions[1]]


def _in_words(first: tuple[int, int], last: tuple[int, int]) -> str:
    since, until = (".".join(map(str, each)) for each in (first, last))
    return f"from Go {since} to {until}" if last < ANY_LATER else f"from Go {since} on"


def _bodies_without(facts: Facts, candidate: declare.Site, sites: Sequence[Site]) -> tuple[str, ...]:
    """Which functions hold a body of the candidate's function, or are it, and no call there: the callee is inlined."""
    itself = (facts.called(candidate.symbol),) if facts.function(candidate.symbol) is not None else ()
    holders = (*itself, *facts.inlined(candidate.symbol))
    seen = {site.symbol for site in sites}
    inlined = set(facts.inlined(candidate.callee))
    return tuple(name for name in holders if name not in seen or name in inlined)


def _drawbacks(probe: ResolvedProbe) -> tuple[bool, bool]:
    """What speaks against a place: that it does not tell the goroutine; that not all calls pass it."""
    return any(site.g is None for site in probe.sites), bool(probe.inlined_in)


def _nowhere(
    facts: Facts, probe: declare.Probe, reason: str, inlined: tuple[str, ...] = (), linked: bool = False
) -> ResolvedProbe:
    candidates = _candidates(facts, probe)
    return ResolvedProbe(
        probe.program, None, probe.place, (), probe.optional, probe.closes, probe.attach_on, probe.lost, reason,
        tuple(site.symbol for site in candidates), inlined, linked, *_unplaced(facts, candidates),
    )  # fmt: skip


def not_asked_for(facts: Facts, probe: declare.Probe) -> ResolvedProbe:
    """A probe whose option is off."""
    linked = any(facts.function(site.symbol) is not None for site in probe.sites)
    return _nowhere(facts, probe, f"option {probe.option} is off", linked=linked)


def not_needed(facts: Facts, probe: declare.Probe) -> ResolvedProbe:
    """A probe that stands in for another one, in a binary where that sees all calls."""
    return replace(_nowhere(facts, probe, f"{probe.instead_of} sees all calls here"), covered=True)


def _unplaced(facts: Facts, candidates: Sequence[declare.Site]) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
    """What a probe that goes nowhere would have for arguments: its program is compiled all the same."""
    for candidate in candidates:
        try:
            return facts.arguments(candidate.signature)
        except BinaryError:
            continue
    return (), ()
