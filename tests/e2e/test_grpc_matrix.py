"""grpc-go 1.40 to the newest, each with a Go version of its time: ``make test-grpc-matrix``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from grpc_program import check_messages, check_random, run_random, started
from harness import needs_root, tracing

from gobuild import build, stripped
from grpcbuild import with_grpc

pytestmark = [pytest.mark.bpf, pytest.mark.matrix, needs_root]

VERSIONS = (
    ("1.40.0", "1.16.15"),
    ("1.40.0", "1.18.10"),
    ("1.50.1", "1.17.13"),
    ("1.50.1", "1.20.14"),
    ("1.58.3", "1.19.13"),
    ("1.64.1", "1.21.13"),
    ("1.70.0", "1.22.12"),
    ("1.70.0", "1.23.12"),
    ("1.76.0", "1.24.13"),
    ("1.82.0", "1.25.5"),
    ("1.85.0", "1.26.8"),
    ("1.85.0", "1.27.3"),
)
CALLS = {
    "empty": ("EmptyCall", 0),
    "status 5 none such": ("UnaryCall", 5),
    "output 3 0": ("StreamingOutputCall", 0),
    "input 3 9": ("StreamingInputCall", 9),
    "duplex 3 14": ("FullDuplexCall", 14),
    "gzip": ("UnaryCall", 0),
    "unimplemented": ("UnimplementedCall", 12),
    "cancel 20": ("UnaryCall", 1),
    "timeout 20": ("UnaryCall", 4),
    "expired": ("EmptyCall", 4),
}


def program(grpc: str, go: str) -> Path:
    """The sample program with this grpc, by this Go."""
    return build(with_grpc(grpc, go), go=go)


@pytest.mark.parametrize(("grpc", "go"), VERSIONS)
def test_version(grpc: str, go: str) -> None:
    binary = program(grpc, go)
    served_calls = [call for call in CALLS if call != "expired"]
    with started(binary, "serve") as server:
        with tracing("--pid", str(server.process.pid), "--plugins", "grpc", "--stats") as tracer:
            lines = server.call(*served_calls, f"unary nested {'a' * 32}")
            tracer.wait_spans(len(served_calls) + 3)
            ended = tracer.stop()
        assert ended.summary["losses"] == {}
        spans = [s for s in ended.spans if s["kind"] == "server"]
        for line, call in zip(lines, served_calls, strict=False):
            assert line["code"] == CALLS[call][1]
        # a call that is given up ends in its own time
        patient = [s for s in spans if s["attributes"]["goinst.grpc.status"] != "CANCELLED"]
        expected = [CALLS[call] for call in served_calls if not call.startswith(("cancel", "timeout"))]
        found = [(s["attributes"]["rpc.method"], s["attributes"]["rpc.grpc.status_code"]) for s in patient]
        assert sorted([*expected, ("UnaryCall", 0), ("EmptyCall", 0)]) == sorted(
            pair for pair in found if pair != ("UnaryCall", 4)
        )
        for span in spans:
            a = span["attributes"]
            assert a["goinst.grpc.authority"] == server.target
            assert a["user_agent.original"] == f"grpc-go/{grpc}"
            assert a["network.local.port"] == server.port
            assert a["goinst.grpc.timeout_ns"] > 0
        outer = next(s for s in spans if s["span_id"] in {other["parent_span_id"] for other in ended.spans})
        assert outer["attributes"]["rpc.method"] == "UnaryCall"

        command = [str(stripped(binary)), "call", server.target, *CALLS]
        with tracing("--plugins", "grpc", "--", *command, ready=False) as tracer:
            ended = tracer.stop(0)
    assert ended.summary["losses"] == {}
    assert [(s["attributes"]["rpc.method"], s["attributes"]["rpc.grpc.status_code"]) for s in ended.spans] == list(
        CALLS.values()
    )


@pytest.mark.parametrize(("grpc", "go"), VERSIONS)
def test_random_calls(grpc: str, go: str) -> None:
    """1,500 calls by a stripped program, against its own log."""
    with (
        started(stripped(program(grpc, go)), "random", "1500", "100", "11") as calls,
        tracing("--pid", str(calls.process.pid), "--plugins", "grpc", "--stats") as tracer,
    ):
        lines = run_random(calls, 1500)
        time.sleep(1)
        ended = tracer.stop()
    assert ended.summary["losses"] == {}
    compared = check_random(lines, ended.spans)
    assert compared["served"] > 1400


@pytest.mark.parametrize(("grpc", "go"), [pair for pair in VERSIONS if pair[1] != "1.16.15"])
def test_messages(grpc: str, go: str) -> None:
    """Go 1.16 does not tell at a RET whose it is: no messages received there."""
    check_messages(program(grpc, go))
