"""Spans and metrics to an OpenTelemetry Collector, or whatever speaks its protocol (OTLP), by gRPC or HTTP."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

from goinst.diagnostics import get_logger
from goinst.errors import MachineError, UsageError
from goinst.export.base import Listener, Meter
from goinst.export.sender import Sender, metric_exporter, open_sender
from goinst.extras import need
from goinst.metrics import MetricStore
from goinst.patience import Patience
from goinst.records.observer import Telemetry
from goinst.spans.span import Span

__all__ = ["OtlpExporter"]

_LOOK = 0.1  # seconds between two looks at whether the user has asked twice


def _number(name: str, default: int, low: int = 1) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < low:
        raise UsageError(f"{name}={text}: a whole number from {low} expected")
    return int(text)


class OtlpExporter(Meter, Listener):
    """Queues spans, and sends them from a thread of its own: a Collector that is slow or gone never holds up tracing.

    What does not fit into the queue, and what could not be sent, is counted in ``losses``; failing and working again
    are each said in one line. ``endpoint`` empty: as OTEL_EXPORTER_OTLP_* say. ``store`` holds the metrics; ``counts``:
    it is filled here (and not by another exporter). OTEL_TRACES_EXPORTER=none and OTEL_METRICS_EXPORTER=none switch one
    of the two off; OTEL_BSP_* and OTEL_METRIC_EXPORT_INTERVAL have their usual meaning.
    """

    name = "otlp"

    def __init__(
        self,
        endpoint: str,
        version: str,
        store: MetricStore | None = None,
        *,
        counts: bool = True,
        patience: Patience | None = None,
    ) -> None:
        super().__init__()
        self._patience = patience
        self.wants_spans = os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "none"
        self.store = store or MetricStore()
        self._limit = _number("OTEL_BSP_MAX_QUEUE_SIZE", 50_000)
        self._batch = min(_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 2000), self._limit)
        self._delay = _number("OTEL_BSP_SCHEDULE_DELAY", 1000) / 1000
        self._longest = _number("OTEL_BSP_EXPORT_TIMEOUT", 15_000) / 1000
        self._sender: Sender = open_sender(endpoint)
        need("opentelemetry.sdk.resources", "otlp", "--otlp")
        from opentelemetry.sdk.resources import OTELResourceDetector

        from goinst.export.protobuf import SpanEncoder

        more = {k: v for k, v in OTELResourceDetector().detect().attributes.items() if k != "service.name"}
        self._encoder = SpanEncoder(more, version)
        self._queue: deque[Span] = deque()
        self._change = threading.Condition()
        self._sending: Sequence[Span] = ()
        self._stop = self._failing = self._gave_up = False
        self._interval = _number("OTEL_METRIC_EXPORT_INTERVAL", 60_000) / 1000
        self._metrics: Any = None
        self.counts = counts and os.environ.get("OTEL_METRICS_EXPORTER", "otlp") != "none"
        if os.environ.get("OTEL_METRICS_EXPORTER", "otlp") != "none":
            from goinst.export.otlp_metrics import MetricsPusher

            self._metrics = MetricsPusher(metric_exporter(endpoint), self.store, more, version)
        self._thread = threading.Thread(target=self._run, name="goinst-otlp", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise MachineError("--otlp: no thread can be had to send from: see ulimit -u and ulimit -v") from error

    @property
    def place(self) -> str:
        """Where to."""
        return f"otlp to {self._sender.target}"

    def export(self, spans: Sequence[Span]) -> None:
        """Queue them."""
        with self._change:
            room = self._limit - len(self._queue) - len(self._sending)
            if room < len(spans):
                self._lost("queue_full", spans[max(room, 0) :])
                spans = spans[: max(room, 0)]
            self._queue.extend(spans)
            if len(self._queue) >= self._batch:
                self._change.notify()

    def telemetry(self, telemetry: Telemetry) -> None:
        """Remember how goinst does, for the metrics."""
        self.store.telemetry = telemetry

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while True:
            with self._change:
                if not self._stop and len(self._queue) < self._batch:
                    self._change.wait(self._delay)
                batch = list(islice(self._queue, self._batch))
                for _ in batch:
                    self._queue.popleft()
                self._sending = batch
                stop = self._stop and not batch
            if batch:
                self._send(batch)
            if self._metrics is not None and (stop or time.monotonic() >= due):
                due = time.monotonic() + self._interval
                self._metrics.push()
            if stop:
                return

    def _send(self, batch: Sequence[Span]) -> None:
        try:
            reason = self._sender.send(self._encoder.request(batch))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        with self._change:
            if self._gave_up:
                return
            self._sending = ()
            if reason:
                self._lost("not_sent", batch)
        if bool(reason) != self._failing:
            self._failing = bool(reason)
            if reason:
                get_logger().warning("spans cannot be sent", to=self._sender.target, reason=reason)
            else:
                get_logger().info("spans are being sent again", to=self._sender.target)

    def _lost(self, reason: str, spans: Sequence[Span]) -> None:
        self.losses[f"otlp.{reason}"] += len(spans)
        self.undone.update([span.plugin for span in spans])

    def close(self) -> None:
        """Send what is queued, as long as that may take and the user waits; what is left then is lost, and counted."""
        with self._change:
            if self._stop:
                return
            self._stop = True
            self._change.notify()
        until = time.monotonic() + self._longest
        while self._thread.is_alive() and (left := until - time.monotonic()) > 0:
            if self._patience is not None and self._patience.hurried:
                break
            self._thread.join(min(left, _LOOK))
        if self._thread.is_alive():
            with self._change:
                self._gave_up = True
                self._lost("not_sent", [*self._queue, *self._sending])
                self._queue.clear()
            self._sender.close()
