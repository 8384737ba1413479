"""Which packages of a binary the declared ones are: themselves, copies below another path, forks.

A *view* settles that for all packages at once, since types of several go through one probe. An ordinary program has one
view, in which each package is itself. One with copies or forks has more, and the plan takes, for each plugin, that in
which most of its probes have a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from goinst.binary.facts import Facts
from goinst.golang.facts import GoFacts
from goinst.golang.renamed import Renamed
from goinst.golang.symbols import package_of, paths_in, unescaped
from goinst.plugin.protocol import Capture, Package, Protocol, Site

__all__ = ["View", "declared_packages", "views"]

_VENDOR = re.compile(r".*?(?:^|/)vendor/")
_MOST = 16  # views that are tried: each is a plan of its own


@dataclass(frozen=True)
class View:
    """``places`` are what may stand before a package's path, the preferred first and "" for nothing; ``forks`` pairs of
    a package's path and that of what takes its place, for packages below it too."""

    facts: Facts
    places: tuple[str, ...] = ("",)
    forks: tuple[tuple[str, str], ...] = ()

    @cached_property
    def renamed(self) -> Facts:
        """The facts by declared names."""
        if self.plain or not isinstance(self.facts, GoFacts):
            return self.facts
        return Renamed(self.facts, self.real)

    @property
    def plain(self) -> bool:
        """Whether each package is itself."""
        return self.places == ("",) and not self.forks

    def real(self, path: str) -> str:
        """Return the path in the binary of a package that is declared by ``path``."""
        for package, other in self.forks:
            if f"{path}/".startswith(f"{package}/"):
                moved = other + path[len(package) :]
                if self.facts.has_package(moved):
                    return moved
        if len(self.places) > 1 and _outside(path):
            there = (place + path for place in self.places if self.facts.has_package(place + path))
            return next(there, self.places[0] + path)
        return path

    def names(self, packages: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return those of the packages that have another path in the binary, with it; without those below others of
        them that go with these."""
        if self.plain:
            return ()
        moved = {path: real for path in sorted(packages) if (real := self.real(path)) != path}
        found = {path: real for path, real in moved.items() if self.facts.has_package(real)}
        return tuple((path, real) for path, real in found.items() if not _goes_with(path, real, found))

    def agrees(self, other: View, protocol: Protocol) -> bool:
        """Say whether the packages that a plugin names are the same in another view."""
        return all(self.real(path) == other.real(path) for path in declared_packages(protocol))

    def is_fork(self, path: str) -> bool:
        """Say whether a declared package is another one here, and no copy of itself."""
        return not f"/{self.real(path)}".endswith(f"/{path}")


def views(facts: Facts, protocols: Sequence[Protocol]) -> tuple[View, ...]:
    """Return the views that a binary gives of the packages which plugins declare, the plain one first."""
    if facts.info.native:
        return (View(facts),)
    packages = sorted({path for protocol in protocols for path in declared_packages(protocol)})
    before = {copy[: -len(path)] for path in packages if _outside(path) for copy in facts.copies(path)}
    rules = dict.fromkeys(rule for protocol in protocols for rule in protocol.packages)
    places = [("", *sorted(before)), *(_places(place, before) for place in sorted(before))]
    forks = [(), *_together([_fork(rule.path, *found) for rule in rules for found in _forks(facts, rule)])]
    return tuple(View(facts, each, other) for other in forks for each in places)[:_MOST]


def declared_packages(protocol: Protocol) -> frozenset[str]:
    """Return the paths of all packages that a plugin's probes, fields and types name."""
    return frozenset(path for path in _named(protocol) if path)


def _named(protocol: Protocol) -> Iterator[str]:
    for site in _sites(protocol):
        yield from (unescaped(package_of(symbol)) for symbol in (site.symbol, site.callee))
        yield from paths_in(site.signature)
    for field in protocol.fields.values():
        for kind in (field.type, *(kind for kind, _ in field.alternatives)):
            yield from paths_in(kind)
    for wanted in protocol.types.values():
        yield from paths_in(wanted.name)


def _sites(protocol: Protocol) -> Iterator[Site]:
    for probe in protocol.probes:
        yield from probe.sites
    for capture in protocol.captures:
        if not isinstance(capture, Capture):
            continue  # of goinst trace: by the names that the binary has
        functions = (capture.function,) if isinstance(capture.function, str) else capture.function
        yield from (Site(function, capture.signature) for function in functions)


def _goes_with(path: str, real: str, found: Mapping[str, str]) -> bool:
    above = (each for each in found if path.startswith(f"{each}/"))
    return any(real == found[each] + path[len(each) :] for each in above)


def _outside(path: str) -> bool:
    """Say whether a package is not of the standard library: only those can be copied by their path."""
    return "." in path.partition("/")[0]


def _places(place: str, others: Iterable[str]) -> tuple[str, ...]:
    """Return where packages are looked for that ones below ``place`` import: there, in vendor folders of folders above,
    nearest first (the go command's rule), in no such folder; then wherever they are."""
    above = [match[0] for match in _VENDOR.finditer(place)]
    around = ["".join(above[:count]) for count in range(len(above), 0, -1)]
    return tuple(dict.fromkeys((place, *around, "", *sorted(others))))


def _forks(facts: Facts, rule: Package) -> tuple[tuple[str, dict[str, str]], ...]:
    return facts.forks(rule.path, rule.functions, rule.fields)


def _fork(path: str, other: str, uses: dict[str, str]) -> dict[str, str]:
    return {path: other, **uses}


def _together(found: Sequence[dict[str, str]]) -> list[tuple[tuple[str, str], ...]]:
    """Return what forks can stand side by side: of each, with all others that do not contradict; those for several
    packages first, and the longest paths first in each."""
    sets: dict[tuple[tuple[str, str], ...], None] = {}
    for first in found:
        whole = dict(first)
        for other in found:
            if all(whole.get(path, real) == real for path, real in other.items()):
                whole |= other
        sets[tuple(sorted(whole.items(), key=lambda pair: (-len(pair[0]), pair)))] = None
    return sorted(sets, key=lambda pairs: (-len(pairs), pairs))
