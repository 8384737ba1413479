"""What a binary has that users may expect to see, and that no probe is for: in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from goinst.golang.facts import Facts
from goinst.golang.funcnames import package_of, unescaped
from goinst.plugin.declare import Protocol

__all__ = ["left_out", "unseen"]

_SHOWN = 3


def unseen(facts: Facts, protocol: Protocol, seen: Iterable[str]) -> tuple[str, ...]:
    """What of the functions that a plugin declares as ``unseen`` the binary has, as the words for them.

    ``seen`` are paths of packages that do not count: those that the plugin knows.
    """
    said: dict[str, None] = {}
    for tail, words in protocol.unseen.items():
        owners = {unescaped(package_of(name)) for name in facts.ending(tail)}
        found = sorted(owner for owner in owners if owner not in seen or "{package}" not in words)
        said |= dict.fromkeys(words.replace("{package}", owner) for owner in found[:_SHOWN])
    return tuple(said)


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
