"""Messages of every form over every transport, as what the server answered and logged itself says they are."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import rpcwires
from harness import PATIENCE, Server, Span, Tracer, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

HTTP = ("http1", "http2", "sse")
STDIO = ("lines", "headers")
SOCKETS = ("socket-lines", "socket-headers", "values", "unix")
WEBSOCKETS = ("gorilla", "coder")
LIBRARIES = ("sourcegraph", "exp")
ALL = (*HTTP, *STDIO, *SOCKETS, *WEBSOCKETS, *LIBRARIES)
OPTIONS = [
    word
    for plugin in ("jsonrpc", "jsonstream")
    for option in ("param_names", "param_values")
    for word in ("--set", f"{plugin}.{option}=true")
]


def call(method: str, *identifier: object, **params: object) -> dict[str, Any]:
    """A 2.0 request: a notification without an identifier."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or [1, "secret"]}
    return message if not identifier else {**message, "id": identifier[0]}


NUMBERS = [call("add", 1), call("missing", 2), call("add", 12345678901234)]
TEXTS = [call("add", "a-b"), call("fail", "ünïcode"), call("add", "7")]
ODD = [call("add", None), call("fail", -2), call("add", 1.5)]
ERRORS = [call("fail", 20), call("missing", 21)]
NOTIFICATIONS = [call("note"), call("note", name="x")]
BATCHES = [[call("add", 30), call("note"), call("fail", "b", why="not", secret=[1])], [call("note")]]
OLD = [
    {"method": "add", "params": ["secret", 2], "id": 40},
    {"method": "fail", "params": [], "id": "old"},
    {"method": "note", "params": [1], "id": None},
]
NONE: list[Any] = [
    b'{"jsonrpc":"2.0","id":50,"method":"add","params":[1,}',
    b"hello",
    {"no": "call"},
    [],
    b'[{"jsonrpc":"2.0","id":51,"method":"add"}, {',
]
AFTER = [call("add", 60)]
KINDS = {
    "numbers": NUMBERS, "texts": TEXTS, "odd": ODD, "errors": ERRORS, "notifications": NOTIFICATIONS,
    "batches": BATCHES, "old": OLD, "invalid": [*NONE, *AFTER],
}  # fmt: skip


def carried(over: str, kind: str) -> bool:
    """Whether a transport has such messages at all."""
    if over in LIBRARIES:  # their own clients and servers know 2.0 without batches, and end at anything else
        return kind not in ("batches", "old", "invalid", "odd")
    if over in SOCKETS and kind == "old":
        return False  # net/rpc's codec is netrpc's; other 1.0 on sockets is not looked for
    return over != "values" or kind != "invalid"  # what follows something invalid there has no beginning


class Wired:
    """All servers, one process each of one program, under one goinst."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        binary = build(PROGRAMS / "rpcstreams")
        self.wires: dict[str, Any] = {}
        self.pids: dict[str, int] = {}
        self.logs = {over: folder / f"{over}.log" for over in ALL}
        servers: dict[str, Server] = {}
        children: dict[str, subprocess.Popen[bytes]] = {}
        for over in ALL:
            arguments = ["-over", "socket-lines" if over == "unix" else over]
            if over not in LIBRARIES:
                arguments += ["-plain", str(self.logs[over])]
            if over == "unix":
                arguments += ["-listen", str(folder / "socket")]
            if over in STDIO:
                child = subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                stack.callback(child.wait)
                stack.callback(child.kill)
                children[over], self.pids[over] = child, child.pid
            else:
                servers[over] = stack.enter_context(serving(binary, *arguments))
                self.pids[over] = servers[over].pid
        pids = [word for pid in self.pids.values() for word in ("--pid", str(pid))]
        self.tracer: Tracer = stack.enter_context(tracing(*pids, "--plugins", "nethttp,jsonrpc,jsonstream", *OPTIONS))
        # connections that net/http does not serve bring the probes on sockets; a call over SSE those on writes
        connect = (socket.AF_INET, ("127.0.0.1", servers["socket-lines"].port), "lines")
        for _ in range(3):
            rpcwires.connected(*connect)
        self.tracer.wait_probe("net.(*netFD).Read")
        rpcwires.ServerSentEvents(servers["sse"].port).exchange(json.dumps(call("add", 0)).encode(), answered=True)
        self.tracer.wait_probe("net/http.(*response).write")
        time.sleep(1.1)
        for over, child in children.items():
            assert child.stdin is not None
            assert child.stdout is not None
            # the read in which it waits began unseen, so what it returns is no message
            child.stdin.write(b"x: y\r\n\r\n" if over == "headers" else b"\r\n")
            child.stdin.flush()
            self.wires[over] = rpcwires.Pipe(child.stdin, child.stdout, over)
            child.stdout.readline() if over == "lines" else self._skip(child)
        for over, server in servers.items():
            if over in HTTP:
                kinds = {"http1": rpcwires.Http1, "http2": rpcwires.Http2, "sse": rpcwires.ServerSentEvents}
                self.wires[over] = kinds[over](server.port)
            elif over in WEBSOCKETS:
                self.wires[over] = rpcwires.WebSocket(server.port)
            elif over == "unix":
                self.wires[over] = rpcwires.connected(socket.AF_UNIX, str(folder / "socket"), "lines")
            else:
                framing = {"socket-lines": "lines", "socket-headers": "typed", "values": "values"}.get(over, "headers")
                self.wires[over] = rpcwires.connected(socket.AF_INET, ("127.0.0.1", server.port), framing)

    @staticmethod
    def _skip(child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        length = int(child.stdout.readline().split(b":")[1])
        child.stdout.readline()
        child.stdout.read(length)


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with ExitStack() as stack:
        yield Wired(tmp_path_factory.mktemp("semantics"), stack)


def answered(message: Any) -> bool:
    """Whether JSON-RPC wants an answer."""
    if isinstance(message, bytes):
        return True
    if isinstance(message, list):
        return True  # this server says [] to nothing but notifications
    if "method" not in message:
        return True
    return "id" in message and (message.get("jsonrpc") == "2.0" or message["id"] is not None)


def expected(request: dict[str, Any], replies: list[dict[str, Any]]) -> dict[str, Any]:
    """What the span of a request says, by the request and by the server's answer."""
    two = request.get("jsonrpc") == "2.0"
    attributes: dict[str, Any] = {
        "rpc.system.name": "jsonrpc",
        "rpc.method": request["method"],
        "jsonrpc.protocol.version": "2.0" if two else "1.0",
    }
    params = request["params"]
    if isinstance(params, dict):
        attributes["goinst.jsonrpc.params.names"] = list(params)
    else:
        attributes["goinst.jsonrpc.params.count"] = len(params)
    attributes["goinst.jsonrpc.params"] = json.dumps(redacted(params), separators=(",", ":"))
    identifier = request.get("id")
    if identifier is not None:
        attributes["jsonrpc.request.id"] = str(identifier)
    elif "id" not in request or not two:
        attributes["goinst.jsonrpc.notification"] = True
        return attributes
    (reply,) = [one for one in replies if one["id"] == identifier and type(one["id"]) is type(identifier)]
    error = reply.get("error")
    if error is None:
        return attributes
    if isinstance(error, dict):
        attributes["error.type"] = attributes["rpc.response.status_code"] = str(error["code"])
        attributes["status_message"] = error["message"]
        if "data" in error:
            size = len(json.dumps(error["data"], separators=(",", ":")).encode())
            attributes["goinst.jsonrpc.error.data.size"] = size
    else:
        attributes["error.type"], attributes["status_message"] = "jsonrpc", error
    return attributes


def redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: redacted(member) for name, member in value.items()}
    return [redacted(member) for member in value] if isinstance(value, list) else "REDACTED"


def told(span: Span) -> dict[str, Any]:
    """What JSON-RPC adds to a span."""
    attributes = span["attributes"]
    found = {
        name: value
        for name, value in attributes.items()
        if name.startswith(("rpc.", "jsonrpc.", "goinst.jsonrpc.", "error."))
    }
    assert (span["status"] == "error") == ("error.type" in found)
    if "status_message" in span:
        found["status_message"] = span["status_message"]
    return found


# in the order of transports: each is connected once
@pytest.mark.parametrize(("over", "kind"), [(over, kind) for over in ALL for kind in KINDS if carried(over, kind)])
def test_messages_of_every_form(wired: Wired, over: str, kind: str) -> None:
    before = len(wired.tracer.spans)
    logged = wired.logs[over].read_text().count("\n") if over not in LIBRARIES else 0
    requests: list[dict[str, Any]] = []
    wants = []
    for message in KINDS[kind]:
        text = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        answer = wired.wires[over].exchange(text, answered=answered(message))
        if isinstance(message, bytes) or message == [] or message == NONE[2]:
            continue
        replies = json.loads(answer) if answer else []
        mine = message if isinstance(message, list) else [message]
        requests += mine
        wants += [expected(one, replies if isinstance(replies, list) else [replies]) for one in mine]

    def calls() -> list[Span]:
        spans = [span for span in wired.tracer.spans[before:] if span["resource"]["process.pid"] == wired.pids[over]]
        parts = {span["parent_span_id"] for span in spans}
        # over a batch there is a span of HTTP
        return [span for span in spans if "rpc.method" in span["attributes"] and span["span_id"] not in parts]

    deadline = time.monotonic() + PATIENCE
    while len(calls()) < len(wants) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.05)
    spans = calls()
    assert [span["name"] for span in spans if span["name"] == "rpc"] == []

    def key(one: dict[str, Any]) -> str:
        return json.dumps(one, sort_keys=True)

    assert sorted((told(span) for span in spans), key=key) == sorted(wants, key=key)
    assert {span["kind"] for span in spans} == {"server"}
    if over not in LIBRARIES:
        log = [json.loads(line) for line in wired.logs[over].read_text().splitlines()[logged:]]
        assert [(one["method"], one.get("id")) for one in requests] == [(one["method"], one["id"]) for one in log]


def test_nothing_was_lost(wired: Wired) -> None:
    """After all of them."""
    losses = wired.tracer.stop().summary["losses"]
    # what came before the probes that it called for
    assert losses.pop("jsonstream.raw_listener") >= 1
    assert losses.pop("jsonrpc.response_streamed") >= 1
    # what is broken and speaks of jsonrpc, twice each by three kinds of HTTP
    assert losses == {"jsonrpc.body_unclear": 6}
