"""Calls between two Go processes, with neither, one or both of them traced: the measurements that are the same for
every protocol."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from process import Told, start_and_wait
from rounds import in_rounds, summarise

__all__ = ["MODES", "Losses", "measure_sides", "tracing"]

MODES = {"untouched": (), "server": ("server",), "client": ("client",), "both": ("server", "client")}
_GOINST = Path(sys.executable).with_name("goinst")

Losses = list[int]
"""How much each tracer lost."""


def measure_sides(title: str, rounds: int, measure: Callable[[Sequence[str]], dict[str, float]]) -> dict[str, Any]:
    """Measure every mode in turn, ``rounds`` times; print a table; all figures. ``measure`` gets the sides to trace and
    gives ``rate`` (calls a second), ``server_cpu_us`` (a call) and ``lost``."""
    samples = in_rounds(rounds, {mode: partial(measure, sides) for mode, sides in MODES.items()})
    return summarise(title, rounds, samples)


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
