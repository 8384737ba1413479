"""``goinst trace -l``: the functions that a SPEC means, with what they take and return."""

from __future__ import annotations

import click

from goinst.capture.find import find_functions
from goinst.capture.language import parse_spec
from goinst.config import RunConfig
from goinst.errors import BinaryError, TargetError
from goinst.golang.cache import Cache
from goinst.native.facts import open_facts
from goinst.target.discover import Selector

__all__ = ["list_functions"]

_ALL = 1 << 20


def list_functions(specs: tuple[str, ...], config: RunConfig) -> int:
    """Print a function a line, as Go declares it where the binary tells. TargetError when there is none."""
    found: dict[str, str] = {}
    paths = {process.binary: process.exe for process in Selector(config.pids, config.exes, config.ports).scan()}
    reasons = []
    for path, exe in paths.items():
        facts = open_facts(path, cache=Cache.default() if config.cache else None)
        for text in specs:
            spec = parse_spec(text)
            try:
                symbols = find_functions(facts, spec.target, regex=spec.regex, most=_ALL)
            except BinaryError as error:
                reasons.append(f"{exe}: {error}")
                continue
            for symbol in symbols:
                found.setdefault(symbol, _declaration(facts, symbol) if len(symbols) <= 200 else symbol)
        facts.save()
    if not found:
        raise TargetError("; ".join(reasons) or "no process to look at")
    for line in found.values():
        click.echo(line)
    return 0


def _declaration(facts: object, symbol: str) -> str:
    parameters = facts.parameters(symbol)  # type: ignore[attr-defined]
    if parameters is None:
        return symbol
    sides = [", ".join(f"{p.name} {p.type_name}" for p in parameters if p.result == late) for late in (False, True)]
    return f"{symbol}({sides[0]})" + (f" -> {sides[1]}" if sides[1] else "")
