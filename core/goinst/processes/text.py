"""The code of a running process, to see whether it is what was analysed, and whose probes are in it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence

from goinst.processes.process import DELETED, Process

__all__ = ["BREAKPOINT", "read_code"]

# what the kernel writes where a uprobe is: int3 (arch/x86/include/asm/uprobes.h); brk with its immediate 5
# (arch/arm64/include/asm/brk-imm.h, UPROBES_BRK_IMM)
BREAKPOINT = {"x86_64": b"\xcc", "aarch64": (0xD4200000 | 5 << 5).to_bytes(4, "little")}.get(platform.machine(), b"")

_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) [0-9a-f]+:[0-9a-f]+ [1-9]\d* +(.+)")
_MOST = 1 << 22  # bytes of /proc/PID/maps that are read


def read_code(process: Process, offsets: Sequence[int], size: int = len(BREAKPOINT)) -> list[bytes] | None:
    """``size`` bytes at each of these file offsets of what a process runs (or of the library in it), as it has it
    mapped to be executed; None when it is gone, has not mapped the file, or not all of it, or may not be looked at."""
    pid = process.pid
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:  # noqa: PTH123
            areas = _LINE.findall(file.read(_MOST))
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        spans = []
        for start, end, offset, path in areas:
            low, high = int(start, 16), int(end, 16)
            if _is_of(process, low, high, path):
                spans.append((low, high, int(offset, 16)))
        found = []
        for offset in offsets:
            at = next((low + offset - first for low, high, first in spans if 0 <= offset - first < high - low), None)
            code = os.pread(memory, size, at) if at is not None else b""
            if len(code) != size:
                return None
            found.append(code)
    except OSError:
        return None
    else:
        return found
    finally:
        os.close(memory)


def _is_of(process: Process, low: int, high: int, path: bytes) -> bool:
    """Whether a mapping is of the file. By its link, which takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE
    (fs/proc/base.c, proc_map_files_get_link), else by its path, which is that of the executable's link, too."""
    try:
        status = os.stat(f"/proc/{process.pid}/map_files/{low:x}-{high:x}")  # noqa: PTH116 - as maps, but never padded
    except PermissionError:
        return os.fsdecode(path).removesuffix(DELETED).replace("\\012", "\n") == process.exe
    return (status.st_dev, status.st_ino) == (process.device, process.inode)
