"""What a run is to trace: processes, or what they have loaded; and the analysis of it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fnmatch import translate
from typing import Any, Protocol

from goinst.binary.facts import Facts
from goinst.cache import Cache
from goinst.config import RunConfig
from goinst.errors import BinaryError, GoinstError, TargetError
from goinst.golang.facts import GoFacts
from goinst.native.facts import NativeFacts, open_facts
from goinst.native.usdt import PREFIX
from goinst.processes.discover import Selector, files_of
from goinst.processes.library import LibrarySelector, find_library
from goinst.processes.mapped import MappedFile, mapped_files
from goinst.processes.process import Process

__all__ = ["Scanner", "analyse", "library_of", "named_files", "scanner", "with_libraries"]

_MOST_NAMED = 32


class Scanner(Protocol):
    """What chooses processes: a Selector or a LibrarySelector."""

    def scan(self) -> list[Process]:
        """The processes to instrument now."""


def scanner(config: RunConfig, *, strict: bool) -> Scanner | None:
    """What chooses the processes of a run; None when only a command is to be traced."""
    chosen = bool(config.pids or config.exes or config.ports)
    inside = Selector(config.pids, config.exes, config.ports, strict=strict) if chosen else None
    if not config.library:
        return inside
    if config.command and inside is None:
        return None
    wanted = _Marked(config.library.split()) if config.library.startswith(PREFIX) else None
    return LibrarySelector(config.library, inside, wanted=wanted, strict=strict)


def library_of(command: Process, name: str) -> Process:
    """The library that a command will load, as far as the dynamic linker's own rules tell. TargetError for none."""
    if name.startswith(PREFIX):
        return command  # a probe of its executable: nothing else is known before it runs
    path = find_library(name)
    if path is None:
        raise TargetError(f"{name}: no such library where the dynamic linker looks; name its path")
    status = os.stat(path)  # noqa: PTH116
    return replace(
        command, exe=path, binary=path, device=status.st_dev, inode=status.st_ino, program=command.exe,
        matched=f"{command.matched}, {name}",
    )  # fmt: skip


def analyse(path: str, name: str, config: RunConfig, cache: Cache | None) -> Facts:
    """Open what a process runs, or has loaded; ``name`` is for messages. BinaryError, one line, when it is not what the
    run is for."""
    try:
        if config.native == "no":
            facts: Facts = GoFacts.open(path, cache=cache)
        else:
            native = config.native == "always" or config.library.startswith(PREFIX)
            facts = open_facts(path, cache=cache, native=native)
        facts.info  # noqa: B018 - a file that cannot be traced says so here
    except BinaryError as error:
        raise BinaryError(str(error).replace(path, name), detail=error.detail) from None
    return facts


def named_files(config: RunConfig, log: Any) -> list[str]:
    """The programs that --exe leads to by its text alone, which can be probed before anybody runs them. Of a pattern
    that leads to very many, none."""
    if config.library or config.native != "no":
        return []
    found: list[str] = []
    for pattern in config.exes:
        paths = files_of(pattern)
        if len(paths) > _MOST_NAMED:
            log.debug("files not looked at before somebody runs them", pattern=pattern, files=len(paths))
            continue
        found += paths
    return found


def with_libraries(error: GoinstError, process: Process) -> GoinstError:
    """An error about a process that runs no Go program, with what it has loaded that Go built: as Python can."""
    if not isinstance(error, BinaryError):
        return error
    names = [
        file.name
        for file in mapped_files(process.pid)
        if (file.device, file.inode) != (process.device, process.inode) and _is_go(file.binary)
    ]
    if not names:
        return error
    return TargetError(
        f"{error}; the process has loaded {', '.join(names)}, which Go built: goinst trace '{names[0]}:FUNCTION'"
        " looks into that, goinst run into executables only"
    )


def _is_go(path: str) -> bool:
    from goinst.binary.elf import Image
    from goinst.golang.buildinfo import read_build_info  # numpy comes in here: only an error needs it

    try:
        return read_build_info(Image.open(path)) is not None
    except BinaryError:
        return False


class _Marked:
    """Says whether a file has one of these USDT probes: ``usdt:PROVIDER:NAME``, where ``*`` stands for anything."""

    def __init__(self, symbols: list[str]) -> None:
        self._patterns = [re.compile(translate(symbol)) for symbol in symbols]

    def __call__(self, file: MappedFile) -> bool:
        """See LibrarySelector."""
        try:
            probes = NativeFacts.open(file.binary).usdt()
        except BinaryError:
            return False
        names = {f"{PREFIX}{probe.provider}:{probe.name}" for probe in probes}
        return any(pattern.match(name) for pattern in self._patterns for name in names)
