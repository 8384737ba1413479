"""Real programs of every protocol, recorded: the metrics that are counted without a span for each record are those of
the spans."""

from __future__ import annotations

import importlib
import subprocess
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from grpc_program import run_random, started
from harness import needs_root, serving, tracing
from load import load
from traffic import drive, server

from gobuild import PROGRAMS, build
from tallied import compare

pytestmark = [pytest.mark.bpf, needs_root]


def _compared(path: Path, *plugins: str) -> tuple[Counter[str], Counter[str]]:
    return compare(path, [importlib.import_module(f"goinst.plugins.{name}").PROTOCOL for name in plugins])


def test_net_http_servers_and_clients(tmp_path: Path) -> None:
    """HTTP/1 from a load generator, HTTP/2 from clients of its own: a path of its own for each of those requests."""
    recording = tmp_path / "x.goinst"
    with (
        serving(build(PROGRAMS / "ping")) as ping,
        server("-quiet", "-tls") as running,
        tracing(
            "--pid", str(ping.pid), "--pid", str(running.pid), "--plugins", "nethttp", str(recording), command="record"
        ) as tracer,
    ):
        load(ping.port, 3000)
        drive(f"https://127.0.0.1:{running.port}", streams=4, requests=300)
        time.sleep(0.2)
        tracer.stop()
    spans, decoded = _compared(recording, "nethttp")
    assert spans["nethttp"] > 3000
    assert decoded["nethttp_request"] < 300
    assert decoded["nethttp_stream"] < 300


def test_clients_that_a_handler_has(tmp_path: Path) -> None:
    recording = tmp_path / "x.goinst"
    with (
        server("-quiet", "-tls") as other,
        server("-quiet") as caller,
        tracing("--pid", str(caller.pid), "--plugins", "nethttp", str(recording), command="record") as tracer,
    ):
        url = quote(f"https://127.0.0.1:{other.port}")
        caller.request("GET", f"/drive?url={url}&requests=400&streams=4")
        time.sleep(0.2)
        tracer.stop()
    spans, decoded = _compared(recording, "nethttp")
    assert spans["nethttp"] == 401
    assert decoded["nethttp_client"] < 400


def test_json_rpc_and_its_batches(tmp_path: Path) -> None:
    recording = tmp_path / "x.goinst"
    multiply = {"jsonrpc": "2.0", "method": "Arith.Multiply", "params": [6, 7]}
    with (
        serving(build(PROGRAMS / "jsonhand")) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp,jsonrpc", str(recording), command="record") as tracer,
    ):
        for number in range(40):
            running.call({**multiply, "id": number})
            running.call([{**multiply, "id": "a"}, {**multiply, "id": "b"}, {"jsonrpc": "2.0", "method": "log"}])
            running.call({"jsonrpc": "2.0", "method": "Arith.Divide", "params": [1, 0], "id": 7})
            running.request("GET", "/nowhere")
        time.sleep(0.2)
        tracer.stop()
    spans, _ = _compared(recording, "nethttp", "jsonrpc")
    assert sum(spans.values()) == 40 * 7


def test_grpc(tmp_path: Path) -> None:
    recording = tmp_path / "x.goinst"
    with (
        started(build(PROGRAMS / "grpc"), "random", "400", "100", "7") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc", str(recording), command="record") as tracer,
    ):
        lines = run_random(program, 400)
        time.sleep(0.2)
        tracer.stop()
    spans, decoded = _compared(recording, "grpc")
    assert spans["grpc"] >= len(lines) > 400
    assert decoded["grpc_server"] < 400


@pytest.mark.matrix
def test_routers(tmp_path: Path) -> None:
    recording = tmp_path / "x.goinst"
    with (
        serving(build(PROGRAMS / "routers", extra_env={"GOFLAGS": "-modfile=latest.mod -tags=echo5"})) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", str(recording), command="record") as tracer,
    ):
        for number in range(50):
            for name in ("gin", "echo", "chi", "gorilla", "echo5"):
                running.request("GET", f"/{name}/users/{number}/a/b")
        time.sleep(0.2)
        tracer.stop()
    spans, decoded = _compared(recording, "nethttp")
    assert spans["nethttp"] == 250
    assert decoded["nethttp_route"] < 100


@pytest.mark.matrix
def test_connectrpc(tmp_path: Path) -> None:
    recording = tmp_path / "x.goinst"
    with (
        serving(build(PROGRAMS / "connectrpc"), "serve") as running,
        tracing("--pid", str(running.pid), "--plugins", "connectrpc", str(recording), command="record") as tracer,
    ):
        for protocol in ("connect", "json", "grpc"):
            calls = [f"Unary {code} told so" for code in (0, 5, 13)] * 20
            subprocess.run(
                [running.binary, "call", f"127.0.0.1:{running.port}", protocol, *calls],
                capture_output=True, timeout=60, check=True,
            )  # fmt: skip
        time.sleep(0.2)
        tracer.stop()
    spans, decoded = _compared(recording, "nethttp", "http2", "connectrpc")
    assert sum(spans.values()) == 180
    assert decoded["connectrpc_rpc"] < 180


@pytest.mark.matrix
def test_net_rpc(tmp_path: Path) -> None:
    recording = tmp_path / "x.goinst"
    with serving(build(PROGRAMS / "netrpc"), "-codec", "gob", "-network", "tcp", "-listen", "127.0.0.1:0") as running:
        address = f"127.0.0.1:{running.port}"
        with tracing("--pid", str(running.pid), "--plugins", "netrpc", str(recording), command="record") as tracer:
            for _ in range(5):
                subprocess.run(
                    [running.binary, "-codec", "gob", "-network", "tcp", "-client", address],
                    input="go\n", capture_output=True, text=True, timeout=60, check=True,
                )  # fmt: skip
            time.sleep(0.2)
            tracer.stop()
    spans, decoded = _compared(recording, "netrpc")
    assert spans["netrpc"] > 100
    assert decoded["netrpc_server"] < spans["netrpc"]
