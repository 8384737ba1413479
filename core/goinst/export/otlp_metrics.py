"""The metrics of a store as the SDK's exporters take them."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from goinst.metrics import MetricStore, Point

__all__ = ["MetricsPusher"]

_CUMULATIVE = AggregationTemporality.CUMULATIVE


class MetricsPusher:
    """Sends what a store holds: a resource for each service, and one for goinst itself. ``more`` are attributes of all
    of them."""

    def __init__(self, exporter: MetricExporter, store: MetricStore, more: Mapping[str, Any], version: str) -> None:
        self._exporter = exporter
        self._store = store
        self._more = {**more, "host.name": platform.node()}
        self._scope = InstrumentationScope("goinst", version)

    def push(self) -> None:
        """Send them. What fails is tried again with the next ones: they are cumulative."""
        now = time.time_ns()
        points = sorted(self._store.snapshot(), key=lambda point: (point.service, point.instrument.name))
        services = [
            self._resource(service, [self._histogram(list(of), now) for _, of in groupby(group, _instrument)])
            for service, group in groupby(points, lambda point: point.service)
        ]
        self._exporter.export(MetricsData([*services, self._resource("goinst", self._own(now))]))

    def _resource(self, service: str, metrics: list[Metric]) -> ResourceMetrics:
        resource = Resource({**self._more, "service.name": service})
        return ResourceMetrics(resource, [ScopeMetrics(self._scope, metrics, "")], "")

    def _histogram(self, points: list[Point], now: int) -> Metric:
        instrument = points[0].instrument
        data = [
            HistogramDataPoint(
                attributes={key: _text(value) for key, value in point.attributes.items()},
                start_time_unix_nano=self._store.began,
                time_unix_nano=now,
                count=sum(point.counts),
                sum=point.total,
                bucket_counts=point.counts,
                explicit_bounds=instrument.bounds,
                min=float("nan"),
                max=float("nan"),
            )
            for point in points
        ]
        return Metric(instrument.name, instrument.help, instrument.unit, Histogram(data, _CUMULATIVE))

    def _own(self, now: int) -> list[Metric]:
        state, began = self._store.telemetry, self._store.began

        def metric(name: str, help_text: str, values: Mapping[str, float], label: str) -> Metric:
            points = [NumberDataPoint({label: key}, began, now, value) for key, value in values.items()]
            return Metric(name, help_text, "1", Sum(points, _CUMULATIVE, is_monotonic=True))

        ring = NumberDataPoint({}, began, now, state.ring)
        active: dict[str, list[NumberDataPoint]] = {}
        for (plugin, record, name), count in state.open.items():
            point = NumberDataPoint({"goinst.plugin": plugin, "goinst.record": record}, began, now, count)
            active.setdefault(name or "goinst.operations.active", []).append(point)
        return [
            metric("goinst.spans", "Spans that were made.", state.spans, "goinst.plugin"),
            metric("goinst.losses", "What is missing, by plugin and reason.", state.losses, "goinst.reason"),
            metric("goinst.probe.hits", "How often each probe fired.", state.hits, "goinst.probe"),
            Metric("goinst.ring.use", "How full the fullest ring buffer is.", "1", Gauge([ring])),
            *(
                Metric(name, "Operations under way.", "1", Sum(points, _CUMULATIVE, is_monotonic=False))
                for name, points in active.items()
            ),
        ]


def _instrument(point: Point) -> str:
    return point.instrument.name


def _text(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
