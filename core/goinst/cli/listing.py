"""``goinst trace -l``: the functions and probes that a SPEC means, with what they take and return."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from goinst.binary.facts import Facts
from goinst.cache import Cache
from goinst.capture.language.parser import Spec, parse_spec
from goinst.capture.targets import find_functions
from goinst.capture.trace import split_target
from goinst.config import RunConfig
from goinst.errors import BinaryError, TargetError, UsageError
from goinst.processes.library import find_library
from goinst.processes.process import Process
from goinst.run.targets import analyse, scanner
from goinst.text import printable

__all__ = ["list_functions"]

_ALL = 1 << 20
_DECLARED = 200  # functions that are shown with their parameters
_PROBE = "usdt:"


def list_functions(specs: tuple[str, ...], config: RunConfig) -> int:
    """Print a function or probe a line, as the program declares it where the binary tells; with the file in front when
    there are several. Files are those of running processes, or else an executable (--exe) or a library by name.
    TargetError when there is none."""
    cache = Cache.default() if config.cache else None
    found: dict[str, dict[str, str]] = {}
    reasons: list[str] = []
    for text in specs:
        spec = parse_spec(text)
        library, target = split_target(spec)
        for process in _files(replace(config, library=library)):
            try:
                facts = analyse(process.binary, process.exe, replace(config, library=library), cache)
                found.setdefault(process.exe, {}).update(_declarations(facts, spec, target))
                facts.save()
            except BinaryError as error:
                reasons.append(f"{process.exe}: {str(error).removeprefix(f'{process.exe}: ')}")
    if not any(found.values()):
        raise TargetError("; ".join(dict.fromkeys(reasons)) or "nothing to look at")
    for exe, lines in found.items():
        for line in lines.values():
            click.echo(printable(f"{exe}: {line}" if len(found) > 1 else line))
    return 0


def _files(config: RunConfig) -> list[Process]:
    """One process for each file that is to be looked at."""
    if not config.has_target:
        raise UsageError(
            "nothing says what to list: give --exe FILE, --pid N, --port N, or LIBRARY: before the function"
        )
    exes = [exe for exe in config.exes if Path(exe).is_file()]
    only_files = bool(exes) and len(exes) == len(config.exes)
    if only_files and not config.library:
        return [_file(exe) for exe in exes]
    if config.library and not config.library.startswith(_PROBE) and not (config.pids or config.exes or config.ports):
        path = find_library(config.library)
        if path is None:
            raise TargetError(f"{config.library}: no such library where the dynamic linker looks; name its path")
        return [_file(path)]
    marked = config.library.startswith(_PROBE)
    chosen = scanner(config, strict=not (only_files and marked))
    processes = chosen.scan() if chosen is not None else []
    found = list({(each.device, each.inode): each for each in processes}.values())
    return found or [_file(exe) for exe in exes]


def _file(path: str) -> Process:
    status = Path(path).stat()
    return Process(0, path, path, status.st_dev, status.st_ino, 0.0, ())


def _declarations(facts: Facts, spec: Spec, target: str) -> Iterator[tuple[str, str]]:
    symbols = find_functions(facts, target, regex=spec.regex, most=_ALL)
    for symbol in symbols:
        yield symbol, _declaration(facts, symbol) if len(symbols) <= _DECLARED or _is_probe(symbol) else symbol


def _is_probe(symbol: str) -> bool:
    return symbol.startswith(_PROBE)


def _declaration(facts: Facts, symbol: str) -> str:
    parameters = facts.parameters(symbol)
    if parameters is None or "(" in symbol.replace("(*", ""):
        return symbol
    sides = [", ".join(f"{p.name} {p.type_name}" for p in parameters if p.result == late) for late in (False, True)]
    return f"{symbol}({sides[0]})" + (f" -> {sides[1]}" if sides[1] else "")
