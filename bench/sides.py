"""Calls between two Go processes, with neither, one or both of them traced: the measurements that are the same for
every protocol."""

from __future__ import annotations

import json
import signal
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from process import Told, start_and_wait

__all__ = ["MODES", "Losses", "measure_sides", "tracing"]

MODES = {"untouched": (), "server": ("server",), "client": ("client",), "both": ("server", "client")}
_GOINST = Path(sys.executable).with_name("goinst")

Losses = list[int]
"""How much each tracer lost."""


def measure_sides(title: str, rounds: int, measure: Callable[[Sequence[str]], dict[str, float]]) -> dict[str, Any]:
    """Measure every mode in turn, ``rounds`` times; print a table; all figures. ``measure`` gets the sides to trace and
    gives ``rate`` (calls a second), ``server_cpu_us`` (a call) and ``lost``."""
    samples: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for turn in range(rounds):
        for mode, sides in MODES.items():
            sample = measure(sides)
            samples[mode].append(sample)
            print(f"  round {turn + 1}/{rounds}: {mode:<9} {sample['rate']:>9,.0f} calls/s", file=sys.stderr)
    print(f"\n{title}, medians of {rounds} rounds")
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


@contextmanager
def tracing(pids: Sequence[int], plugins: str) -> Iterator[Losses]:
    """Trace these processes, if any; what was lost is there afterwards."""
    losses: Losses = []
    tracer: Told | None = None
    if pids:
        wanted = [word for pid in pids for word in ("--pid", str(pid))]
        tracer = start_and_wait([_GOINST, "run", *wanted, "--plugins", plugins, "--output", "none"], '"ready"')
    yield losses
    if tracer:
        tracer.end(signal.SIGINT)
        losses += [sum(json.loads(line)["losses"].values()) for line in tracer.lines if '"summary"' in line]
