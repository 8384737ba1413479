"""Says when what is traced is passed so often that it costs the program a good part of a processor."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from goinst.export.base import Listener
from goinst.records.observer import Telemetry

__all__ = ["HotProbes"]

_HOT = 100_000
_LEAST = 0.5  # seconds between two looks


class HotProbes(Listener):
    """``log`` is told of each probe once."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._before: Counter[str] = Counter()
        self._at = time.monotonic()
        self._said: set[str] = set()

    def telemetry(self, telemetry: Telemetry) -> None:
        """Compare with a second ago."""
        now = time.monotonic()
        passed = now - self._at
        if passed < _LEAST:
            return
        for probe, hits in telemetry.hits.items():
            rate = (hits - self._before[probe]) / passed
            if rate > _HOT and probe not in self._said:
                self._said.add(probe)
                # measured on a virtual machine (docs/PLUGINS.md, Probe; bench/trace.py)
                cost = "about 5 µs" if probe.endswith(" return") else "about half a µs"
                self._log.warning(
                    "a hot function", probe=probe, hits_per_second=round(rate),
                    reason=f"each call costs the program {cost}, whatever --rate says: narrow the SPEC, or end soon",
                )  # fmt: skip
        self._before, self._at = Counter(telemetry.hits), now
