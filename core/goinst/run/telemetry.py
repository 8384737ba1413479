"""How a run does, put together from its tracers."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from goinst.capture.aggregate import Table
from goinst.export.base import Listener
from goinst.records.observer import Observer, Telemetry
from goinst.run.tracer import Tracer

__all__ = ["Accounts", "Reporter"]

_SHARE = 50


class Accounts:
    """What tracers that are no more had counted, so that it stays in the sums."""

    def __init__(self) -> None:
        self._state = Telemetry()
        self.notes: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.tables: list[tuple[Table, list[tuple[Any, int]]]] = []

    def take(self, tracer: Tracer) -> None:
        """Add what a tracer has, before it is closed."""
        tracer.tell(self._state)
        self.notes += tracer.notes()
        self.places += tracer.loss_places()
        self.tables += tracer.tables()

    def gather(self, tracers: Iterable[Tracer], spans: Counter[str], losses: Counter[str]) -> Telemetry:
        """The sums of these and of those that live, beside ``spans`` by plugin and what was lost on the way out. What
        is open is open still, or was when its executable was given up."""
        state = copy.deepcopy(self._state)
        state.spans, state.ring = Counter(spans), 0.0
        state.losses.update(losses)
        for tracer in tracers:
            tracer.tell(state)
        return state


class Reporter:
    """Tells listeners how a run does, as often as it is asked to, but no more than a fiftieth of the time: with many
    goroutines, to count what is open takes long, and meanwhile nobody drains the rings."""

    def __init__(self, state: Callable[[], Telemetry], listeners: Sequence[Observer | Listener]) -> None:
        self._state = state
        self._listeners = listeners
        self._due = 0.0

    def tell(self, *, last: bool = False) -> None:
        """Tell them if it is time, or for the last time."""
        began = time.monotonic()
        if not self._listeners or (began < self._due and not last):
            return
        state = self._state()
        for listener in self._listeners:
            listener.telemetry(state)
        ended = time.monotonic()
        self._due = ended + _SHARE * (ended - began)
