"""Where to put a uprobe for a line of source, or for a function that is inlined: an instruction for each body of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goinst.binary.model import Function, InlinedSite, LineSite, Site
from goinst.binary.sites import find_sites, site_at
from goinst.errors import BinaryError
from goinst.golang.debug.variables import variables

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["find_inlined_sites", "find_line_sites", "lines_near"]

_MOST_SITES = 1000
_NEAR = 3  # lines before and behind


def find_line_sites(binary: GoBinary, file: str, line: int) -> tuple[LineSite, ...]:
    """Return the instructions that the code of a line starts with, by address: in each function that has code of it,
    one for its own and one for each inlined body.

    ``file`` is the end of a path. That of several files: sites in all of them. Where DWARF marks statements, it is the
    first instruction marked; else the first one at all, which the compiler may have moved up.
    """
    first: dict[tuple[int, int], tuple[str, list[tuple[int, int]]]] = {}
    for name, code in binary.lines.code(file, line):
        first.setdefault((code.function, code.inlined), (name, []))[1].append((code.start, code.end))
    found = []
    for (index, body), (name, runs) in list(first.items())[:_MOST_SITES]:
        function = binary.functions.at(index)
        if body >= 0 and _of_caller(binary, index, body, name):
            continue
        site = _start(binary, function, runs, "the line's")
        if site is not None:
            chain = binary.lines.symbolise(runs[0][0])
            inner = chain[0][0] if len(chain) > 1 else ""
            found.append(LineSite(inner or function.name, site, name, line, function.name if inner else ""))
    return tuple(sorted(found, key=lambda each: each.site.address))


def lines_near(binary: GoBinary, file: str, line: int) -> tuple[int, ...]:
    """Return the lines with code that are the nearest to ``line``, rising: up to three before it and behind it."""
    known = {code.line for _, code in binary.lines.code(file)}
    before, behind = sorted(each for each in known if each < line), sorted(each for each in known if each > line)
    return (*before[-_NEAR:], *behind[:_NEAR])


def _of_caller(binary: GoBinary, index: int, body: int, name: str) -> bool:
    """Say whether an inlined body only has code of this file because some of its caller's is counted as its own.

    Go 1.16 does so with what an inlined body returns, in programs that are not optimised.
    """
    inlined, files = (binary.functions.values(index, what) for what in ("inlined", "file"))
    numbers = set()
    for start, end, number in inlined.runs():
        at = start
        while number == body and at < end:
            numbers.add(files.at(at))
            at = files.end(at)
    parent = (binary.inlines.body(index, body) or ("", -1))[1]
    return len(numbers) > 1 and binary.lines.file_at(index, parent) == name


def find_inlined_sites(binary: GoBinary, symbol: str) -> tuple[InlinedSite, ...]:
    """Return where each inlined body of ``symbol`` starts, by address, and what can be read of its variables there."""
    found: list[InlinedSite] = []
    for index in binary.inlines.owners_of(symbol):
        function, values = binary.functions.at(index), binary.functions.values(index, "inlined")
        for inside in binary.inlines.bodies(index, symbol).values():
            runs = [
                (function.entry + start, function.entry + end) for start, end, each in values.runs() if each in inside
            ]
            site = _start(binary, function, runs, "the inlined body's") if runs else None
            if site is None or len(found) >= _MOST_SITES:
                continue
            chain = binary.lines.symbolise(site.address)
            body = next((at for at, (name, _, _) in enumerate(chain) if name == symbol), len(chain))
            _, file, line = chain[body + 1] if body + 1 < len(chain) else ("", "", 0)
            found.append(InlinedSite(symbol, site, file, line, variables(binary, symbol, site.address)))
    return tuple(sorted(found, key=lambda each: each.site.address))


def _start(binary: GoBinary, function: Function, runs: list[tuple[int, int]], whose: str) -> Site | None:
    """Return the site where these runs of instructions (start, end) start; None when the kernel takes no probe."""
    if any(start == function.entry for start, _ in runs) and binary.function(function.name) == function:
        return next(iter(find_sites(binary, function.name, "entry")), None)
    statements = binary.debug.statements(function)
    marked = sorted(at for start, end in runs for at in statements if start <= at < end)
    why = f"{whose} first instruction" + ("" if marked else "; without a line table the compiler may have moved it up")
    for address in (*marked, *sorted(start for start, _ in runs)):
        try:
            return site_at(binary, function, address, why, depth=binary.functions.stack_depth(address))
        except BinaryError:  # the kernel takes no probe there
            continue
    return None
