"""How a run does, put together from its tracers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from goinst.engine.tracer import Tracer
from goinst.events.tap import Observer, Telemetry
from goinst.export.base import Listener

__all__ = ["Reporter", "gather"]

_SHARE = 50


def gather(tracers: Iterable[Tracer], spans: Counter[str], losses: Counter[str]) -> Telemetry:
    """What the kernel and the decoders counted, beside ``spans`` by plugin and what was lost on the way out."""
    state = Telemetry(spans=Counter(spans), losses=losses)
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
