"""A Prometheus endpoint: metrics of the spans, and of goinst itself; by prometheus-client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from goinst.errors import MachineError, UsageError
from goinst.export.base import Listener, Meter
from goinst.extras import need
from goinst.metrics import MetricStore, Point
from goinst.records.observer import Telemetry
from goinst.text import escaped

__all__ = ["PrometheusExporter", "parse_address"]

_UNITS = {"s": "seconds", "By": "bytes"}
_ACTIVE = "goinst.operations.active"


def parse_address(text: str) -> tuple[str, int]:
    """``HOST:PORT``, ``[HOST]:PORT``, ``:PORT`` or ``PORT``; without a host, only this machine may ask."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or not 0 <= int(port) <= 65535:
        raise UsageError(f"--prometheus {text!r}: write it as 127.0.0.1:9464")
    return host.strip("[]") or "127.0.0.1", int(port)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of an answer is nothing to talk about."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not news."""


class PrometheusExporter(Meter, Listener):
    """Serves ``/metrics``, and ``/ready`` for probes: 200 as soon as spans can come. UsageError when the address cannot
    be had."""

    name = "prometheus"
    wants_spans = False
    counts = True

    def __init__(self, address: str, store: MetricStore | None = None) -> None:
        super().__init__()
        what = f"--prometheus {address}"
        need("prometheus_client", "prometheus", what)
        from prometheus_client import CollectorRegistry, make_wsgi_app

        self.store = store or MetricStore()
        self._ready = False
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self.store))
        self._metrics: Any = make_wsgi_app(registry)
        host, port = parse_address(address)
        kind: type[WSGIServer] = type("Server", (_Server,), {"address_family": _family(host)})
        try:
            self._server: WSGIServer = make_server(host, port, self._answer, server_class=kind, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{what}: cannot listen there: {reason}") from error
        self.port = self._server.server_port
        try:
            threading.Thread(target=self._server.serve_forever, name="goinst-prometheus", daemon=True).start()
        except RuntimeError as error:
            self._server.server_close()
            raise MachineError(f"{what}: no thread can be had to serve from: see ulimit -u and ulimit -v") from error

    def _answer(self, environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "/")
        if path == "/ready":
            start("200 OK" if self._ready else "503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"ready\n" if self._ready else b"not yet\n"]
        if path != "/metrics":
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"goinst: /metrics and /ready are here\n"]
        answer: Iterable[bytes] = self._metrics(environment, start)
        return answer

    def telemetry(self, telemetry: Telemetry) -> None:
        """Remember how goinst does, for the next scrape."""
        self._ready = True
        self.store.telemetry = telemetry

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _family(host: str) -> int:
    import socket

    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Collector:
    """Makes families of a store when it is asked."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Any]:
        """Every family, as prometheus-client wants them."""
        yield from self._histograms()
        yield from self._own()

    def _histograms(self) -> Iterator[Any]:
        from prometheus_client.core import HistogramMetricFamily

        family, instrument = None, None
        for point in _merged(self._store.snapshot()):
            if point.instrument is not instrument:
                if family is not None:
                    yield family
                instrument = point.instrument
                unit = _UNITS[instrument.unit]
                labels = ["service_name", *(_label(name) for name in instrument.attributes), "otel_metric_overflow"]
                family = HistogramMetricFamily(
                    f"{_label(instrument.name)}_{unit}", instrument.help, labels=labels, unit=unit
                )
            assert family is not None
            family.add_metric(_labels(point), buckets=_buckets(point), sum_value=point.total)
        if family is not None:
            yield family

    def _own(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        state = self._store.telemetry
        active: dict[str, Any] = {}
        for (plugin, record, name), count in sorted(state.open.items()):
            name = _label(name or _ACTIVE)
            if name not in active:
                active[name] = GaugeMetricFamily(name, "Operations under way.", labels=["plugin", "record"])
            active[name].add_metric([plugin, record], count)
        yield from active.values()
        counters = (
            ("goinst_spans", "Spans that were made.", ("plugin",), [((k,), v) for k, v in state.spans.items()]),
            (
                "goinst_losses", "What is missing, by plugin and reason.", ("plugin", "reason"),
                [(name.split(".", 1), count) for name, count in state.losses.items()],
            ),
            (
                "goinst_probe_hits", "How often each probe fired.", ("probe",),
                [((k,), v) for k, v in state.hits.items()],
            ),
            (
                "goinst_program_seconds", "Time in each BPF program.", ("program",),
                [((k,), v / 1e9) for k, v in state.program_ns.items()],
            ),
            (
                "goinst_program_runs", "How often each BPF program ran.", ("program",),
                [((k,), v) for k, v in state.program_runs.items()],
            ),
            (
                "goinst_metric_overflows", "Measurements beyond the limits of cardinality.", ("metric",),
                [((k,), v) for k, v in self._store.overflowed.items()],
            ),
        )  # fmt: skip
        for name, help_text, labels, values in counters:
            counter = CounterMetricFamily(name, help_text, labels=labels)
            for label_values, value in values:
                counter.add_metric([escaped(one) for one in label_values], value)
            yield counter
        yield GaugeMetricFamily("goinst_ring_use_ratio", "How full the fullest ring buffer is.", value=state.ring)
        yield GaugeMetricFamily(
            "goinst_ring_high_water_ratio", "How full a ring buffer ever was.", value=state.ring_high_water
        )


def _labels(point: Point) -> list[str]:
    values = (_text(point.attributes.get(name)) for name in point.instrument.attributes)
    overflow = "true" if "otel.metric.overflow" in point.attributes else ""
    return [_text(point.service), *values, overflow]


def _merged(points: Iterable[Point]) -> Iterator[Point]:
    """Points whose labels come out alike as one: a scraper refuses a series that is there twice."""
    found: dict[tuple[str, ...], Point] = {}
    for point in points:
        key = (point.instrument.name, *_labels(point))
        same = found.get(key)
        if same is not None:
            counts = [a + b for a, b in zip(same.counts, point.counts, strict=True)]
            exemplars = [b or a for a, b in zip(same.exemplars, point.exemplars, strict=True)]
            point = replace(same, counts=counts, exemplars=exemplars, total=same.total + point.total)
        found[key] = point
    yield from found.values()


def _buckets(point: Point) -> list[tuple[Any, ...]]:
    from prometheus_client.utils import floatToGoString

    text_of: Callable[[float], str] = floatToGoString

    buckets: list[tuple[Any, ...]] = []
    total = 0
    bounds = (*point.instrument.bounds, float("inf"))
    for bound, count, exemplar in zip(bounds, point.counts, point.exemplars, strict=True):
        total += count
        buckets.append((text_of(bound), total, _exemplar(exemplar)))
    return buckets


def _exemplar(exemplar: Any) -> Any:
    if exemplar is None:
        return None
    from prometheus_client.samples import Exemplar

    trace_id, span_id, value, time = exemplar
    return Exemplar({"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"}, value, time / 1e9)


def _label(name: str) -> str:
    return name.replace(".", "_")


def _text(value: Any) -> str:
    """For /metrics, which is looked at by curl, too: the format has an escape for line feeds only."""
    return "" if value is None else escaped(str(value).encode("utf-8", "replace").decode())
