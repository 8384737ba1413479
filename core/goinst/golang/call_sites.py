"""Where to put a uprobe for the calls that a function makes: in its own code, and wherever it is inlined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goinst.binary.sites import find_sites

if TYPE_CHECKING:
    from goinst.binary.model import Site
    from goinst.golang.binary import GoBinary

__all__ = ["find_calls"]

_MOST_CALLERS = 64


def find_calls(binary: GoBinary, symbol: str, callee: str) -> tuple[Site, ...]:
    """Return the calls of ``callee`` that ``symbol`` makes, by address; each says in which function it is.

    The inline trees tell them from calls that another function makes which is inlined into it. Where it has none of
    its own, they count: a helper that is inlined is as good as its caller.
    """
    holders = (symbol, *binary.inlined_callers(symbol)[:_MOST_CALLERS])
    found = {site.address: site for holder in holders for site in find_sites(binary, holder, "call", callee)}
    inside: list[Site] = []
    own: list[Site] = []
    for address, site in sorted(found.items()):
        bodies = [name for name, _, _ in binary.lines.symbolise(address)]
        if symbol in bodies:
            inside.append(site)
            if bodies[0] == symbol:
                own.append(site)
    return tuple(own or inside)
