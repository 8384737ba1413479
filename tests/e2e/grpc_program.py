"""The gRPC sample program of tests/go/grpc: built for any grpc and Go version, started, and asked."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import PATIENCE, Span, Tracer, tracing

Line = dict[str, Any]
SERVICE = "grpc.testing.TestService"


@dataclass
class Program:
    """A started ``rpcs`` that has said where it listens."""

    process: subprocess.Popen[str]
    binary: Path
    address: str

    @property
    def target(self) -> str:
        """What a client dials."""
        return self.address.removeprefix("tcp:")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def call(self, *calls: str, prefix: str = "") -> list[Line]:
        """Make calls from a process of their own: what it says of each."""
        done = subprocess.run(
            [self.binary, "call", prefix + self.target, *calls],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def started(binary: Path, *arguments: str) -> Iterator[Program]:
    process = subprocess.Popen(
        [binary, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline().split()
        assert first[:1] == ["listening"], first
        yield Program(process, binary, first[1])
    finally:
        process.kill()
        process.wait()


class Traced:
    """A program under a tracer; a test calls, and gets the spans that its calls made."""

    def __init__(self, program: Program, tracer: Tracer) -> None:
        self.program = program
        self.tracer = tracer
        self._seen = 0

    def spans(self, count: int) -> list[Span]:
        new = self.tracer.wait_spans(self._seen + count)[self._seen :]
        self._seen += len(new)
        assert len(new) == count, [span["name"] for span in new]
        return new

    def call(self, *calls: str, spans: int | None = None) -> tuple[list[Line], list[Span]]:
        lines = self.program.call(*calls)
        return lines, self.spans(len(calls) if spans is None else spans)


def run_random(program: Program, count: int) -> list[Line]:
    """Let a ``random`` program make its calls: what it says of both sides of each."""
    process = program.process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    lines = []
    clients = 0
    while clients < count:
        line = json.loads(process.stdout.readline())
        clients += line["side"] == "client"
        lines.append(line)
    return lines


def check_random(lines: Sequence[Line], spans: Sequence[Span]) -> dict[str, int]:
    """Compare what both sides of each call logged with the spans; how many of what was compared.

    A served call is found by the trace id of its traceparent; the span of the call that was made by the connection
    and the stream that both name. A call that was given up before it was sent has no served side.
    """
    served = {span["trace_id"]: span for span in spans if span["kind"] == "server"}
    assert len(served) == sum(span["kind"] == "server" for span in spans), "two served calls with one id"
    made = {
        (a["network.local.port"], a["goinst.grpc.stream_id"]): span
        for span in spans
        if span["kind"] == "client" and "goinst.grpc.stream_id" in (a := span["attributes"])
    }
    unsent = [s for s in spans if s["kind"] == "client" and "goinst.grpc.stream_id" not in s["attributes"]]
    counts = {"served": 0, "made": 0, "nested": 0, "unsent": len(unsent), "given up while answered": 0}
    clients = {line["id"]: line for line in lines if line["side"] == "client"}
    matched = set()
    for line in lines:
        if line["side"] != "server":
            continue
        span = served[line["id"]]
        a = span["attributes"]
        assert "/" + span["name"] == line["method"]
        own = clients.get(line["id"])
        if a["rpc.grpc.status_code"] != line["code"] and own is not None and own["code"] in (1, 4):
            # given up while it was answered: grpc reports that, after the interceptor saw the handler's answer
            assert a["goinst.grpc.status"] in ("CANCELLED", "DEADLINE_EXCEEDED") or (
                "the stream is done" in a["goinst.grpc.status_message"]  # up to grpc 1.4x
            ), (line, span)
            counts["given up while answered"] += 1
        else:
            assert a["rpc.grpc.status_code"] == line["code"], (line, span)
            assert a.get("goinst.grpc.status_message", "") == line["message"], (line, span)
        assert f"{a['network.peer.address']}:{a['network.peer.port']}" == line["peer"]
        counts["served"] += 1
        key = (a["network.peer.port"], a["goinst.grpc.stream_id"])
        client = made[key]
        matched.add(key)
        assert client["name"] == span["name"]
        if own is not None:
            assert client["attributes"]["rpc.grpc.status_code"] == own["code"], (own, client)
            assert client["attributes"].get("goinst.grpc.status_message", "") == own["message"], (own, client)
            assert client["parent_span_id"] is None
            counts["made"] += 1
    for line in clients.values():
        if line.get("inside") and line["id"] in served and line["inside"] in served:
            outer, inner = served[line["id"]], served[line["inside"]]
            a = inner["attributes"]
            client = made[a["network.peer.port"], a["goinst.grpc.stream_id"]]
            assert client["parent_span_id"] == outer["span_id"]
            counts["nested"] += 1
    # the rest: calls that never became a handler's
    rest = sorted((s["name"], s["attributes"]["rpc.grpc.status_code"]) for k, s in made.items() if k not in matched)
    rest += [(s["name"], s["attributes"]["rpc.grpc.status_code"]) for s in unsent]
    expected = [
        (line["method"].removeprefix("/"), line["code"])
        for line in clients.values()
        if line["id"] not in {other["id"] for other in lines if other["side"] == "server"}
    ]
    assert sorted(rest) == sorted(expected), (
        Counter(rest) - Counter(expected),
        Counter(expected) - Counter(rest),
        counts,
    )
    counts["unserved"] = len(rest)
    return counts


COUNTED = (
    "empty", "status 9 no", "output 3 0", "output 0 0", "input 3 0", "input 2 5", "duplex 4 0", "duplex 2 13", "gzip",
    "unimplemented", "interleave", "unary descendant",
)  # fmt: skip
Counted = tuple[str, int, int, int, int]


def told(lines: Iterable[Line], side: str) -> list[Counted]:
    """What grpc's own stats handler said of each call."""
    return sorted(
        (
            line["method"].removeprefix("/"),
            *(line.get(name, 0) for name in ("sent", "received", "sent_bytes", "received_bytes")),
        )
        for line in lines
        if line.get("side") == f"{side}-messages"
    )


def counted(spans: Iterable[Span]) -> list[Counted]:
    names = ("messages.sent", "messages.received", "bytes.sent", "bytes.received")
    return sorted((span["name"], *(span["attributes"][f"goinst.grpc.{name}"] for name in names)) for span in spans)


def check_messages(binary: Path) -> None:
    """Messages of each call, on both sides, are what grpc's own stats handlers count."""
    option = ("--plugins", "grpc", "--set", "grpc.messages=true")
    calls = len(COUNTED) + 2  # one makes another, one is two
    with started(binary, "serve", "-count") as program:
        with tracing("--pid", str(program.process.pid), *option) as tracer:
            command = [str(binary), "count", program.target, *COUNTED]
            with tracing(*option, "--", *command, ready=False) as own:
                made = own.stop(0)
            tracer.wait_spans(calls + 1)
            ended = tracer.stop()
        program.process.kill()
        assert program.process.stdout is not None
        lines = [json.loads(line) for line in program.process.stdout]
    assert ended.summary["losses"] == {}
    assert made.summary["losses"] == {}
    served = [span for span in ended.spans if span["kind"] == "server"]
    assert len(served) == calls
    assert counted(served) == told(lines, "server")
    assert counted(made.spans) == told(made.events, "client")
    kinds = {span["attributes"]["rpc.method"]: span["attributes"].get("goinst.grpc.kind") for span in served}
    assert kinds == {
        "EmptyCall": "unary",
        "UnimplementedCall": "unary",
        "UnaryCall": "unary",
        "StreamingOutputCall": "server_stream",
        "StreamingInputCall": "client_stream",
        "FullDuplexCall": "bidi_stream",
    }
    for span in (*served, *made.spans):
        first = span["attributes"].get("goinst.grpc.first_response_ns")
        side = "sent" if span["kind"] == "server" else "received"
        assert (first is not None) == (span["attributes"][f"goinst.grpc.messages.{side}"] > 0)
        assert first is None or 0 < first <= span["duration_ns"]
        gzip = {"goinst.grpc.encoding", "goinst.grpc.response_encoding"} <= span["attributes"].keys()
        assert gzip == (span["attributes"]["goinst.grpc.stream_id"] == 2 * COUNTED.index("gzip") + 1)


def wait_listening(port: int, process: subprocess.Popen[Any]) -> None:
    """Until something listens there."""
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.returncode
        assert time.monotonic() < until, port
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


__all__ = [
    "PATIENCE",
    "SERVICE",
    "Line",
    "Program",
    "Traced",
    "check_messages",
    "check_random",
    "free_port",
    "run_random",
    "started",
    "wait_listening",
]
