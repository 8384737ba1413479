"""The code of a running process, to see whether it is what was analysed, and whose probes are in it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence

from goinst.target.openfile import FileKey

__all__ = ["BREAKPOINT", "read_code"]

# what the kernel writes where a uprobe is: int3 (arch/x86/include/asm/uprobes.h); brk with its immediate 5
# (arch/arm64/include/asm/brk-imm.h, UPROBES_BRK_IMM)
BREAKPOINT = {"x86_64": b"\xcc", "aarch64": (0xD4200000 | 5 << 5).to_bytes(4, "little")}.get(platform.machine(), b"")

_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) [0-9a-f]+:[0-9a-f]+ [1-9]\d* ")
_MOST = 1 << 22  # bytes of /proc/PID/maps that are read


def read_code(pid: int, key: FileKey, offsets: Sequence[int], size: int = len(BREAKPOINT)) -> list[bytes] | None:
    """``size`` bytes at each of these file offsets as process ``pid`` has them mapped to be executed; None when it is
    gone, has not mapped the file ``key``, or not all of it, or may not be looked at."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:  # noqa: PTH123
            areas = _LINE.findall(file.read(_MOST))
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        spans = []
        for area in areas:
            start, end, offset = (int(number, 16) for number in area)
            status = os.stat(f"/proc/{pid}/map_files/{start:x}-{end:x}")  # noqa: PTH116 - as maps, but never padded
            if (status.st_dev, status.st_ino) == key:
                spans.append((start, end, offset))
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
