"""Which of the running processes to instrument."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Sequence
from fnmatch import translate
from pathlib import Path
from re import Pattern, compile

from goinst.errors import MachineError, TargetError
from goinst.processes.listener import listeners
from goinst.processes.process import Process, all_pids, exe_of, read_process, require_process

__all__ = ["Selector", "files_of"]

_HEAD = 4096


class Selector:
    """Chooses processes by number, by executable and by listening port.

    ``exes`` are shell patterns (``*``, ``?``, ``[a-z]``) that match the whole path of an executable or its
    last part; a command that is a link to another executable is known by what it was called as. A process
    that several of them choose comes once. goinst itself is never chosen. Without ``strict`` nothing need be there:
    what is not may come later.
    """

    def __init__(
        self,
        pids: Sequence[int] = (),
        exes: Sequence[str] = (),
        ports: Sequence[int] = (),
        *,
        strict: bool = True,
    ) -> None:
        self._strict = strict
        self._pids = tuple(dict.fromkeys(pids))
        self._patterns: dict[str, Pattern[str]] = {each: compile(translate(_absolute(each))) for each in exes}
        self._ports = frozenset(ports)
        self._named: dict[int, float] | None = None

    def scan(self) -> list[Process]:
        """The processes to instrument now, by pid. Call it again to see new ones and to miss those that
        ended.

        The first call raises TargetError for the first pid, pattern or port for which there is nothing, and
        MachineError where only a lack of privilege may be the reason; later ones
        just find less. A pid given by number stays that process: a new process that gets the number is not
        chosen.
        """
        first = self._named is None
        if first:
            found = {
                pid: process
                for pid in self._pids
                if (process := (require_process if self._strict else read_process)(pid, f"--pid {pid}")) is not None
            }
            self._named = {pid: process.start_time for pid, process in found.items()}
        else:
            found = self._still_there()
        if self._patterns or self._ports:
            others = [pid for pid in all_pids() if pid != os.getpid()]
            if self._patterns:
                self._by_exe(others, found, strict=first and self._strict)
            if self._ports:
                self._by_port(others, found, strict=first and self._strict)
        return [found[pid] for pid in sorted(found)]

    def _still_there(self) -> dict[int, Process]:
        found = {}
        for pid, started in (self._named or {}).items():
            process = read_process(pid, f"--pid {pid}")
            if process is not None and process.start_time == started:
                found[pid] = process
        return found

    def _by_exe(self, pids: list[int], found: dict[int, Process], *, strict: bool) -> None:
        unmatched = set(self._patterns)
        real = {each: _behind(each) for each in self._patterns}
        for pid in pids:
            path = exe_of(pid)
            if path is None:
                continue
            name = path.rpartition("/")[2]
            for text, pattern in self._patterns.items():
                if pattern.match(path) or pattern.match(name) or (path == real[text] and _called(pid, text)):
                    unmatched.discard(text)
                    _add(found, pid, f"--exe {text}")
        if strict and unmatched:
            globs = " ".join(sorted(unmatched))
            if os.geteuid():
                raise MachineError(f"--exe {globs}: no process that this user may look at matches; run goinst as root")
            raise TargetError(
                f"--exe {globs}: no running process matches; start it first, wait for it with --wait, or give"
                " `-- COMMAND` instead"
            )

    def _by_port(self, pids: list[int], found: dict[int, Process], *, strict: bool) -> None:
        owners, hidden = listeners(self._ports, pids)
        for pid, ports in owners.items():
            _add(found, pid, f"listens on port {', '.join(map(str, sorted(ports)))}")
        if not strict:
            return
        if hidden:
            port = min(hidden)
            raise MachineError(
                f"--port {port}: whoever listens there is another user's or the kernel; run goinst as root"
            )
        free = self._ports - {port for ports in owners.values() for port in ports}
        if free:
            port = min(free)
            raise TargetError(f"--port {port}: nothing listens on TCP port {port}; is the server up?")


def files_of(pattern: str) -> list[str]:
    """The Go programs that a pattern for executables leads to now, whether or not anybody runs them: a path, a path
    with wildcards, or a command that is found in PATH. A name that matches in any folder leads nowhere."""
    path = _absolute(pattern)
    if "/" not in path:
        found = shutil.which(path)
        return [os.path.realpath(found)] if found and _is_go(found) else []
    if not path.startswith("/"):
        return []
    paths = glob.glob(path) if glob.has_magic(path) else [path]  # noqa: PTH207
    return sorted({os.path.realpath(each) for each in paths if _is_go(each)})


def _is_go(path: str) -> bool:
    """Whether a file looks like a Go program, by the note of its build id (cmd/link/internal/ld/elf.go), which lies
    near its start: cheap, for there may be many."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(_HEAD)
            return head.startswith(b"\x7fELF") and os.access(path, os.X_OK) and b"Go\0\0" in head
    except OSError:
        return False


def _absolute(pattern: str) -> str:
    """A relative path, as a shell completes it, means the file there; a bare name any executable of that name."""
    relative = "/" in pattern and not pattern.startswith(("/", "*"))
    return str(Path.cwd() / pattern.removeprefix("./")) if relative else pattern


def _behind(name: str) -> str:
    """Where a command or a path leads to: redis-server is a link to redis-check-rdb on Debian."""
    path = shutil.which(name)
    return os.path.realpath(path) if path else ""


def _called(pid: int, name: str) -> bool:
    """Whether a process was started by this name: many commands can be links to one file."""
    process = read_process(pid)
    words = process.command[0].split() if process is not None and process.command else []
    return bool(words) and words[0].rstrip(":").rpartition("/")[2] == name.rpartition("/")[2]


def _add(found: dict[int, Process], pid: int, matched: str) -> None:
    if pid not in found and (process := read_process(pid, matched)) is not None:
        found[pid] = process
