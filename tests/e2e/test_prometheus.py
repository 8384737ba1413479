"""The Prometheus endpoint of a live run agrees with what the server counted."""

from __future__ import annotations

import socket
import time
import urllib.request

import pytest
from harness import needs_root, serving, tracing
from load import load

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]
parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")


def test_the_endpoint_counts_what_was_served() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with serving(build(PROGRAMS / "ping")) as server:
        options = ("--pid", str(server.pid), "--plugins", "nethttp", "--prometheus", address, "--output", "none")
        with tracing(*options) as tracer:
            load(server.port, 5000)
            time.sleep(1.5)  # telemetry is taken once a second
            with urllib.request.urlopen(f"http://{address}/ready", timeout=10) as answer:
                assert answer.status == 200
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            ended = tracer.stop()
        served = int(server.request("GET", "/count")[1])
    values = {
        sample.name: sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels.get("le") and "probe" not in sample.labels
    }
    lost = sum(ended.summary["losses"].values())
    assert ended.spans == []
    assert values["http_server_request_duration_seconds_count"] + lost == served
    assert values["http_server_response_body_size_bytes_sum"] == 5 * (served - lost)  # "pong\n"
    assert values["goinst_spans_total"] == ended.summary["spans"]


def test_metrics_are_of_all_spans_when_a_sample_goes_out() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with serving(build(PROGRAMS / "ping")) as server:
        options = ("--pid", str(server.pid), "--plugins", "nethttp", "--prometheus", address, "--sample", "0.1")
        with tracing(*options, "--output", "json") as tracer:
            load(server.port, 2000)
            time.sleep(1.5)
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            ended = tracer.stop()
        served = int(server.request("GET", "/count")[1])
    samples = {
        sample.name: sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
    }
    left_out = ended.summary["losses"].pop("sample.left_out")
    lost = sum(ended.summary["losses"].values())
    assert samples["http_server_request_duration_seconds_count"] + lost == served
    assert len(ended.spans) + left_out + lost == served
    assert 0.07 * served < len(ended.spans) < 0.13 * served  # by their trace ids
