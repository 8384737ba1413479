"""grpc-go's own examples, client and server from the module proxy, both traced: what the client prints is so."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from grpc_program import free_port, wait_listening
from harness import Span, needs_root, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, pytest.mark.matrix, needs_root]

EXAMPLES = "google.golang.org/grpc/examples"


def example(name: str) -> Path:
    return build(PROGRAMS / "grpcexamples", package=f"{EXAMPLES}/{name}")


def run(server: str, client: str) -> tuple[str, list[Span], list[Span]]:
    """What the client printed, its spans and the server's."""
    port = free_port()
    process = subprocess.Popen(
        [example(server), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_listening(port, process)
        with tracing("--pid", str(process.pid), "--plugins", "grpc") as tracer:
            command = [str(example(client)), f"--addr=127.0.0.1:{port}"]
            with tracing("--plugins", "grpc", "--", *command, ready=False) as own:
                made = own.stop(0)
            time.sleep(1)
            served = tracer.stop()
    finally:
        process.kill()
        process.wait()
    assert made.summary["losses"] == served.summary["losses"] == {}
    assert made.summary["open"] == 0
    return "\n".join(made.noise), made.spans, served.spans


def statuses(spans: list[Span]) -> list[tuple[str, str]]:
    return [(span["attributes"]["rpc.method"], span["attributes"]["goinst.grpc.status"]) for span in spans]


def test_helloworld() -> None:
    said, made, served = run("helloworld/greeter_server", "helloworld/greeter_client")
    assert "Greeting: Hello world" in said
    assert statuses(made) == statuses(served) == [("SayHello", "OK")]


def test_route_guide() -> None:
    said, made, served = run("route_guide/server", "route_guide/client")
    assert said.count("Getting feature") == 2
    assert "Route summary" in said
    expected = [
        ("GetFeature", "OK"),
        ("GetFeature", "OK"),
        ("ListFeatures", "OK"),
        ("RecordRoute", "OK"),
        ("RouteChat", "OK"),
    ]
    assert statuses(made) == statuses(served) == expected
    kinds = [span["attributes"]["goinst.grpc.kind"] for span in made]
    assert kinds == ["unary", "unary", "server_stream", "client_stream", "bidi_stream"]


def test_deadline() -> None:
    """The server calls itself; what it serves may outlive its caller, and what the caller saw is what it prints."""
    said, made, served = run("features/deadline/server", "features/deadline/client")
    got = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).upper() for code in re.findall(r"got = (\w+)", said)]
    assert set(got) == {"OK", "DEADLINE_EXCEEDED"}
    # a stream's caller has what it wants with the first message, and gives the stream up
    streams = [span["attributes"]["goinst.grpc.kind"] == "bidi_stream" for span in made]
    assert any(streams)
    expected = ["CANCELLED" if stream and code == "OK" else code for stream, code in zip(streams, got, strict=True)]
    assert [status for _, status in statuses(made)] == expected
    assert len(served) >= len(made)


def test_cancellation() -> None:
    said, made, served = run("features/cancellation/server", "features/cancellation/client")
    assert "Canceled" in said
    assert statuses(made) == [("BidirectionalStreamingEcho", "CANCELLED")]
    # the client is gone at once: its server hears of the stream's end or of the connection's first
    assert statuses(served)[0][1] in ("CANCELLED", "UNAVAILABLE")


def test_error_handling() -> None:
    said, made, served = run("features/error_handling/server", "features/error_handling/client")
    messages = re.findall(r"Received error: rpc error: code = InvalidArgument desc = (.*)", said)
    assert statuses(made) == statuses(served)
    failed = [span["attributes"] for span in made if span["attributes"]["goinst.grpc.status"] == "INVALID_ARGUMENT"]
    assert [a["goinst.grpc.status_message"] for a in failed] == messages != []


def test_compression() -> None:
    _, made, served = run("features/compression/server", "features/compression/client")
    for (span,) in (made, served):
        assert span["attributes"]["goinst.grpc.encoding"] == "gzip"
        assert span["attributes"]["goinst.grpc.response_encoding"] == "gzip"
