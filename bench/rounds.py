"""What rounds of measurements come to: medians, and how far the rounds lie apart."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["in_rounds", "summarise"]

Sample = dict[str, float]


def in_rounds(rounds: int, measures: Mapping[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Take a sample of every mode in turn, ``rounds`` times: what is beside them on the machine meets all of them."""
    samples: dict[str, list[Sample]] = {mode: [] for mode in measures}
    for turn in range(rounds):
        for mode, measure in measures.items():
            sample = measure()
            samples[mode].append(sample)
            print(f"  round {turn + 1}/{rounds}: {mode:<9} {sample['rate']:>9,.0f} calls/s", file=sys.stderr)
    return samples


def summarise(title: str, rounds: int, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    """Print a table; all figures. A sample has ``rate`` (calls a second), ``server_cpu_us`` (a call), ``lost``, and may
    have ``hits`` (a call); the first mode is what the others are compared with."""
    first = next(iter(samples))
    hits = all("hits" in sample for taken in samples.values() for sample in taken)
    print(f"\n{title}, medians of {rounds} rounds")
    head = f"{'traced':<10}{'calls/s':>11}{'ratio':>7}{'spread':>13}{'server µs/call':>16}"
    print(head + f"{'hits/call':>11}" * hits + f"{'lost':>7}")
    summary = {}
    for mode, taken in samples.items():
        pairs = zip(taken, samples[first], strict=True)
        ratios = sorted(sample["rate"] / untouched["rate"] for sample, untouched in pairs)
        row = {
            "calls_per_second": statistics.median(sample["rate"] for sample in taken),
            "ratio": statistics.median(ratios),
            "ratio_lowest": ratios[0],
            "ratio_highest": ratios[-1],
            "server_cpu_us_per_call": statistics.median(sample["server_cpu_us"] for sample in taken),
            "lost": sum(sample["lost"] for sample in taken),
        }
        line = (
            f"{mode:<10}{row['calls_per_second']:>11,.0f}{row['ratio']:>7.2f}{f'{ratios[0]:.2f}-{ratios[-1]:.2f}':>13}"
            f"{row['server_cpu_us_per_call']:>16.1f}"
        )
        if hits:
            row["hits_per_call"] = statistics.median(sample["hits"] for sample in taken)
            line += f"{row['hits_per_call']:>11.3f}"
        print(f"{line}{row['lost']:>7.0f}")
        summary[mode] = {**row, "samples": taken}
    return summary
