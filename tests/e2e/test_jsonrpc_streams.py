"""JSON-RPC over streams, seen from outside: libraries on TCP, WebSockets, standard input and output."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from harness import Ended, Span, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

MORE = 20
LIBRARIES = ("sourcegraph", "exp")
WEBSOCKETS = ("gorilla", "coder")


def converse(over: str) -> tuple[Ended, int, int]:
    """A client's calls, with server and client traced from before the first one: what was seen, and the pids."""
    binary = build(PROGRAMS / "rpcstreams")
    with serving(binary, "-over", over) as server:
        arguments = [binary, "-over", over, "-client", f"127.0.0.1:{server.port}", "-calls", str(MORE)]
        client = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "listening client:0\n"
            pids = ("--pid", str(server.pid), "--pid", str(client.pid))
            with tracing(*pids, "--plugins", "jsonstream") as tracer:
                said, _ = client.communicate("go\n", timeout=30)
                assert said.splitlines()[-1] == "done"
                count = 5 + MORE + 3 * (over in WEBSOCKETS)
                tracer.wait_spans(2 * count)
                return tracer.stop(), server.pid, client.pid
        finally:
            client.kill()
            client.wait()


def facts(spans: list[Span]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            span["name"],
            span["attributes"].get("jsonrpc.request.id", ""),
            span["status"],
            span["attributes"].get("rpc.response.status_code"),
            span["attributes"].get("goinst.jsonrpc.notification", False),
        )
        for span in spans
    )


@pytest.mark.parametrize("over", [*LIBRARIES, *WEBSOCKETS])
def test_calls_notifications_and_errors_in_both_directions(over: str) -> None:
    ended, server, client = converse(over)
    assert ended.summary["losses"] == {}
    kinds: dict[tuple[int, str], list[Span]] = {}
    for span in ended.spans:
        kinds.setdefault((span["resource"]["process.pid"], span["kind"]), []).append(span)
        assert span["attributes"]["rpc.system.name"] == "jsonrpc"
        assert span["attributes"]["jsonrpc.protocol.version"] == "2.0"
        assert span["attributes"].get("network.protocol.name") == ("websocket" if over in WEBSOCKETS else None)
        notification = span["attributes"].get("goinst.jsonrpc.notification", False)
        assert notification or 0 < span["duration_ns"] < 5_000_000_000
    served, made = kinds.pop((server, "server")), kinds.pop((client, "client"))
    # one side's requests are the other's
    assert facts(served) == facts(made)
    asked, answered = kinds.pop((server, "client")), kinds.pop((client, "server"))
    check(served, asked, batch=over in WEBSOCKETS)
    assert facts(asked) == facts(answered)
    assert kinds == {}


def check(served: list[Span], asked: list[Span], *, batch: bool) -> None:
    """What one client did: calls, a notification, an error, a call that asked it back; a batch, and one in vain."""
    names = [span["name"] for span in served]
    assert names.count("add") == 1 + MORE + batch
    for missing in (span for span in served if span["name"] == "missing"):
        assert missing["status"] == "error"
        assert missing["attributes"]["rpc.response.status_code"] == missing["attributes"]["error.type"] == "-32601"
        assert missing["status_message"]
    assert names.count("missing") == names.count("note") == 1 + batch
    assert {one[4] for one in facts(served) if one[0] == "note"} == {True}
    # the server asks its client while it answers
    (question,) = asked
    assert question["name"] == "whoami"
    (around,) = [span for span in served if span["name"] == "ask"]
    assert around["timestamp"] < question["timestamp"]
    assert around["duration_ns"] > question["duration_ns"]
    vain = [span for span in served if "goinst.jsonrpc.unanswered" in span["attributes"]]
    assert [span["name"] for span in vain] == ["never"] * batch


@pytest.mark.parametrize("how", ["lines", "headers"])
def test_both_ends_of_standard_input_and_output(how: str) -> None:
    """A client of three servers that it has started, all of which see the same ids; all four are traced."""
    binary = build(PROGRAMS / "rpcstreams")
    arguments = [binary, "-over", how, "-spawn", "3", "-calls", str(MORE)]
    client = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "listening client:0\n"
        found = subprocess.run(["pgrep", "-P", str(client.pid)], capture_output=True, text=True, check=True)
        servers = [int(pid) for pid in found.stdout.split()]
        assert len(servers) == 3
        pids = [word for pid in (client.pid, *servers) for word in ("--pid", str(pid))]
        with tracing(*pids, "--plugins", "jsonstream") as tracer:
            said, _ = client.communicate("go\n", timeout=30)
            assert said.splitlines()[-1] == "done"
            tracer.wait_spans(3 * 2 * (8 + MORE) - 3)
            ended = tracer.stop()
    finally:
        client.kill()
        client.wait()
    kinds: dict[tuple[int, str], list[Span]] = {}
    for span in ended.spans:
        kinds.setdefault((span["resource"]["process.pid"], span["kind"]), []).append(span)
    made, answered = kinds.pop((client.pid, "client")), kinds.pop((client.pid, "server"))
    assert [span["name"] for span in answered] == ["whoami"] * 3
    everything: list[Span] = []
    for pid in servers:
        served, asked = kinds.pop((pid, "server")), kinds.pop((pid, "client"))
        # it waited for the first call when the tracer came
        if [span["name"] for span in served].count("add") < 2 + MORE:
            served.append(next(span for span in made if span["attributes"].get("jsonrpc.request.id") == "1"))
        check(served, asked, batch=True)
        everything += served
    assert kinds == {}
    assert facts(made) == facts(everything)
    assert set(ended.summary["losses"]) <= {"jsonstream.request_unseen"}


def test_reads_of_files_are_not_looked_at_for_ever() -> None:
    """A program that may talk to children, and reads files: the probes go, and come back when it starts one."""
    binary = build(PROGRAMS / "rpcstreams")
    arguments = [binary, "-over", "lines", "-spawn", "1", "-calls", str(MORE), "-read", "500"]
    client = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    settings = ("--set", "jsonstream.watched_files=300")
    try:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        with tracing("--pid", str(client.pid), "--plugins", "jsonstream", *settings) as tracer:
            for event in ("probes taken away", "probes taken away", "probes added on demand"):
                client.stdin.write("\n")
                client.stdin.flush()
                tracer.wait_event(event)
                client.stdout.readline()
            said, _ = client.communicate("go\n", timeout=30)
            assert said.splitlines()[-1] == "done"
            tracer.wait_spans(8 + MORE)
            ended = tracer.stop()
    finally:
        client.kill()
        client.wait()
    made = [span for span in ended.spans if span["kind"] == "client"]
    assert [span["name"] for span in made].count("add") == 2 + MORE
    assert ended.summary["notes"]["jsonstream.pipes_idle"] == 1
    gone = [event["symbols"] for event in ended.events if event["event"] == "probes taken away"]
    assert gone == [["os.(*File).Read", "os.(*File).Write"]]


def traced_stdio(binary: Path, arguments: list[str], sent: bytes, count: int, *settings: str) -> tuple[Ended, bytes]:
    """A server on standard input and output under goinst: what was seen, and what it answered."""
    child = subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        with tracing("--pid", str(child.pid), "--plugins", "jsonstream", *settings) as tracer:
            # the read in which it waits began unseen, so what it returns is no message
            assert child.stdin is not None
            child.stdin.write(b"\r\n" if "headers" not in arguments else b"x: y\r\n\r\n")
            child.stdin.flush()
            time.sleep(0.3)
            out, _ = child.communicate(sent, timeout=60)
            tracer.wait_spans(count)
            return tracer.stop(), out
    finally:
        child.kill()
        child.wait()


def framed(messages: list[bytes], how: str) -> bytes:
    if how == "lines":
        return b"".join(message + b"\n" for message in messages)
    return b"".join(b"Content-Length: %d\r\n\r\n" % len(message) + message for message in messages)


@pytest.mark.parametrize("how", ["lines", "headers"])
def test_standard_input_and_output(how: str) -> None:
    """Many messages in one read, messages over many reads, answers of any size, ids of any type."""
    chosen = random.Random(7)
    messages, expected = [], []
    for number in range(300):
        identifier: Any = chosen.choice([number, f"id-{number}", -number - 1])
        method = chosen.choice(["add", "long", "missing"])
        params: list[Any] = [chosen.randrange(3000), 1]
        if chosen.random() < 0.1:
            params.append("x" * chosen.randrange(20_000))
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if chosen.random() < 0.15:
            expected.append((method, None))
        else:
            message["id"] = identifier
            expected.append((method, str(identifier)))
        messages.append(json.dumps(message).encode())
    binary = build(PROGRAMS / "rpcstreams")
    settings = ("--set", "jsonstream.message_bytes=32768")
    ended, out = traced_stdio(binary, ["-over", how], framed(messages, how), len(messages), *settings)
    assert out.count(b'"jsonrpc"') == sum(identifier is not None for _, identifier in expected)
    seen = [(span["name"], span["attributes"].get("jsonrpc.request.id")) for span in ended.spans]
    assert sorted(seen, key=str) == sorted(expected, key=str)
    for span in ended.spans:
        failed = span["name"] == "missing" and "jsonrpc.request.id" in span["attributes"]
        assert span["status"] == ("error" if failed else "unset")
        assert span["kind"] == "server"
    assert ended.summary["losses"] == {}
