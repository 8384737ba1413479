"""The last minute of every route: counts, errors, durations, the latest and the slowest spans. Bounded."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from goinst.records.observer import Telemetry
from goinst.spans.span import Span

__all__ = ["WINDOW", "Key", "Model", "Row", "quantile"]

WINDOW = 60
"""Seconds that are looked back."""

_SECOND = 1_000_000_000
_ROUTES = 2000
_RECENT, _SLOWEST = 50, 20
_STEPS = 8  # buckets for each doubling of a duration: within 9 %
_RATE_OVER = 10
_OPEN_FOR = 3 * _SECOND  # what is open is said about every second; nothing is said of nothing

Key = tuple[str, str, str]
"""(service, kind, name)"""


@dataclass(slots=True)
class _Second:
    number: int
    count: int = 0
    errors: int = 0
    durations: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _Route:
    seconds: deque[_Second] = field(default_factory=lambda: deque(maxlen=WINDOW))
    recent: deque[Span] = field(default_factory=lambda: deque(maxlen=_RECENT))
    slowest: list[Span] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A route: spans a second (the last 10 s), errors among them (0 to 1), quantiles in ns and spans of each second of
    the last minute, oldest first; ``total`` since the beginning; ``open`` are under way, where its plugin can tell."""

    key: Key
    rate: float
    errors: float
    p50: int
    p95: int
    p99: int
    history: tuple[int, ...]
    total: int
    open: int = 0


def quantile(durations: Counter[int], share: float) -> int:
    """The duration (ns) that ``share`` of them do not exceed, from their buckets."""
    wanted, seen = math.ceil(durations.total() * share), 0
    for bucket in sorted(durations):
        seen += durations[bucket]
        if seen >= wanted:
            return int(2 ** ((bucket + 0.5) / _STEPS)) if bucket >= 0 else 0
    return 0


class Model:
    """Takes spans from one thread; any thread may look. Its clock is that of the spans, so a recording looks as it did
    live."""

    def __init__(self) -> None:
        self._routes: dict[Key, _Route] = {}
        self._lock = threading.Lock()
        self._telemetry = Telemetry()
        self._open: Counter[Key] = Counter()
        self._open_at = 0
        self.now = 0
        self.total = 0

    def add(self, spans: Sequence[Span], now: int) -> None:
        """Spans that came at a time (Unix ns)."""
        with self._lock:
            self.now = max(self.now, now)
            self.total += len(spans)
            for span in spans:
                key = _key(span)
                route = self._routes.get(key)
                if route is None:
                    if len(self._routes) >= _ROUTES:
                        key = (key[0], key[1], "(other)")
                    route = self._routes.setdefault(key, _Route())
                _count(route, span)

    def still_open(self, spans: Sequence[Span], now: int) -> None:
        """All that had begun and not ended at a time (Unix ns)."""
        with self._lock:
            self._open, self._open_at = Counter(map(_key, spans)), now
            for key in self._open:
                if len(self._routes) < _ROUTES:
                    self._routes.setdefault(key, _Route())

    def tell(self, telemetry: Telemetry) -> None:
        """How goinst does."""
        self._telemetry = telemetry

    @property
    def in_flight(self) -> int:
        """Operations that have begun and not ended."""
        return self._telemetry.open.total()

    @property
    def lost(self) -> int:
        """What is missing, of all reasons."""
        return self._telemetry.losses.total()

    def rows(self) -> list[Row]:
        """Every route that was used in the last minute, or is now."""
        with self._lock:
            second = self.now // _SECOND
            waiting = self._open if self.now - self._open_at < _OPEN_FOR else Counter()
            rows = [_row(key, route, second, waiting[key]) for key, route in self._routes.items()]
            return [row for row in rows if row is not None]

    def details(self, key: Key) -> tuple[list[Span], list[Span]]:
        """The latest spans of a route, newest first, and the slowest ever."""
        with self._lock:
            route = self._routes.get(key)
            return (list(reversed(route.recent)), list(route.slowest)) if route else ([], [])

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._routes.clear()
            self._open.clear()
            self.total = 0


def _key(span: Span) -> Key:
    return str(span.resource.attributes.get("service.name", "?")), span.kind, span.name


def _count(route: _Route, span: Span) -> None:
    number = (span.start_ns + span.duration_ns) // _SECOND
    seconds = route.seconds
    if not seconds or seconds[-1].number < number:
        seconds.append(_Second(number))
    # spans come nearly in order: one that is late counts in the second that is open
    second = seconds[-1]
    second.count += 1
    second.errors += span.status == "error"
    second.durations[int(math.log2(span.duration_ns) * _STEPS) if span.duration_ns > 0 else -1] += 1
    route.total += 1
    route.recent.append(span)
    slowest = route.slowest
    if len(slowest) < _SLOWEST or span.duration_ns > slowest[-1].duration_ns:
        slowest.append(span)
        slowest.sort(key=lambda one: -one.duration_ns)
        del slowest[_SLOWEST:]


def _row(key: Key, route: _Route, now: int, waiting: int) -> Row | None:
    history = [0] * WINDOW
    durations: Counter[int] = Counter()
    recent = errors = count = 0
    for second in route.seconds:
        age = now - second.number
        if not 0 <= age < WINDOW:
            continue
        history[WINDOW - 1 - age] += second.count
        durations.update(second.durations)
        count += second.count
        errors += second.errors
        if age < _RATE_OVER:
            recent += second.count
    if not count and not waiting:
        return None
    return Row(
        key, recent / _RATE_OVER, errors / max(count, 1), quantile(durations, 0.5), quantile(durations, 0.95),
        quantile(durations, 0.99), tuple(history), route.total, waiting,
    )  # fmt: skip
