"""OTLP: what a Collector gets, and what happens when there is none, or a slow one."""

from __future__ import annotations

import io
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="no OTLP exporters are installed (goinst[otlp])")

from collector import Collector, grpc_collector, http_collector, values
from goinst import diagnostics
from goinst.errors import UsageError
from goinst.export.otlp import OtlpExporter
from goinst.patience import Patience
from goinst.records.observer import Telemetry
from goinst.spans.span import Resource, Span

RESOURCE = Resource({"service.name": "shop", "process.pid": 7, "container.id": "c" * 64}, b"{}")
OTHER = Resource({"service.name": "other", "process.pid": 8}, b"{}")


def make(number: int, **changes: Any) -> Span:
    span = Span("web", "GET /x", "server", 0xABC << 100, number + 1, 0, 10**18, 1000, RESOURCE)
    span.attributes = {"http.request.method": "GET", "n": number, "flag": True, "one": 1, "list": ["a", "b"], "f": 1.0}
    return replace(span, **changes)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    diagnostics.configure(stream=stream)
    yield stream
    diagnostics.configure()


def send(endpoint: str, spans: list[Span]) -> OtlpExporter:
    exporter = OtlpExporter(endpoint, "1.2")
    telemetry = Telemetry(ring=0.5)
    telemetry.losses["web.ring_full"] = 3
    exporter.telemetry(telemetry)
    exporter.measure(spans)
    exporter.export(spans)
    exporter.close()
    exporter.close()
    return exporter


def check(collector: Collector, exporter: OtlpExporter) -> None:
    assert exporter.losses == {}
    (first, second, third) = collector.spans
    resource, scope, span = first
    assert (resource["service.name"], resource["process.pid"], resource["container.id"]) == ("shop", 7, "c" * 64)
    assert scope == "goinst.web"
    assert int.from_bytes(span.trace_id, "big") == 0xABC << 100
    assert (int.from_bytes(span.span_id, "big"), span.parent_span_id, span.kind) == (1, b"", 2)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (10**18, 10**18 + 1000)
    assert values(span.attributes) == {
        "http.request.method": "GET", "n": 0, "flag": True, "one": 1, "list": ["a", "b"], "f": 1.0,
    }  # fmt: skip
    assert isinstance(values(span.attributes)["flag"], bool)
    assert span.status.code == 0
    span = second[2]
    assert (span.status.code, span.status.message, span.kind) == (2, "bo?om", 3)
    assert int.from_bytes(span.parent_span_id, "big") == 1
    assert values(span.attributes)["goinst.truncated"] == ["url.path"]
    assert third[0]["service.name"] == "other"
    assert [(int.from_bytes(one.trace_id), int.from_bytes(one.span_id)) for one in third[2].links] == [(5, 6)]
    histogram = collector.metrics["shop/http.server.request.duration"].histogram
    assert sum(point.count for point in histogram.data_points) == 1
    losses = collector.metrics["goinst/goinst.losses"].sum.data_points
    assert [(values(point.attributes), point.as_double or point.as_int) for point in losses] == [
        ({"goinst.reason": "web.ring_full"}, 3)
    ]


SPANS = [
    make(0),
    make(1, parent_span_id=1, kind="client", status="error", status_message="bo\ud800om", truncated=["url.path"]),
    make(2, resource=OTHER, links=((5, 6),)),
]


def test_grpc() -> None:
    with grpc_collector() as collector:
        exporter = send(f"http://127.0.0.1:{collector.port}", SPANS)
    check(collector, exporter)


def test_http_with_headers_and_compression_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_collector([503, 429]) as collector:  # it asks to come again, twice
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret,x=a%20b")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        exporter = send("", SPANS)
    check(collector, exporter)
    assert collector.spans[0][0]["deployment.environment.name"] == "test"
    headers = {name.lower(): value for name, value in collector.headers[0].items()}
    assert (headers["api-key"], headers["x"]) == ("secret", "a b")


def nobody() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_nobody_there_is_one_line_and_counted(
    protocol: str, monkeypatch: pytest.MonkeyPatch, said: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    exporter = OtlpExporter(f"http://127.0.0.1:{nobody()}", "1")
    began = time.monotonic()
    exporter.export([make(number) for number in range(5)])
    assert time.monotonic() - began < 0.5
    exporter.close()
    assert time.monotonic() - began < 10
    assert exporter.losses == {"otlp.not_sent": 5}
    (line,) = said.getvalue().splitlines()
    warning = json.loads(line)
    assert warning["event"] == "spans cannot be sent"
    assert "efused" in warning["reason"] or "UNAVAILABLE" in warning["reason"]
    output = capfd.readouterr()
    assert "Traceback" not in output.out + output.err


def test_a_collector_that_refuses_is_not_asked_again(said: io.StringIO) -> None:
    with http_collector([400]) as collector:
        exporter = send(f"http://127.0.0.1:{collector.port}/v1/traces", [make(1)])
    assert exporter.losses["otlp.not_sent"] == 1
    assert "it answers 400" in said.getvalue()


def test_a_collector_that_stalls_costs_spans_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    with grpc_collector() as collector:
        collector.go.clear()
        exporter = OtlpExporter(f"http://127.0.0.1:{collector.port}", "1")
        began = time.monotonic()
        for number in range(50):
            exporter.export([make(10 * number + n) for n in range(10)])
        assert time.monotonic() - began < 1
        collector.go.set()
        exporter.close()
    assert len(collector.spans) == 100
    assert exporter.losses == {"otlp.queue_full": 400}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_asked_twice_nobody_is_waited_for_and_each_span_counts_once(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    monkeypatch.setenv("OTEL_BSP_EXPORT_TIMEOUT", "600000")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        patience = Patience()
        exporter = OtlpExporter(f"http://127.0.0.1:{silent.getsockname()[1]}", "1", patience=patience)
        exporter.export([make(number) for number in range(12)])
        patience.hurry()
        exporter.close()
    assert exporter.losses == {"otlp.not_sent": 12}
    assert exporter.undone == {"web": 12}


def test_a_collector_that_comes_back(monkeypatch: pytest.MonkeyPatch, said: io.StringIO) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    port = nobody()
    exporter = OtlpExporter(f"http://127.0.0.1:{port}", "1")
    exporter.export([make(1)])
    deadline = time.monotonic() + 10
    while not exporter.losses and time.monotonic() < deadline:
        time.sleep(0.02)
    assert exporter.losses == {"otlp.not_sent": 1}
    with grpc_collector(port) as collector:
        while not collector.spans and time.monotonic() < deadline:
            exporter.export([make(2)])
            time.sleep(0.3)
        exporter.close()
    assert collector.spans
    events = [json.loads(line)["event"] for line in said.getvalue().splitlines()]
    assert events == ["spans cannot be sent", "spans are being sent again"]


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://", "http://x:99999", "http://x:y"])
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(UsageError, match="--otlp"):
        OtlpExporter(endpoint, "1")


def test_without_the_library_the_command_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with pytest.raises(UsageError, match=r"pip install 'goinst\[otlp\]'"):
        OtlpExporter("http://127.0.0.1:4317", "1")
