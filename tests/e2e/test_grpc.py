"""gRPC served and called, seen from outside: each kind of call, each way to end."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc_program import SERVICE, Program, Traced, check_messages, check_random, run_random, started
from harness import Span, needs_root, tracing

from gobuild import PROGRAMS, build, stripped

pytestmark = [pytest.mark.bpf, needs_root]


@pytest.fixture(scope="module")
def binary() -> Path:
    return build(PROGRAMS / "grpc")


@pytest.fixture(scope="module")
def served(binary: Path) -> Iterator[Traced]:
    with (
        started(binary, "serve") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc") as tracer,
    ):
        yield Traced(program, tracer)


def calling(program: Program, *calls: str, target: str = "") -> list[Span]:
    """The client spans of a process that makes these calls under a tracer from its first instruction on."""
    command = [str(program.binary), "call", target or program.target, *calls]
    with tracing("--plugins", "grpc", "--", *command, ready=False) as tracer:
        ended = tracer.stop(0)
    assert sum(ended.summary["losses"].values()) == 0, ended.summary
    assert ended.summary["open"] == 0
    return ended.spans


def status(span: Span) -> tuple[int, str, str | None]:
    a = span["attributes"]
    return a["rpc.grpc.status_code"], a["goinst.grpc.status"], a.get("goinst.grpc.status_message")


def test_a_unary_call(served: Traced) -> None:
    before = time.time_ns()
    _, (span,) = served.call("empty")
    a = span["attributes"]
    assert span["name"] == f"{SERVICE}/EmptyCall"
    assert span["kind"] == "server"
    assert span["status"] == "unset"
    assert a["rpc.system.name"] == "grpc"
    assert a["rpc.service"] == SERVICE
    assert a["rpc.method"] == "EmptyCall"
    assert status(span) == (0, "OK", None)
    assert a["network.peer.address"] == a["client.address"] == "127.0.0.1"
    assert a["network.local.port"] == a["server.port"] == served.program.port
    assert a["network.transport"] == "tcp"
    assert a["goinst.grpc.authority"] == served.program.target
    assert a["user_agent.original"].startswith("grpc-go/1.")
    assert a["goinst.grpc.stream_id"] == 1
    assert 19_000_000_000 < a["goinst.grpc.timeout_ns"] < 20_000_000_000
    assert 0 < span["duration_ns"] < time.time_ns() - before
    assert "truncated" not in span


@pytest.mark.parametrize(
    ("call", "method"),
    [("output 5 0", "StreamingOutputCall"), ("input 5 0", "StreamingInputCall"), ("duplex 5 0", "FullDuplexCall")],
)
def test_streams(served: Traced, call: str, method: str) -> None:
    _, (span,) = served.call(call)
    assert span["name"] == f"{SERVICE}/{method}"
    assert status(span) == (0, "OK", None)


@pytest.mark.parametrize("call", ["status {code} told so", "output 2 {code}", "input 2 {code}", "duplex 2 {code}"])
@pytest.mark.parametrize("code", [1, 2, 3, 5, 7, 13, 14, 16])
def test_statuses_are_what_the_client_saw(served: Traced, call: str, code: int) -> None:
    (line,), (span,) = served.call(call.format(code=code))
    assert (line["code"], line["message"]) == (code, status(span)[2])
    assert status(span)[0] == code
    # of these, UNKNOWN, INTERNAL and UNAVAILABLE are the server's own fault
    assert (span["status"] == "error") == (code in (2, 13, 14))


def test_every_call_of_a_program_has_a_span_on_its_side(served: Traced) -> None:
    calls = ["empty", "status 9 no", "output 3 0", "input 3 5", "duplex 3 0", "unimplemented", "gzip", "interleave"]
    spans = calling(served.program, *calls)
    served.spans(9)
    kinds = {span["name"].rpartition("/")[2]: span["attributes"]["goinst.grpc.kind"] for span in spans}
    assert kinds == {
        "EmptyCall": "unary",
        "UnaryCall": "unary",
        "UnimplementedCall": "unary",
        "StreamingOutputCall": "server_stream",
        "StreamingInputCall": "client_stream",
        "FullDuplexCall": "bidi_stream",
    }
    assert {span["kind"] for span in spans} == {"client"}
    assert [status(span)[0] for span in spans] == [0, 9, 0, 5, 0, 12, 0, 9, 0]
    assert [span["status"] == "error" for span in spans] == [bool(status(span)[0]) for span in spans]
    assert len({span["attributes"]["goinst.grpc.stream_id"] for span in spans}) == 9
    assert all(span["attributes"]["server.port"] == served.program.port for span in spans)
    assert all(span["attributes"]["network.peer.port"] == served.program.port for span in spans)
    assert spans[6]["attributes"]["goinst.grpc.encoding"] == "gzip"


def test_interleaved_streams_do_not_mix(served: Traced) -> None:
    """Two streams of one method, opened by one goroutine: the second to come is the first to go."""
    second, first = calling(served.program, "interleave")
    served.spans(2)
    assert status(second)[:2] == (9, "FAILED_PRECONDITION")
    assert status(first)[:2] == (0, "OK")
    assert first["attributes"]["goinst.grpc.stream_id"] < second["attributes"]["goinst.grpc.stream_id"]
    assert first["duration_ns"] > second["duration_ns"]


def test_cancellation(served: Traced) -> None:
    _, (unary, stream) = served.call("cancel 30", "cancel-stream")
    assert status(unary)[1] == status(stream)[1] == "CANCELLED"
    assert 25_000_000 < unary["duration_ns"] < 280_000_000
    unary, stream = calling(served.program, "cancel 30", "cancel-stream")
    served.spans(2)
    assert status(unary) == status(stream) == (1, "CANCELLED", "context canceled")


def test_deadline(served: Traced) -> None:
    _, (span,) = served.call("timeout 40")
    assert 30_000_000 < span["attributes"]["goinst.grpc.timeout_ns"] <= 40_000_000
    (span,) = calling(served.program, "timeout 40")
    served.spans(1)
    assert status(span)[:2] == (4, "DEADLINE_EXCEEDED")
    assert 30_000_000 < span["attributes"]["goinst.grpc.timeout_ns"] <= 40_000_000
    assert 30_000_000 < span["duration_ns"] < 390_000_000
    assert span["attributes"]["error.type"] == "DEADLINE_EXCEEDED"


def test_calls_that_are_over_before_they_begin(served: Traced) -> None:
    spans = calling(served.program, "expired", "expired")
    assert [status(span)[1] for span in spans] == ["DEADLINE_EXCEEDED"] * 2
    assert all("network.peer.address" not in span["attributes"] for span in spans)


def test_no_connection(served: Traced) -> None:
    (span,) = calling(served.program, "empty", target="127.0.0.1:1")
    assert status(span)[:2] == (14, "UNAVAILABLE")
    assert "connection refused" in status(span)[2]
    assert span["attributes"]["error.type"] == "UNAVAILABLE"
    assert span["attributes"]["server.port"] == 1


def test_a_name_that_is_never_resolved(served: Traced) -> None:
    """The first such call is a counted loss; it switches on what it takes to see the next."""
    command = [str(served.program.binary), "call", served.program.target, "unresolved", "pause 500", "unresolved"]
    with tracing("--plugins", "grpc", "--", *command, "empty", ready=False) as tracer:
        ended = tracer.stop(0)
    served.spans(1)
    assert ended.summary["losses"] == {"grpc.unresolved": 1}
    unresolved, resolved = ended.spans
    assert status(unresolved)[:2] == (4, "DEADLINE_EXCEEDED")
    assert unresolved["name"] == f"{SERVICE}/EmptyCall"
    assert 15_000_000 < unresolved["duration_ns"] < 200_000_000
    assert status(resolved)[:2] == (0, "OK")


def test_the_callers_trace_is_taken_over(served: Traced) -> None:
    _, (span,) = served.call("id 0af7651916cd43dd8448eb211c80319c")
    assert span["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert span["parent_span_id"] == "00000000000000ff"


def test_captured_metadata(served: Traced) -> None:
    option = "grpc.capture_metadata=traceparent,content-type,nothing"
    with tracing("--pid", str(served.program.process.pid), "--plugins", "grpc", "--set", option) as tracer:
        served.call("id 0af7651916cd43dd8448eb211c80319c")
        (span,) = tracer.wait_spans(1)
    prefix = "rpc.grpc.request.metadata."
    assert {key: value for key, value in span["attributes"].items() if key.startswith(prefix)} == {
        f"{prefix}traceparent": ["00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01"],
        f"{prefix}content-type": ["application/grpc"],
    }


@pytest.mark.parametrize("verb", ["nested 000000000000000000000000000000aa", "descendant"])
def test_a_call_inside_a_handler_is_its_child(served: Traced, verb: str) -> None:
    _, spans = served.call(f"unary {verb}", spans=3)
    outer = next(span for span in spans if span["name"].endswith("UnaryCall"))
    made = next(span for span in spans if span["kind"] == "client")
    inner = next(span for span in spans if span["kind"] == "server" and span["name"].endswith("EmptyCall"))
    assert made["parent_span_id"] == outer["span_id"]
    assert made["trace_id"] == outer["trace_id"]
    assert inner["attributes"]["network.peer.port"] == made["attributes"]["network.local.port"]
    assert inner["attributes"]["goinst.grpc.stream_id"] == made["attributes"]["goinst.grpc.stream_id"]


def test_calls_inside_are_in_the_callers_trace(served: Traced) -> None:
    outer, inner = "0af7651916cd43dd8448eb211c80319c", "1" * 32
    _, spans = served.call(f"id-nested {outer} {inner}", spans=3)
    by_trace = {span["trace_id"]: span for span in spans if span["kind"] == "server"}
    made = next(span for span in spans if span["kind"] == "client")
    assert set(by_trace) == {outer, inner}
    assert made["trace_id"] == outer
    assert made["parent_span_id"] == by_trace[outer]["span_id"]


def test_an_rpc_over_net_http_is_part_of_the_request(binary: Path) -> None:
    with (
        started(binary, "serve", "-http") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "nethttp,grpc") as tracer,
    ):
        program.call("empty", "id 0af7651916cd43dd8448eb211c80319c", prefix="tls:")
        spans = tracer.wait_spans(4)
    rpcs = {span["trace_id"]: span for span in spans if span["plugin"] == "grpc"}
    requests = {span["trace_id"]: span for span in spans if span["plugin"] == "nethttp"}
    assert set(rpcs) == set(requests)
    assert len(rpcs) == 2
    for trace, rpc in rpcs.items():
        assert rpc["parent_span_id"] == requests[trace]["span_id"]
    assert requests["0af7651916cd43dd8448eb211c80319c"]["parent_span_id"] == "00000000000000ff"


def test_plain_errors_are_unknown(served: Traced) -> None:
    _, (span,) = served.call("unary plain-error something went wrong")
    assert status(span) == (2, "UNKNOWN", "something went wrong")
    assert span["status_message"] == "something went wrong"


def test_a_panic_that_ends_the_process(binary: Path) -> None:
    with (
        started(binary, "serve") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc") as tracer,
    ):
        (line,) = program.call("unary panic now")
        ended = tracer.stop(0)
    assert line["code"] == 14
    (span,) = ended.spans
    assert span["name"] == f"{SERVICE}/UnaryCall"
    assert span["status"] == "error"
    assert span["attributes"]["error.type"] == "panic"
    assert "rpc.grpc.status_code" not in span["attributes"]


def test_a_handler_that_leaves_by_goexit(served: Traced) -> None:
    """No status is ever sent: its client waits."""
    with subprocess.Popen([served.program.binary, "call", served.program.target, "unary goexit now"]) as waiting:
        (span,) = served.spans(1)
        waiting.kill()
    assert span["name"] == f"{SERVICE}/UnaryCall"
    assert (span["status"], span["attributes"]["error.type"]) == ("error", "goexit")
    assert "rpc.grpc.status_code" not in span["attributes"]


def test_a_server_that_goes_away(binary: Path) -> None:
    """Its clients see UNAVAILABLE."""
    with started(binary, "serve") as program:
        (span,) = calling(program, "unary panic now")
    assert status(span)[:2] == (14, "UNAVAILABLE")


@pytest.mark.parametrize(("flag", "prefix"), [("-tls", "tls:"), ("-http", "tls:")])
def test_tls_and_net_http(binary: Path, flag: str, prefix: str) -> None:
    with (
        started(binary, "serve", flag) as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc") as tracer,
    ):
        program.call("empty", "status 5 none", "duplex 2 0", "unary descendant", prefix=prefix)
        spans = tracer.wait_spans(6)
    served = [span for span in spans if span["kind"] == "server"]
    (made,) = [span for span in spans if span["kind"] == "client"]
    assert sorted(status(span)[0] for span in served) == [0, 0, 0, 0, 5]
    assert {span["attributes"]["network.peer.address"] for span in served} == {"127.0.0.1"}
    assert made["attributes"]["goinst.grpc.tls"] is True
    if flag == "-http":
        assert {span["attributes"]["goinst.grpc.transport"] for span in served} == {"net/http"}
    else:
        assert {span["attributes"]["goinst.grpc.tls"] for span in served} == {True}


def test_unix_sockets(binary: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        started(binary, "serve", "-unix", path := f"{folder}/s") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc") as tracer,
    ):
        program.call("unary descendant")
        spans = tracer.wait_spans(3)
    for span in spans:
        side = "peer" if span["kind"] == "client" else "local"
        assert span["attributes"]["network.transport"] == "unix"
        assert span["attributes"][f"network.{side}.address"] == path


@pytest.mark.parametrize("strip", [pytest.param(False, marks=pytest.mark.matrix), True])
def test_random_calls_agree_with_the_programs_own_log(binary: Path, strip: bool) -> None:
    """2,000 calls (matrix: 10,000) of every kind, size, status and way to give up, 200 at a time on 4 connections."""
    count = 2000 if strip else 10_000
    with (
        started(stripped(binary) if strip else binary, "random", str(count), "200", "7") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc", "--stats") as tracer,
    ):
        lines = run_random(program, count)
        time.sleep(1)
        ended = tracer.stop()
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0
    compared = check_random(lines, ended.spans)
    assert compared["served"] > count
    assert compared["made"] > 0.85 * count
    assert compared["nested"] > 0.1 * count


def test_messages(binary: Path) -> None:
    check_messages(binary)


def test_a_server_in_the_same_process(binary: Path) -> None:
    """grpc's bufconn, which has no addresses; the health service, which every server has in its process."""
    with tracing(
        "--plugins",
        "grpc",
        "--",
        str(binary),
        "within",
        *(calls := ["health", "empty", "duplex 2 0", "status 5 no"]),
        ready=False,
    ) as tracer:
        ended = tracer.stop(0)
    assert ended.summary["losses"] == {}
    names = ["grpc.health.v1.Health/Check", f"{SERVICE}/EmptyCall", f"{SERVICE}/FullDuplexCall", f"{SERVICE}/UnaryCall"]
    for kind in ("client", "server"):
        spans = [span for span in ended.spans if span["kind"] == kind]
        assert [span["name"] for span in spans] == names
        assert [status(span)[0] for span in spans] == [0, 0, 0, 5]
        assert not any("network.peer.address" in span["attributes"] for span in spans)
    assert len(calls) == len(names)


def test_metadata_that_is_not_looked_through_is_counted(served: Traced) -> None:
    with tracing("--pid", str(served.program.process.pid), "--plugins", "grpc") as tracer:
        served.call("metadata 40")
        (span,) = tracer.wait_spans(1)
        ended = tracer.stop()
    assert span["truncated"] == ["goinst.grpc.metadata"]
    assert ended.summary["losses"] == {"grpc.metadata_cut": 1}


def test_hits(binary: Path) -> None:
    """Two for each unary call, on either side."""
    with (
        started(binary, "serve") as program,
        tracing("--pid", str(program.process.pid), "--plugins", "grpc", "--stats") as tracer,
    ):
        program.call(*["empty"] * 50)
        served = tracer.stop().summary["hits"]
        command = [str(binary), "call", program.target, *["empty"] * 50]
        with tracing("--plugins", "grpc", "--stats", "--", *command, ready=False) as tracer:
            made = tracer.stop(0).summary["hits"]
    assert sum(count for place, count in served.items() if "grpc" in place) == 100
    assert sum(count for place, count in made.items() if "grpc" in place) == 100
