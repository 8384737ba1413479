"""Unary gRPC calls per second between two Go processes: untouched, one side traced, both."""

from __future__ import annotations

import json
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from process import Told, cpu_seconds, start_and_wait

__all__ = ["MODES", "measure_grpc"]

MODES = {"untouched": (), "server": ("server",), "client": ("client",), "both": ("server", "client")}
_GOINST = Path(sys.executable).with_name("goinst")
_WORKERS, _CONNECTIONS = "16", "4"


def measure_grpc(binary: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure every mode in turn, ``rounds`` times; print a table; all figures."""
    samples: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for turn in range(rounds):
        for mode, sample in _round(binary, seconds):
            samples[mode].append(sample)
            print(f"  round {turn + 1}/{rounds}: {mode:<9} {sample['rate']:>9,.0f} calls/s", file=sys.stderr)
    print(f"\nunary gRPC calls, {_WORKERS} at a time on {_CONNECTIONS} connections, medians of {rounds} rounds")
    print(f"{'traced':<10}{'calls/s':>11}{'ratio':>7}{'spread':>13}{'server µs/call':>16}{'lost':>7}")
    summary = {}
    for mode, taken in samples.items():
        pairs = zip(taken, samples["untouched"], strict=True)
        ratios = sorted(sample["rate"] / untouched["rate"] for sample, untouched in pairs)
        row = {
            "calls_per_second": statistics.median(sample["rate"] for sample in taken),
            "ratio": statistics.median(ratios),
            "ratio_lowest": ratios[0],
            "ratio_highest": ratios[-1],
            "server_cpu_us_per_call": statistics.median(sample["server_cpu_us"] for sample in taken),
            "lost": sum(sample["lost"] for sample in taken),
        }
        summary[mode] = {**row, "samples": taken}
        print(
            f"{mode:<10}{row['calls_per_second']:>11,.0f}{row['ratio']:>7.2f}{f'{ratios[0]:.2f}-{ratios[-1]:.2f}':>13}"
            f"{row['server_cpu_us_per_call']:>16.1f}{row['lost']:>7.0f}"
        )
    return summary


def _round(binary: Path, seconds: int) -> Iterator[tuple[str, dict[str, float]]]:
    for mode, sides in MODES.items():
        with ExitStack() as stack:
            server = _started(stack, [binary, "serve"])
            assert server.stdout is not None
            address = server.stdout.readline().split()[1].removeprefix("tcp:")
            client = _started(stack, [binary, "load", address, str(seconds), _WORKERS, _CONNECTIONS])
            pids = {"server": server.pid, "client": client.pid}
            tracer = _trace([pids[side] for side in sides]) if sides else None
            before = cpu_seconds(server.pid)
            said, _ = client.communicate("go\n", timeout=seconds + 60)
            spent = cpu_seconds(server.pid) - before
            lost = 0
            if tracer:
                tracer.end(signal.SIGINT)
                lost = sum(sum(json.loads(line)["losses"].values()) for line in tracer.lines if '"summary"' in line)
            found = re.search(r"(\d+) calls in ([\d.]+) s", said)
            if not found:
                raise SystemExit(f"bench: the load program said something else than expected: {said}")
            calls = int(found[1])
            yield mode, {"rate": calls / float(found[2]), "server_cpu_us": spent / calls * 1e6, "lost": lost}


def _started(stack: ExitStack, command: Sequence[str | Path]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _trace(pids: Sequence[int]) -> Told:
    wanted = [word for pid in pids for word in ("--pid", str(pid))]
    return start_and_wait([_GOINST, "run", *wanted, "--plugins", "grpc", "--output", "none"], '"ready"')
