"""Processes under measurement: what they used, and waiting for what they say."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Told", "cpu_seconds", "rss_mb", "serving", "start_and_wait"]

_TICK: int = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5): utime and stime, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_mb(pid: int) -> float:
    """Resident memory now, in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0


@contextmanager
def serving(binary: Path) -> Iterator[tuple[int, int]]:
    """Start a server that prints ``listening ADDRESS``: (pid, port)."""
    process = subprocess.Popen([binary], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.kill()
        process.wait()


@dataclass
class Told:
    """A started program, the seconds until it said what was waited for, and what it says (growing)."""

    process: subprocess.Popen[str]
    seconds: float
    lines: list[str]
    reader: threading.Thread

    def end(self, number: int) -> float:
        """Send a signal, wait for the exit; the seconds that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        seconds = time.monotonic() - began
        self.reader.join(5)
        return seconds


def start_and_wait(
    command: Sequence[str | Path], word: str, *, on_stdout: bool = False, env: dict[str, str] | None = None
) -> Told:
    """Start ``command`` and wait until a line with ``word`` comes on its stderr (or stdout)."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if on_stdout else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if on_stdout else subprocess.PIPE,
        text=True,
        env=env,
    )
    stream = process.stdout if on_stdout else process.stderr
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if word in line:
            break
    else:
        process.wait(30)
        raise SystemExit(f"bench: {command[0]} ended without {word!r}: {''.join(lines)}")
    seconds = time.monotonic() - began
    reader = threading.Thread(target=lambda: lines.extend(stream), daemon=True)
    reader.start()
    return Told(process, seconds, lines, reader)
