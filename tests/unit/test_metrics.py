"""Metrics: counted by the conventions, bounded, and served as Prometheus and OpenMetrics want them."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from goinst.errors import UsageError
from goinst.metrics import Limits, MetricStore, measure
from goinst.records.observer import Telemetry
from goinst.spans.span import Resource, Span

pytest.importorskip("prometheus_client", reason="prometheus-client is not installed (goinst[prometheus])")

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from goinst.export.prometheus import PrometheusExporter, parse_address

RESOURCE = Resource({"service.name": "shop", "process.pid": 1}, b"{}")


def span(kind: str = "server", seconds: float = 0.003, **attributes: Any) -> Span:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    made = Span("web", "GET /x", kind, 0xABC, 0xDEF, 0, 10**18, int(seconds * 1e9), RESOURCE)
    made.attributes = named
    return made


HTTP: dict[str, Any] = {"http__request__method": "GET", "http__response__status_code": 200}


def test_an_http_request_is_measured_once_for_each_of_its_sides() -> None:
    sizes = {"http__request__body__size": 10, "http__response__body__size": 70}
    names = [one.name for one, _, _ in measure(span(**HTTP, **sizes))]
    assert names == ["http.server.request.duration", "http.server.request.body.size", "http.server.response.body.size"]
    ((instrument, values, value),) = measure(span("client", server__address="db", http__request__method="PUT"))
    assert instrument.name == "http.client.request.duration"
    assert dict(zip(instrument.attributes, values, strict=True))["server.address"] == "db"
    assert value == pytest.approx(0.003)


def test_a_call_over_http_is_an_rpc_too() -> None:
    both = span(**HTTP, rpc__system__name="jsonrpc", rpc__method="Arith.Divide", error__type="-32000")
    names = {one.name: dict(zip(one.attributes, values, strict=True)) for one, values, _ in measure(both)}
    assert set(names) == {"http.server.request.duration", "rpc.server.call.duration"}
    assert names["rpc.server.call.duration"]["rpc.method"] == "Arith.Divide"


def test_older_names_of_attributes_count_as_the_new_ones() -> None:
    ((instrument, values, _),) = measure(
        span(rpc__system__name="grpc", rpc__service="p.S", rpc__method="M", rpc__grpc__status_code=0)
    )
    found = dict(zip(instrument.attributes, values, strict=True))
    assert (found["rpc.system.name"], found["rpc.response.status_code"]) == ("grpc", 0)


def test_what_no_convention_knows_is_measured_by_name() -> None:
    ((instrument, values, _),) = measure(span("internal"))
    assert instrument.name == "goinst.operation.duration"
    assert values == ("web", "internal", "GET /x", None)


def test_buckets_hold_their_upper_bound() -> None:
    store = MetricStore()
    bounds = next(iter(measure(span(**HTTP))))[0].bounds
    store.add([span(seconds=seconds, **HTTP) for seconds in (0.0, 0.0001, 0.00010001, 10.0, 11.0)])
    (point,) = store.snapshot()
    assert point.counts[0] == 2
    assert point.counts[1] == 1
    assert point.counts[bounds.index(10.0)] == 1
    assert point.counts[-1] == 1
    assert point.total == pytest.approx(21.00020001)


def test_cardinality_is_bounded_and_said() -> None:
    store = MetricStore(Limits(series=6, values=4))
    store.add([span(http__route=f"/{number}", **HTTP) for number in range(100)])
    routes = {point.attributes.get("http.route"): sum(point.counts) for point in store.snapshot()}
    assert routes == {"/0": 1, "/1": 1, "/2": 1, "/3": 1, "_OTHER": 96}
    assert store.overflowed["http.server.request.duration"] == 96
    store.add([span(http__request__method=f"M{number}") for number in range(3)])
    points = store.snapshot()
    assert len(points) == 7
    assert [point.attributes for point in points if "otel.metric.overflow" in point.attributes]
    assert sum(sum(point.counts) for point in points) == 103


@pytest.fixture
def exporter() -> Any:
    exporter = PrometheusExporter("127.0.0.1:0")
    yield exporter
    exporter.close()


def get(exporter: PrometheusExporter, path: str = "/metrics", accept: str = "text/plain") -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{exporter.port}{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def test_a_scrape_reads_back_what_was_counted(exporter: PrometheusExporter) -> None:
    exporter.measure([span(**HTTP, http__route="/x", lone="\ud800") for _ in range(3)])
    exporter.measure([span(seconds=2, **{**HTTP, "http__response__status_code": 500}, error__type="500")])
    samples = {
        (sample.name, sample.labels.get("http_response_status_code"), sample.labels.get("le")): sample.value
        for family in parse(get(exporter))
        for sample in family.samples
    }
    name = "http_server_request_duration_seconds"
    assert samples[f"{name}_count", "200", None] == 3
    assert samples[f"{name}_bucket", "200", "0.005"] == 3
    assert samples[f"{name}_bucket", "200", "0.0025"] == 0
    assert samples[f"{name}_sum", "500", None] == 2


def test_exemplars_lead_to_traces(exporter: PrometheusExporter) -> None:
    exporter.measure([span(**HTTP)])
    text = get(exporter, accept="application/openmetrics-text; version=1.0.0")
    exemplars = [
        sample.exemplar
        for family in parse_openmetrics(text)
        for sample in family.samples
        if sample.exemplar is not None
    ]
    (exemplar,) = exemplars
    assert exemplar.labels == {"trace_id": f"{0xABC:032x}", "span_id": f"{0xDEF:016x}"}


def test_goinst_says_how_it_does(exporter: PrometheusExporter) -> None:
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(exporter, "/ready")
    telemetry = Telemetry(ring=0.5, ring_high_water=0.75)
    telemetry.losses["web.ring.full"] = 2
    telemetry.hits["main.f entry"] = 9
    telemetry.open["web", "web_request", "http.server.active_requests"] = 4
    exporter.telemetry(telemetry)
    assert get(exporter, "/ready") == "ready\n"
    lines = get(exporter).splitlines()
    assert 'goinst_losses_total{plugin="web",reason="ring.full"} 2.0' in lines
    assert 'goinst_probe_hits_total{probe="main.f entry"} 9.0' in lines
    assert 'http_server_active_requests{plugin="web",record="web_request"} 4.0' in lines
    assert "goinst_ring_use_ratio 0.5" in lines
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(exporter, "/")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("9464", ("127.0.0.1", 9464)),
        ("[::1]:1", ("::1", 1)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "127.0.0.1:", "127.0.0.1:99999", "1:x", "1:²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="write it as"):
        parse_address(text)


def test_an_address_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot listen there: Address already in use"):
            PrometheusExporter(f"127.0.0.1:{taken.getsockname()[1]}")
