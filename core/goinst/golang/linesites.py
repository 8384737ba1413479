"""Where to put a uprobe for a line of source: one instruction for each body that has the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goinst.errors import BinaryError
from goinst.golang.lines import Code
from goinst.golang.model import Function, LineSite, Site
from goinst.golang.sites import find_sites, site_at

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["find_line_sites", "lines_near"]

_MOST_SITES = 1000
_NEAR = 3  # lines before and behind
_FIRST_WITH_G = (1, 17)  # in r14, on amd64


def find_line_sites(binary: GoBinary, file: str, line: int) -> tuple[LineSite, ...]:
    """Return the instructions that the code of a line starts with, by address: in each function that has code of it,
    one for its own and one for each inlined body.

    ``file`` is the end of a path. That of several files: sites in all of them. Where DWARF marks statements, it is the
    first instruction marked; else the first one at all, which the compiler may have moved up.
    """
    first: dict[tuple[int, int], tuple[str, list[Code]]] = {}
    for name, code in binary.lines.code(file, line):
        first.setdefault((code.function, code.inlined), (name, []))[1].append(code)
    found = []
    for (index, _), (name, runs) in list(first.items())[:_MOST_SITES]:
        function = binary.functions.at(index)
        site = _site(binary, function, runs)
        if site is not None:
            body = binary.lines.symbolise(runs[0].start)
            inner = body[0][0] if len(body) > 1 else ""
            found.append(LineSite(inner or function.name, site, name, line, function.name if inner else ""))
    return tuple(sorted(found, key=lambda each: each.site.address))


def lines_near(binary: GoBinary, file: str, line: int) -> tuple[int, ...]:
    """Return the lines with code that are the nearest to ``line``, rising: up to three before it and behind it."""
    known = {code.line for _, code in binary.lines.code(file)}
    before, behind = sorted(each for each in known if each < line), sorted(each for each in known if each > line)
    return (*before[-_NEAR:], *behind[:_NEAR])


def _site(binary: GoBinary, function: Function, runs: list[Code]) -> Site | None:
    if any(run.start == function.entry for run in runs) and binary.function(function.name) == function:
        return next(iter(find_sites(binary, function.name, "entry")), None)
    statements = binary.debug.statements(function)
    marked = sorted(at for run in runs for at in statements if run.start <= at < run.end)
    for address in (*marked, *sorted(run.start for run in runs)):
        why = "the line's first instruction" if marked else "the first instruction that pclntab has for the line"
        try:
            return site_at(binary, function, address, why)
        except BinaryError:  # the kernel takes no probe there
            continue
    return None
