"""Requests per second of one Go server: untouched, traced by goinst with several outputs, counted by bpftrace."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from process import Told, cpu_seconds, rss_mb, serving, start_and_wait

__all__ = ["MODES", "Sample", "measure_round"]

MODES = {
    "untouched": None,
    "counted": "none",
    "msgpack": "msgpack:{folder}/spans.msgpack",
    "json": "json:{folder}/spans.jsonl",
    "bpftrace": None,
}
_GOINST = Path(sys.executable).with_name("goinst")
_WARM_UP = 1


@dataclass
class Sample:
    """One measurement. ``tracer_…`` are 0 for the untouched server; ``lost`` is what the tracer reported."""

    rate: float
    requests: int
    server_cpu_us: float
    tracer_cpu_us: float
    tracer_rss_mb: float
    lost: int

    def as_dict(self) -> dict[str, Any]:
        """For the file of results."""
        return asdict(self)


def measure_round(binary: Path, modes: Sequence[str], seconds: int, folder: Path) -> Iterator[tuple[str, Sample]]:
    """Measure each mode once, each on a server of its own."""
    for mode in modes:
        with serving(binary) as (pid, port):
            _load(port, _WARM_UP)
            tracer = _start(mode, binary, pid, folder)
            yield mode, _measure(pid, port, seconds, tracer)
        for left in folder.glob("spans.*"):
            left.unlink()


def _start(mode: str, binary: Path, pid: int, folder: Path) -> Told | None:
    if mode == "untouched":
        return None
    if mode == "bpftrace":
        program = f'uprobe:{binary}:"net/http.serverHandler.ServeHTTP" {{ @ = count(); }}'
        told = start_and_wait(["bpftrace", "-e", program], "Attaching", on_stdout=True)
        time.sleep(1)  # it says so before it does
        return told
    output = str(MODES[mode]).format(folder=folder)
    return start_and_wait([_GOINST, "run", "--pid", str(pid), "--plugins", "nethttp", "--output", output], '"ready"')


def _measure(pid: int, port: int, seconds: int, tracer: Told | None) -> Sample:
    server_before = cpu_seconds(pid)
    tracer_before = cpu_seconds(tracer.process.pid) if tracer else 0.0
    requests, rate = _load(port, seconds)
    time.sleep(0.2)  # the tracer takes what is still in its buffer
    server = cpu_seconds(pid) - server_before
    spent, memory, lost = 0.0, 0.0, 0
    if tracer:
        spent = cpu_seconds(tracer.process.pid) - tracer_before
        memory = rss_mb(tracer.process.pid)
        tracer.end(signal.SIGINT)
        lost = _lost(tracer.lines)
    return Sample(rate, requests, server / requests * 1e6, spent / requests * 1e6, memory, lost)


def _load(port: int, seconds: int) -> tuple[int, float]:
    """(requests answered, requests per second)."""
    shown = subprocess.run(
        ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{port}/ping"],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    ).stdout
    count = re.search(r"(\d+) requests in", shown)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", shown)
    if not count or not rate:
        raise SystemExit(f"bench: wrk said something else than expected: {shown}")
    return int(count[1]), float(rate[1])


def _lost(lines: Sequence[str]) -> int:
    for line in lines:
        if '"summary"' in line:
            return sum(json.loads(line)["losses"].values())
    return 0
