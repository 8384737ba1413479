"""How a run does, put together from its tracers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from goinst.engine.tracer import Tracer
from goinst.events.tap import Telemetry

__all__ = ["gather"]


def gather(tracers: Iterable[Tracer], spans: Counter[str], losses: Counter[str]) -> Telemetry:
    """What the kernel and the decoders counted, beside ``spans`` by plugin and what was lost on the way out."""
    state = Telemetry(spans=Counter(spans), losses=losses)
    for tracer in tracers:
        tracer.tell(state)
    return state
