"""Histograms by service and attributes: bounded, whatever the target's clients send."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from goinst.metrics.conventions import Instrument, measure
from goinst.records.observer import Telemetry
from goinst.spans.span import Span

__all__ = ["OTHER", "Addition", "Exemplar", "Limits", "MetricStore", "Point"]

OTHER = "_OTHER"


@dataclass(frozen=True, slots=True)
class Limits:
    """``series`` of one instrument and service; ``values`` of one of its attributes. What is beyond goes to a series
    whose only attribute is otel.metric.overflow, or to the value ``_OTHER``."""

    series: int = 2000
    values: int = 200


# a span that stands for a bucket: trace id, span id, its duration in seconds, its end (Unix ns). A plain tuple: one is
# made for every span
Exemplar = tuple[int, int, float, int]


@dataclass(slots=True)
class Point:
    """One series: ``counts`` of each bucket, the last beyond all bounds; ``exemplars`` the last of each."""

    instrument: Instrument
    service: str
    attributes: dict[str, Any]
    counts: list[int]
    exemplars: list[Exemplar | None]
    total: float = 0.0


# a series, how many more in each of its buckets, the sum of their values
Addition = tuple[Point, Sequence[int], float]


@dataclass(slots=True)
class _Family:
    points: dict[tuple[Any, ...], Point] = field(default_factory=dict)
    # what was not cut, as it was given: nearly always found at once
    known: dict[tuple[Any, ...], Point] = field(default_factory=dict)
    values: list[set[Any]] = field(default_factory=list)
    overflow: Point | None = None


class MetricStore:
    """Counts spans from one thread; any thread may ask for ``snapshot``."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._families: dict[tuple[Instrument, str], _Family] = {}
        self._lock = threading.Lock()
        self.began = time.time_ns()
        self.telemetry = Telemetry()
        self.overflowed: Counter[str] = Counter()

    def add(self, spans: Iterable[Span]) -> None:
        """Count spans."""
        with self._lock:
            resource, service = None, ""
            for span in spans:
                if span.resource is not resource:
                    resource = span.resource
                    service = str(resource.attributes.get("service.name", "unknown"))
                for instrument, values, value in measure(span):
                    family = self._families.get((instrument, service))
                    point = family.known.get(values) if family is not None else None
                    if point is None:
                        point = self.point(instrument, service, values)
                    bucket = bisect_left(instrument.bounds, value)
                    point.counts[bucket] += 1
                    point.total += value
                    if instrument.unit == "s":
                        point.exemplars[bucket] = _exemplar(span)

    def series(self, span: Span) -> list[tuple[Instrument, Point, float]] | None:
        """Where this span would be counted, and with which values; None when there is no room for one of its series,
        or of the values of their attributes."""
        service = str(span.resource.attributes.get("service.name", "unknown"))
        with self._lock:
            before = self.overflowed.copy()
            found = [(one, self.point(one, service, values), value) for one, values, value in measure(span)]
            fits, self.overflowed = self.overflowed == before, before
            return found if fits else None

    def fold(self, additions: Iterable[Addition], shown: Iterable[tuple[Point, int, Span]]) -> None:
        """Add to series: how many more in each bucket, and the sum of their values; and let spans stand for buckets."""
        with self._lock:
            for point, counts, total in additions:
                counted = point.counts
                for bucket, count in enumerate(counts):
                    counted[bucket] += count
                point.total += total
            for point, bucket, span in shown:
                point.exemplars[bucket] = _exemplar(span)

    def point(self, instrument: Instrument, service: str, values: tuple[Any, ...]) -> Point:
        """The series of these attributes, made if it is new and there is room."""
        family = self._families.get((instrument, service))
        if family is None:
            family = self._families[instrument, service] = _Family(values=[set() for _ in values])
        point = family.known.get(values)
        return point if point is not None else self._find(family, instrument, service, values)

    def _find(self, family: _Family, instrument: Instrument, service: str, values: tuple[Any, ...]) -> Point:
        limited = []
        for value, seen in zip(values, family.values, strict=True):
            if value is not None and value not in seen:
                if len(seen) >= self._limits.values:
                    self.overflowed[instrument.name] += 1
                    limited.append(OTHER)
                    continue
                seen.add(value)
            limited.append(value)
        key = tuple(limited)
        point = family.points.get(key)
        if point is None and len(family.points) >= self._limits.series:
            self.overflowed[instrument.name] += 1
            if family.overflow is None:
                family.overflow = _new(instrument, service, {"otel.metric.overflow": True})
            return family.overflow
        if point is None:
            names = instrument.attributes
            attributes = {name: value for name, value in zip(names, key, strict=True) if value is not None}
            point = family.points[key] = _new(instrument, service, attributes)
        if key == values:
            family.known[values] = point
        return point

    def snapshot(self) -> list[Point]:
        """All series as they are now, those of one instrument together."""
        with self._lock:
            found = [
                Point(p.instrument, p.service, p.attributes, list(p.counts), list(p.exemplars), p.total)
                for family in self._families.values()
                for p in _all(family)
            ]
        return sorted(found, key=lambda point: (point.instrument.name, point.service))


def _all(family: _Family) -> Sequence[Point]:
    points = list(family.points.values())
    return [*points, family.overflow] if family.overflow is not None else points


def _exemplar(span: Span) -> Exemplar:
    return span.trace_id, span.span_id, span.duration_ns / 1e9, span.start_ns + span.duration_ns


def _new(instrument: Instrument, service: str, attributes: dict[str, Any]) -> Point:
    buckets = len(instrument.bounds) + 1
    return Point(instrument, service, attributes, [0] * buckets, [None] * buckets)
