"""What a report says, gathered in two passes over the spans and in bounded memory: first all figures and which traces
are the slowest, then the spans of those."""

from __future__ import annotations

import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from goinst.spans.span import Span

__all__ = ["Collector", "Waterfalls"]

_ROUTES = 500
_ERRORS = 200
_TRACES = 20
_SPANS = 200  # of one trace
_WAITING = 200_000  # spans whose other side was not seen yet
_EDGES = 500
_STEPS = 4  # bars of a distribution for each doubling
_FINE = 16  # buckets of quantiles for each doubling: within 5 %


@dataclass(slots=True)
class _Route:
    count: int = 0
    errors: int = 0
    longest: int = 0
    total: int = 0
    durations: Counter[int] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)


class Collector:
    """The first pass."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str, str], _Route] = {}
        self._errors: dict[tuple[str, str, str, str], list[Any]] = {}
        self._slowest: list[tuple[int, int, int]] = []
        self._edges: Counter[tuple[str, str]] = Counter()
        self._callers: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._served: OrderedDict[int, str] = OrderedDict()
        self.first = self.last = self.count = 0

    def add(self, spans: Iterable[Span]) -> None:
        """Take spans."""
        for span in spans:
            service = str(span.resource.attributes.get("service.name", "?"))
            end = span.start_ns + span.duration_ns
            self.first = min(self.first or span.start_ns, span.start_ns)
            self.last = max(self.last, end)
            self.count += 1
            self._route(service, span, end)
            if span.status == "error":
                self._error(service, span)
            self._edge(service, span)
            if not span.parent_span_id or span.kind == "server":
                entry = (span.duration_ns, self.count, span.trace_id)
                if len(self._slowest) < 4 * _TRACES:  # several of them may be of one trace
                    heapq.heappush(self._slowest, entry)
                elif entry > self._slowest[0]:
                    heapq.heapreplace(self._slowest, entry)

    def _route(self, service: str, span: Span, end: int) -> None:
        key = service, span.kind, span.name
        if key not in self._routes and len(self._routes) >= _ROUTES:
            key = service, span.kind, "(other)"
        route = self._routes.setdefault(key, _Route())
        route.count += 1
        route.errors += span.status == "error"
        route.longest = max(route.longest, span.duration_ns)
        route.total += span.duration_ns
        route.durations[int(math.log2(max(span.duration_ns, 1)) * _FINE)] += 1
        route.seconds[end // 1_000_000_000] += 1

    def _error(self, service: str, span: Span) -> None:
        attributes = span.attributes
        code = attributes.get("http.response.status_code", attributes.get("rpc.response.status_code", ""))
        key = service, span.name, str(attributes.get("error.type", code)), span.status_message
        if key not in self._errors and len(self._errors) >= _ERRORS:
            key = service, "(other)", "", ""
        entry = self._errors.setdefault(key, [0, 0, 0])
        entry[0] += 1
        entry[1:] = [span.start_ns, span.trace_id]

    def _edge(self, service: str, span: Span) -> None:
        """Who calls whom. The served side of a call usually ends first."""
        if span.kind == "client":
            served = self._served.pop(span.span_id, None)
            if served is not None:
                self._count_edge(service, served)
                return
            attributes = span.attributes
            address = attributes.get("server.address") or attributes.get("network.peer.address") or span.name
            port = attributes.get("server.port")
            _keep(self._callers, span.span_id, (service, f"{address}:{port}" if port else str(address)))
        elif span.kind == "server":
            caller = self._callers.pop(span.parent_span_id, None)
            if caller is not None:
                self._count_edge(caller[0], service)
            elif span.parent_span_id:
                _keep(self._served, span.parent_span_id, service)
            else:
                self._count_edge("callers", service)

    def _count_edge(self, caller: str, callee: str) -> None:
        if (caller, callee) in self._edges or len(self._edges) < _EDGES:
            self._edges[caller, callee] += 1

    def traces(self) -> list[int]:
        """The slowest traces' ids, slowest first."""
        ordered = [trace for _, _, trace in sorted(self._slowest, reverse=True)]
        return list(dict.fromkeys(ordered))[:_TRACES]

    def figures(self) -> dict[str, Any]:
        """Everything but the traces, as JSON members; times in ms, durations in ns."""
        edges = Counter(self._edges)
        edges.update(self._callers.values())
        edges.update(("callers", service) for service in self._served.values())
        return {
            "first": self.first // 1_000_000,
            "last": self.last // 1_000_000,
            "count": self.count,
            "routes": [_members(*key, route) for key, route in self._routes.items()],
            "errors": [
                {
                    "service": service, "name": name, "type": kind, "message": message,
                    "count": count, "last": last // 1_000_000, "trace": f"{trace:032x}",
                }
                for (service, name, kind, message), (count, last, trace) in sorted(
                    self._errors.items(), key=lambda item: -item[1][0]
                )
            ],
            "edges": [[caller, callee, count] for (caller, callee), count in edges.most_common(_EDGES)],
        }  # fmt: skip


def _keep(waiting: OrderedDict[int, Any], key: int, value: Any) -> None:
    waiting[key] = value
    if len(waiting) > _WAITING:
        waiting.popitem(last=False)


def _members(service: str, kind: str, name: str, route: _Route) -> dict[str, Any]:
    bars: Counter[int] = Counter()
    for bucket, count in route.durations.items():
        bars[bucket * _STEPS // _FINE] += count
    return {
        "service": service,
        "kind": kind,
        "name": name,
        "count": route.count,
        "errors": route.errors,
        "mean": route.total // route.count,
        "max": route.longest,
        **{f"p{share}": min(_quantile(route, share / 100), route.longest) for share in (50, 95, 99)},
        # [from (ns), to (ns), spans]
        "bars": [[2 ** (at / _STEPS), 2 ** ((at + 1) / _STEPS), bars[at]] for at in range(min(bars), max(bars) + 1)],
    }


def _quantile(route: _Route, share: float) -> int:
    wanted, seen = math.ceil(route.count * share), 0
    for bucket in sorted(route.durations):
        seen += route.durations[bucket]
        if seen >= wanted:
            return int(2 ** ((bucket + 0.5) / _FINE))
    return route.longest


class Waterfalls:
    """The second pass: the spans of some traces."""

    def __init__(self, traces: Iterable[int]) -> None:
        self._traces: dict[int, list[Span]] = {trace: [] for trace in traces}
        self._more: Counter[int] = Counter()

    def add(self, spans: Iterable[Span]) -> None:
        """Take spans; those of other traces are left out."""
        for span in spans:
            found = self._traces.get(span.trace_id)
            if found is None:
                continue
            if len(found) < _SPANS:
                found.append(span)
            else:
                self._more[span.trace_id] += 1

    def members(self) -> list[dict[str, Any]]:
        """The traces as JSON members; their spans parents first, as a tree."""
        found = []
        for trace, spans in self._traces.items():
            if spans:
                start = min(span.start_ns for span in spans)
                end = max(span.start_ns + span.duration_ns for span in spans)
                found.append(
                    {
                        "trace": f"{trace:032x}",
                        "start": start // 1_000_000,
                        "duration": end - start,
                        "more": self._more[trace],
                        "spans": [_span_members(span, depth, start) for span, depth in _tree(spans)],
                    }
                )
        return found


def _tree(spans: list[Span]) -> list[tuple[Span, int]]:
    known = {span.span_id for span in spans}
    below: dict[int, list[Span]] = {}
    for span in sorted(spans, key=lambda one: one.start_ns):
        below.setdefault(span.parent_span_id if span.parent_span_id in known else 0, []).append(span)
    ordered: list[tuple[Span, int]] = []
    stack = [(span, 0) for span in reversed(below.pop(0, []))]
    while stack:
        span, depth = stack.pop()
        ordered.append((span, depth))
        stack += [(child, depth + 1) for child in reversed(below.pop(span.span_id, []))]
    return ordered


def _span_members(span: Span, depth: int, began: int) -> dict[str, Any]:
    return {
        "name": span.name,
        "service": str(span.resource.attributes.get("service.name", "?")),
        "kind": span.kind,
        "depth": depth,
        "offset": span.start_ns - began,
        "duration": span.duration_ns,
        "error": span.status == "error",
        "message": span.status_message,
        "attributes": {name: str(value)[:500] for name, value in span.attributes.items()},
    }
