"""goinst trace next to bpftrace and dlv trace on one function of a 60 MB program: time to first event, cost of a hit.

    .venv/bin/python bench/trace.py [ROUNDS]

bpftrace and dlv are taken from PATH, and left out when they are not there. Figures go to build/bench-trace.json, too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from large import write_large_program  # noqa: E402
from process import serving  # noqa: E402

from gobuild import build  # noqa: E402

_GOINST = str(Path(sys.executable).with_name("goinst"))
_PATIENCE = 180.0


@dataclass(frozen=True)
class Way:
    """A command that traces main.step; its first event is the first line that holds ``event``, or it is at work when a
    line holds ``ready``."""

    name: str
    command: tuple[str, ...]
    event: str
    ready: str = ""


def ways(pid: int, binary: Path) -> Iterator[Way]:
    """What can be compared here."""
    spec, target = "main.step(it.Name, n)", ("--pid", str(pid))
    yield Way("goinst trace", (_GOINST, "trace", *target, spec), "it.Name=")
    yield Way("goinst trace --rate 0", (_GOINST, "trace", *target, "--rate", "0", spec), "it.Name=")
    yield Way("goinst trace --count", (_GOINST, "trace", *target, "main.step()", "--count", "it.Name"), "", '"ready"')
    yield Way("goinst trace, a condition", (_GOINST, "trace", *target, f"{spec} if n > 100"), "", '"ready"')
    yield Way("goinst trace --time", (_GOINST, "trace", *target, "--time", spec), "it.Name=")
    if shutil.which("bpftrace"):
        name = 'str(*(uint64 *)reg("ax"), *(uint64 *)(reg("ax") + 8))'
        probe = f"uprobe:{binary}:main.step"
        yield Way(
            "bpftrace printf",
            (
                "bpftrace",
                "-B",
                "line",
                "-p",
                str(pid),
                "-e",
                f'{probe} {{ printf("hit %s %d\\n", {name}, reg("bx")); }}',
            ),
            "hit ",
        )
        yield Way(
            "bpftrace count", ("bpftrace", "-p", str(pid), "-e", f"{probe} {{ @[{name}] = count(); }}"), "", "Attaching"
        )
    if shutil.which("dlv"):
        yield Way("dlv trace", ("dlv", "trace", "-p", str(pid), "main.step"), "main.step(")


@contextmanager
def _running(way: Way, cache: str) -> Iterator[float]:
    """The command at work, and seconds to its first event or to being ready."""
    began = time.monotonic()
    process = subprocess.Popen(
        way.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "XDG_CACHE_HOME": cache},
    )
    try:
        assert process.stdout is not None
        wanted, said = (way.event or way.ready).encode(), b""
        while wanted not in (line := process.stdout.readline()):
            said += line
            if not line or time.monotonic() - began > _PATIENCE:
                raise SystemExit(f"bench: {way.name} has no event: {said.decode(errors='replace')[-1000:]}")
        seconds = time.monotonic() - began
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        process.stdout.close()
        time.sleep(0.3)
        yield seconds
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        drain.wait()


def _ns(port: int) -> float:
    """Nanoseconds a call of main.step, as the program sees it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/work", timeout=_PATIENCE) as answer:
        calls, nanoseconds = map(int, answer.read().split())
    return nanoseconds / calls


def measure(binary: Path, rounds: int) -> dict[str, dict[str, float]]:
    """By way: seconds to the first event (goinst: with an empty cache, and again) and nanoseconds a call."""
    found: dict[str, dict[str, list[float]]] = {"nothing": {"ns": []}}
    again = ("goinst trace", "goinst trace --count")
    for _ in range(rounds):
        with serving(binary) as (pid, port):
            found["nothing"]["ns"].append(_ns(port))
            for way in ways(pid, binary):
                row = found.setdefault(way.name, {"cold": [], "cached": [], "ns": []})
                with tempfile.TemporaryDirectory(prefix="goinst-bench-") as cache:
                    if way.name in again:
                        with _running(way, cache) as seconds:
                            row["cold"].append(seconds)
                    with _running(way, cache) as seconds:
                        row["cached" if way.name in again else "cold"].append(seconds)
                        row["ns"].append(_ns(port))
    return {name: {key: statistics.median(row) for key, row in rows.items() if row} for name, rows in found.items()}


def table(figures: dict[str, dict[str, float]]) -> Sequence[str]:
    """For people."""
    plain = figures["nothing"]["ns"]
    lines = [f"{'':<28} {'first event':>12} {'cached':>8} {'ns a call':>10} {'of it tracing':>14}"]
    for name, row in figures.items():
        cells = [f"{row[key]:.2f} s" if key in row else "" for key in ("cold", "cached")]
        lines.append(f"{name:<28} {cells[0]:>12} {cells[1]:>8} {row['ns']:>10,.0f} {row['ns'] - plain:>14,.0f}")
    return lines


def main() -> None:
    """Build, measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    binary = build(write_large_program(ROOT / "build" / "bench-large"))
    print(f"{binary.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} CPUs, Linux {os.uname().release}, {rounds} rounds")
    figures = measure(binary, rounds)
    print("\n".join(table(figures)))
    (ROOT / "build" / "bench-trace.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
