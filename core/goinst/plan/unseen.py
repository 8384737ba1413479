"""What a binary has that users may expect to see, and that no probe is for: in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from goinst.binary.facts import Facts
from goinst.golang.symbols import package_of, unescaped
from goinst.plugin.protocol import Protocol

__all__ = ["left_out", "of_binary", "unseen"]

_SHOWN = 3
_BUILT = {"plugin": "it is a Go plugin", "c-shared": "it is a shared library", "shared": "it is a shared library"}


def unseen(facts: Facts, protocol: Protocol, seen: Mapping[str, str], left_out: Iterable[str]) -> tuple[str, ...]:
    """What a plugin declares as ``unseen`` and the binary has, in its words.

    ``seen`` are the packages in which probes have a place, by program; what is ``left_out`` has been said.
    """
    said: dict[str, None] = {}
    known = {*left_out, *(package.path for package in protocol.packages)}  # what lacks of these is said by itself
    for each in protocol.unseen:
        owners = sorted({unescaped(package_of(name)) for name in facts.ending(each.function)} - known)
        places = [seen[program] for program in each.probes if program in seen]
        found = [owner for owner in owners if not any(_near(owner, place) for place in places)]
        said |= dict.fromkeys(each.words.replace("{package}", owner) for owner in found[:_SHOWN])
    return tuple(said)


def of_binary(facts: Facts) -> tuple[str, ...]:
    """What of a binary is not seen whatever plugins there are."""
    info = facts.info
    if info.native:
        return ()
    said = []
    if info.library:
        said.append(
            f"anything, by goinst run: {_BUILT[info.library]}, and only executables are traced;"
            f" goinst trace '{info.path.rpartition('/')[2]}:FUNCTION' looks into it"
        )
    if facts.function("plugin.open") is not None:
        said.append("what is in Go plugins that the program loads (plugin.Open): only its own functions are traced")
    return tuple(said)


def _near(path: str, place: str) -> bool:
    return f"{path}/".startswith(f"{place}/") or f"{place}/".startswith(f"{path}/")


def left_out(used: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What is not seen because the binary has several of a package, and only one of each is traced: the package's path,
    and words for users. Both are pairs of a declared path and the package's own."""
    mine = dict(used)
    found: dict[str, str] = {}
    for declared, other in sorted(others):
        chosen = mine.get(declared, "")
        above = any(other.startswith(f"{each}/") for each in found)
        if other != chosen and not above:
            instead = f"only {chosen} is traced" if chosen else "only one is traced"
            found[other] = f"{other} is not seen: the program has several packages that are {declared}, and {instead}"
    return found
