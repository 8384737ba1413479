"""grpc-go's own interoperability test, client and server from the module proxy, both traced."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest
from grpc_program import free_port, wait_listening
from harness import Span, Tracer, needs_root, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, pytest.mark.matrix, needs_root]

# case -> the calls that it makes: method, kind, status. Those that grpc's own script runs, but orca_oob, whose number
# of calls depends on time.
CASES = {
    "empty_unary": {("EmptyCall", "unary", "OK"): 1},
    "large_unary": {("UnaryCall", "unary", "OK"): 1},
    "client_streaming": {("StreamingInputCall", "client_stream", "OK"): 1},
    "server_streaming": {("StreamingOutputCall", "server_stream", "OK"): 1},
    "ping_pong": {("FullDuplexCall", "bidi_stream", "OK"): 1},
    "empty_stream": {("FullDuplexCall", "bidi_stream", "OK"): 1},
    "timeout_on_sleeping_server": {("FullDuplexCall", "bidi_stream", "DEADLINE_EXCEEDED"): 1},
    "cancel_after_begin": {("StreamingInputCall", "client_stream", "CANCELLED"): 1},
    "cancel_after_first_response": {("FullDuplexCall", "bidi_stream", "CANCELLED"): 1},
    "status_code_and_message": {
        ("UnaryCall", "unary", "UNKNOWN"): 1,
        ("FullDuplexCall", "bidi_stream", "UNKNOWN"): 1,
    },
    "special_status_message": {("UnaryCall", "unary", "UNKNOWN"): 1},
    "custom_metadata": {("UnaryCall", "unary", "OK"): 1, ("FullDuplexCall", "bidi_stream", "OK"): 1},
    "unimplemented_method": {("UnimplementedCall", "unary", "UNIMPLEMENTED"): 1},
    "unimplemented_service": {("UnimplementedCall", "unary", "UNIMPLEMENTED"): 1},
    "rpc_soak": {("UnaryCall", "unary", "OK"): 10},
    "channel_soak": {("UnaryCall", "unary", "OK"): 10},
    "orca_per_rpc": {("UnaryCall", "unary", "OK"): 1},
}
PACKAGE = "google.golang.org/grpc/interop"
ORCA = '--service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}'


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, Tracer]]:
    binary = build(PROGRAMS / "grpcinterop", package=f"{PACKAGE}/server")
    port = free_port()
    process = subprocess.Popen([binary, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_listening(port, process)
        with tracing("--pid", str(process.pid), "--plugins", "grpc") as tracer:
            yield port, tracer
    finally:
        process.kill()
        process.wait()


def key(span: Span, side: str) -> tuple[int, int]:
    a = span["attributes"]
    return a[f"network.{side}.port"], a["goinst.grpc.stream_id"]


@pytest.mark.parametrize("case", CASES)
def test_case(server: tuple[int, Tracer], case: str) -> None:
    """The client, which judges the case itself, succeeds; each of its calls has a span, and the server's half is of
    the same method and status, unless the client gave the call up."""
    port, tracer = server
    client = build(PROGRAMS / "grpcinterop", package=f"{PACKAGE}/client")
    arguments = ["--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}"]
    if case.startswith("orca"):
        arguments.append(ORCA)
    with tracing("--plugins", "grpc", "--", str(client), *arguments, ready=False) as own:
        ended = own.stop(0)
    assert not any("FATAL" in line for line in ended.noise), ended.noise
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0
    made = Counter(
        (s["attributes"]["rpc.method"], s["attributes"]["goinst.grpc.kind"], s["attributes"]["goinst.grpc.status"])
        for s in ended.spans
    )
    assert made == CASES[case]
    for span in ended.spans:
        if "goinst.grpc.stream_id" not in span["attributes"]:
            continue
        served = [s for s in tracer.wait_spans(1) if key(s, "peer") == key(span, "local")]
        if span["attributes"]["goinst.grpc.status"] in ("CANCELLED", "DEADLINE_EXCEEDED"):
            assert all(other["name"] == span["name"] for other in served)
            continue
        (other,) = served
        assert other["name"] == span["name"]
        for name in ("rpc.grpc.status_code", "goinst.grpc.status_message"):
            assert other["attributes"].get(name) == span["attributes"].get(name)
