"""Processes by what they have loaded: shared libraries by name, or whatever a test of the file itself finds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from re import Pattern

from goinst.errors import MachineError, TargetError
from goinst.processes.discover import Selector
from goinst.processes.mapped import MappedFile, mapped_files, named
from goinst.processes.process import Process, all_pids, read_process

__all__ = ["LibrarySelector", "find_library"]

Wanted = Callable[[MappedFile], bool]
_LONGEST = 16  # scans between two looks at an old process that has none of it
_MOST = 4000  # processes; bpf/event.h has room for 4096
_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")


class LibrarySelector:
    """Chooses what processes have mapped: ``name`` as mapped.named takes it, or what ``wanted`` says yes to.

    With ``inside`` only in the processes that it chooses, else in all but goinst itself. Each file in a process is a
    Process whose ``exe`` and ``binary`` are that file, and whose ``program`` is what the process runs. A process that
    has none of it is looked at again, ever more seldom, unless ``inside`` names it. Without ``strict`` nothing need be
    there.
    """

    def __init__(
        self, name: str, inside: Selector | None = None, *, wanted: Wanted | None = None, strict: bool = True
    ) -> None:
        self._name = name
        self._inside = inside
        self._strict = strict
        pattern = named(name)
        self._wanted = wanted or (lambda file: _is_called(file, name, pattern))
        self._answers: dict[tuple[int, int, str], bool] = {}
        self._rest: dict[int, tuple[int, int]] = {}
        self._scans = 0

    def scan(self) -> list[Process]:
        """What to instrument now. TargetError from the first call when nothing has it."""
        self._scans += 1
        found: list[Process] = []
        if self._inside is not None:
            for process in self._inside.scan():
                found += self._in(process, f"{process.matched}, {self._name}")
        else:
            pids = all_pids()
            self._rest = {pid: self._rest[pid] for pid in pids if pid in self._rest}
            for pid in pids:
                due, pause = self._rest.get(pid, (0, 1))
                one = read_process(pid) if pid != os.getpid() and self._scans >= due else None
                if one is None:
                    continue
                here = self._in(one, f"has {self._name}")
                found += here
                # others than those that have it are looked at ever more seldom
                self._rest[pid] = (0, 1) if here else (self._scans + pause, min(2 * pause, _LONGEST))
        if len(found) > _MOST:
            raise TargetError(f"{self._name}: {len(found)} processes have it, more than {_MOST}; choose some by --pid")
        if self._strict and not found:
            raise self._nothing()
        self._strict = False
        return found

    def _in(self, process: Process, matched: str) -> list[Process]:
        return [
            Process(
                process.pid, file.path, file.binary, file.device, file.inode, process.start_time, process.command,
                matched, program=process.exe,
            )
            for file in mapped_files(process.pid)
            if self._is_wanted(file)
        ]  # fmt: skip

    def _is_wanted(self, file: MappedFile) -> bool:
        key = (file.device, file.inode, file.path)
        if key not in self._answers:
            self._answers[key] = self._wanted(file)
        return self._answers[key]

    def _nothing(self) -> Exception:
        if os.geteuid():
            return MachineError(f"{self._name}: no process that this user may look at has it; run goinst as root")
        if self._inside is not None:
            return TargetError(f"{self._name}: the process has not loaded it; with --wait it may later")
        return TargetError(f"{self._name}: no running process has loaded it; start one first, or trace with --wait")


def find_library(name: str) -> str | None:
    """The file that the dynamic linker would take for a library: a path, its name with version, or without."""
    if "/" in name:
        return name if Path(name).is_file() else None
    pattern = named(name)
    for path in (*_linkers(), *_in_folders(name)):
        if pattern.match(path) and Path(path).is_file():
            return str(Path(path).resolve())
    return None


def _linkers() -> list[str]:
    """What ldconfig(8) has found, those of this machine's architecture."""
    try:
        done = subprocess.run(
            ["/sbin/ldconfig", "-p"], capture_output=True, text=True, timeout=10, check=False, env={"LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.partition(" => ") for line in done.stdout.splitlines())
    return [path.strip() for what, arrow, path in rows if arrow and ("x86-64" in what or "AArch64" in what)]


def _in_folders(name: str) -> list[str]:
    folders = [Path(folder) for folder in _FOLDERS]
    folders += [path for folder in folders[:2] for path in folder.glob("*-linux-gnu")]
    return [str(path) for folder in folders for path in sorted(folder.glob(f"*{name}*"))]


def _is_called(file: MappedFile, name: str, pattern: Pattern[str]) -> bool:
    if pattern.match(file.path):
        return True
    if "/" not in name:
        return False
    try:  # a path may lead to it by other names
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (file.device, file.inode)
