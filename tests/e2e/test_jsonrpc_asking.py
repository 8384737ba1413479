"""MCP servers that ask and tell their clients on event streams, compared with what they logged themselves."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from typing import Any

import pytest
from harness import PATIENCE, Ended, Server, Span, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

ALL = ("--plugins", "nethttp,jsonrpc,jsonstream")
KINDS = [
    pytest.param("mcp", "/mcp", ["tell", "ask", "vain", "ask"], id="mcp-go streamable"),
    pytest.param("mcp", "/sse", ["tell", "fail", "tell"], id="mcp-go sse"),
    pytest.param("mcpsdk", "/", ["tell", "ask", "vain", "ask"], id="go-sdk streamable"),
    pytest.param("mcpsdk", "/sse", ["tell", "ask", "vain", "ask"], id="go-sdk sse"),
]


def converse(program: str, path: str, names: list[str]) -> tuple[Ended, list[dict[str, Any]]]:
    """A client that calls tools by name once writes are probed: what was seen, and the server's log."""
    binary = build(PROGRAMS / program)
    with serving(binary, "-ask") as server, tracing("--pid", str(server.pid), *ALL) as tracer:
        arguments = [binary, "-client", f"http://127.0.0.1:{server.port}{path}", "-call", ",".join(names)]
        arguments += ["-sse"] * (path == "/sse")
        client = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == "connected\n"
            if (program, path) != ("mcpsdk", "/"):
                tracer.wait_probe("net/http.(*response).write")
                time.sleep(1.1)
            for name in names:
                client.stdin.write("next\n")
                client.stdin.flush()
                assert client.stdout.readline() == f"called {name}\n"
            client.stdin.close()
            client.wait(PATIENCE)
            log = [json.loads(line) for line in server.lines]
            calls = sum(span["name"].startswith("tools/call") for span in tracer.spans)
            tracer.wait_spans(len(tracer.spans) + len(names) - calls)
            time.sleep(0.3)
            return tracer.stop(), log
        finally:
            client.kill()
            client.wait()


def fact(span: Span) -> tuple[Any, ...]:
    attributes = span["attributes"]
    return (
        span["name"],
        attributes.get("goinst.mcp.progress.token", ""),
        attributes.get("goinst.mcp.progress.progress", 0),
        span["status"] == "error",
        "goinst.jsonrpc.unanswered" in attributes,
    )


@pytest.mark.parametrize(("program", "path", "names"), KINDS)
def test_what_a_server_asks_and_tells_its_client(program: str, path: str, names: list[str]) -> None:
    """Sampling, elicitation, roots, ping: answered by a later POST, with an error, or never; progress on the way."""
    ended, log = converse(program, path, names)
    logged = Counter(
        (one["method"], one.get("token", ""), one.get("step", 0), one["failed"], one["vain"]) for one in log
    )
    told = [span for span in ended.spans if span["kind"] == "client"]
    # the libraries' own: mcp-go pings over SSE, which its client does not answer; go-sdk cancels what was in vain
    more = {("ping", True), ("notifications/cancelled", False)}
    found = Counter(fact(span) for span in told)
    assert logged - found == Counter()
    assert {(one[0], one[4]) for one in found - logged} <= more
    for span in told:
        attributes = span["attributes"]
        assert attributes["mcp.method.name"] == attributes["rpc.method"] == span["name"]
        notification = span["name"].startswith("notifications/")
        assert ("jsonrpc.request.id" in attributes) is not notification
        assert attributes.get("goinst.jsonrpc.notification", False) is notification
        if span["name"] == "sampling/createMessage":
            assert span["duration_ns"] > 20_000_000
        if span["name"] == "elicitation/create":
            assert span["status_message"] == "nobody is here"
            assert attributes["rpc.response.status_code"] == attributes["error.type"]
    calls = [span for span in ended.spans if span["name"].startswith("tools/call ")]
    assert sorted(span["name"] for span in calls) == sorted(f"tools/call {name}" for name in names)
    for span in calls:
        failed = span["name"].endswith((" vain", " fail"))
        assert (span["status"], span["attributes"].get("error.type")) == (
            ("error", "tool_error") if failed else ("unset", None)
        )
    asking = next((span for span in calls if span["name"] == "tools/call ask"), None)
    if asking is not None:
        assert asking["duration_ns"] > 20_000_000
    assert set(ended.summary["losses"]) <= {"jsonrpc.response_streamed"}


class Listener(threading.Thread):
    """A client of HTTP with SSE that answers each ping with an error that says which, or those of even ids only."""

    def __init__(self, server: Server, name: str, *, fails: bool) -> None:
        super().__init__(daemon=True)
        self.label, self.fails = name, fails
        self.port = server.port
        self.answered: list[int] = []
        self.ignored: list[int] = []

    def run(self) -> None:
        stream = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        stream.request("GET", "/sse")
        response = stream.getresponse()
        endpoint = ""
        while len(self.answered) + len(self.ignored) < 10:
            line = response.readline().decode().rstrip()
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if not endpoint:
                endpoint = data
                continue
            message = json.loads(data)
            if message.get("method") != "ping":
                continue  # mcp-go complains of answers to its pings
            number = message["id"]
            if not self.fails and number % 2:
                self.ignored.append(number)
                continue
            outcome = {"error": {"code": -7, "message": f"{self.label}{number}"}} if self.fails else {"result": {}}
            post = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            post.request(
                "POST", endpoint, json.dumps({"jsonrpc": "2.0", "id": number, **outcome}),
                {"Content-Type": "application/json"},
            )  # fmt: skip
            assert post.getresponse().status == 202
            post.close()
            self.answered.append(number)
        stream.close()


def test_clients_that_are_asked_at_once_with_the_same_ids() -> None:
    """Each has a stream and ids of its own from 1; a third came before, and with it the probe on writes."""
    binary = build(PROGRAMS / "mcp")
    with serving(binary, "-ask") as server, tracing("--pid", str(server.pid), *ALL) as tracer:
        first = Listener(server, "first", fails=True)
        first.start()
        first.join(PATIENCE)
        tracer.wait_probe("net/http.(*response).write")
        clients = [Listener(server, name, fails=name != "quiet") for name in ("a", "b", "quiet")]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE)
        tracer.wait_spans(1)
        time.sleep(0.3)
        ended = tracer.stop()
    pings = [span for span in ended.spans if span["name"] == "ping"]
    numbers: dict[str, list[int]] = {"first": [], "a": [], "b": [], "quiet": [], "ignored": []}
    for span in pings:
        number = int(span["attributes"]["jsonrpc.request.id"])
        if span["status"] == "error":
            assert span["attributes"]["rpc.response.status_code"] == "-7"
            who = span["status_message"].removesuffix(str(number))
        else:
            who = "ignored" if "goinst.jsonrpc.unanswered" in span["attributes"] else "quiet"
        numbers[who].append(number)
    for client in clients:
        assert sorted(numbers[client.label]) == client.answered
    # pings in between, too, that no client read any more
    assert not Counter(clients[2].ignored) - Counter(numbers["ignored"])
    # of the first those that it answered before the probe came are counted, each once
    unseen = len(first.answered) - len(numbers["first"])
    assert ended.summary["losses"] == {"jsonrpc.question_unseen": unseen}
    assert 0 < unseen < 10
