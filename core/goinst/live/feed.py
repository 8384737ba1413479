"""From a run, or from recordings, to the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from goinst.export.base import Listener
from goinst.live.model import Model
from goinst.plugin.exporter import Exporter
from goinst.records.observer import Telemetry
from goinst.spans.span import Span

__all__ = ["LiveExporter", "pace"]


class LiveExporter(Exporter, Listener):
    """An exporter that fills a model."""

    name = "top"
    wants_partial = True

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def export(self, spans: Sequence[Span]) -> None:
        """Show them; those that are still open come by themselves, all of them."""
        if spans and spans[0].partial:
            self._model.still_open(spans, time.time_ns())
        else:
            self._model.add(spans, time.time_ns())

    def telemetry(self, telemetry: Telemetry) -> None:
        """Show how goinst does; and that time goes by without spans."""
        self._model.tell(telemetry)
        self._model.add((), time.time_ns())


def pace(batches: Iterable[tuple[int, Sequence[Span]]], model: Model, speed: float, stop: threading.Event) -> None:
    """Show recorded batches (time in ns, spans) as they came, ``speed`` times as fast; 0: at once."""
    first: tuple[int, float] | None = None
    show: Callable[[Sequence[Span], int], None] = model.add
    for at, spans in batches:
        now = time.monotonic()
        if first is None:
            first = at, now
        if speed:
            wait = (at - first[0]) / 1e9 / speed - (now - first[1])
            if wait > 0 and stop.wait(wait):
                return
        if stop.is_set():
            return
        show(spans, at)
