"""Uprobes by name, in tracefs' uprobe_events: for kernels that keep perf events of uprobes for CAP_SYS_ADMIN.

Since CVE-2025-38466 (183bdb89af1b; in 5.10.240, 5.15.189, 6.1.146) perf_event_open(2) of a uprobe wants CAP_SYS_ADMIN;
of a tracepoint it does not, and a name in uprobe_events is one. Who may write that file is decided by its mode: it is
root's. uprobe_multi (Linux 6.6) needs none of this.

A name lives until it is removed, also when its maker is gone (Documentation/trace/uprobetracer.rst). So each carries
pid and start of its process, and the next process that comes here removes those of the dead.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from functools import cache
from itertools import count
from pathlib import Path

from goinst.errors import MachineError

__all__ = ["add", "remove"]

_FOLDERS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
_OURS = re.compile(r"p:(goinst_(\d+)_(\d+)/\w+) ")
_BUSY_SECONDS = 1.0  # for the kernel to let go of an event that was closed
_numbers = count()


def add(path: str, offset: int, semaphore: int = 0) -> tuple[str, int]:
    """A name for the instruction at a file offset, and the number by which perf_event_open(2) knows it.

    MachineError when there is no tracefs or it may not be written; OSError when the kernel does not take this one.
    """
    _sweep()
    name = f"goinst_{os.getpid()}_{_started(os.getpid())}/p{next(_numbers)}"
    # by a descriptor: a path may have any character in it
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        place = f"/proc/self/fd/{file}:{offset:#x}" + (f"({semaphore:#x})" if semaphore else "")
        _write(f"p:{name} {place}")
    finally:
        os.close(file)
    try:
        return name, int((_folder() / "events" / name / "id").read_text())
    except OSError as error:
        remove([name])
        raise MachineError(f"tracefs shows no {error.filename}: {error.strerror}") from None


def remove(names: Iterable[str]) -> list[str]:
    """Take names away whose events are closed; those that the kernel does not let go."""
    kept, end = [], time.monotonic() + _BUSY_SECONDS
    for name in names:
        while True:
            try:
                _write(f"-:{name}")
            except FileNotFoundError:
                break
            except (OSError, MachineError):
                if time.monotonic() < end:
                    time.sleep(0.01)
                    continue
                kept.append(name)
            break
    return kept


def _folder() -> Path:
    for folder in _FOLDERS:
        try:
            if (folder / "uprobe_events").exists():
                return folder
        except PermissionError:
            raise MachineError(f"{folder} is root's: run as user 0 or with CAP_DAC_OVERRIDE") from None
    raise MachineError(
        f"tracefs is not mounted (mount -t tracefs none {_FOLDERS[0]}; in a container, mount the host's)"
    )


def _write(line: str) -> None:
    # never O_TRUNC: that removes everybody's events (kernel/trace/trace_uprobe.c, probes_open)
    file = _folder() / "uprobe_events"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except PermissionError as error:
        raise MachineError(
            f"{file} may not be written ({error.strerror}): run as user 0 or with CAP_DAC_OVERRIDE, on a kernel that is"
            " not locked down to confidentiality"
        ) from None
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


@cache
def _sweep() -> None:
    """Once in a process: remove what is left of goinsts that are gone."""
    left = [
        match[1]
        for match in _OURS.finditer((_folder() / "uprobe_events").read_text())
        if _started(int(match[2])) != match[3]
    ]
    remove(left)


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
