"""JSON-RPC on bare TCP and Unix sockets, by programs that know no JSON-RPC library."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import Ended, Span, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

CALLS = [("add", "10"), ("add", "12"), ("ask", "15"), ("fail", "11"), ("fail", "13"), ("never", "14")]


@contextmanager
def client_of(binary: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A client that is connected and waits for a line before each round of calls."""
    client = subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "listening client:0\n"
        yield client
    finally:
        client.kill()
        client.wait()


def rounds(client: subprocess.Popen[str], many: int = 1) -> None:
    assert client.stdin is not None
    assert client.stdout is not None
    for _ in range(many):
        client.stdin.write("go\n")
        client.stdin.flush()
        assert client.stdout.readline() == "done\n"


def converse(framing: str, network: str, address: str, go: str) -> tuple[Ended, int, int]:
    binary = build(PROGRAMS / "rawrpc", go=go)
    how = ("-framing", framing, "-network", network)
    with serving(binary, *how, "-listen", address) as server:
        target = address if network == "unix" else f"127.0.0.1:{server.port}"
        with client_of(binary, *how, "-client", target) as client:
            pids = ("--pid", str(server.pid), "--pid", str(client.pid))
            with tracing(*pids, "--plugins", "jsonstream") as tracer:
                rounds(client)
                tracer.wait_spans(2 * (len(CALLS) - 1 + 2 + 1))
                return tracer.stop(), server.pid, client.pid


def of(spans: list[Span], pid: int, kind: str) -> list[dict[str, Any]]:
    return [span for span in spans if span["resource"]["process.pid"] == pid and span["kind"] == kind]


HOWS = [
    pytest.param("lines", "tcp", "1.27.3", id="lines-tcp"),
    pytest.param("values", "unix", "1.26.8", id="values-unix"),
    pytest.param("headers", "tcp", "1.17.13", id="headers-tcp", marks=pytest.mark.matrix),
    pytest.param("values", "tcp", "1.21.13", id="values-tcp", marks=pytest.mark.matrix),
    pytest.param("headers", "unix", "1.24.13", id="headers-unix", marks=pytest.mark.matrix),
    pytest.param("lines", "unix", "1.18.10", id="lines-unix", marks=pytest.mark.matrix),
]


@pytest.mark.parametrize(("framing", "network", "go"), HOWS)
def test_both_ends_of_a_socket(framing: str, network: str, go: str, tmp_path: Path) -> None:
    """Calls, batches, notifications, errors, a server that calls its client, and a call that is never answered."""
    address = str(tmp_path / "socket") if network == "unix" else "127.0.0.1:0"
    ended, server, client = converse(framing, network, address, go)
    served, made = of(ended.spans, server, "server"), of(ended.spans, client, "client")
    for spans in (served, made):
        calls = [span for span in spans if "goinst.jsonrpc.notification" not in span["attributes"]]
        assert sorted((span["name"], span["attributes"]["jsonrpc.request.id"]) for span in calls) == CALLS
        assert [span["name"] for span in spans if span not in calls] == ["note", "note"]
        failed = [span for span in spans if span["status"] == "error"]
        assert [span["name"] for span in failed] == ["fail", "fail"]
        assert {span["status_message"] for span in failed} == {"no method fail"}
        assert {span["attributes"]["rpc.response.status_code"] for span in failed} == {"-32601"}
        (never,) = [span for span in spans if span["attributes"].get("goinst.jsonrpc.unanswered")]
        assert never["name"] == "never"
    for pid, kind in ((server, "client"), (client, "server")):
        (asked,) = of(ended.spans, pid, kind)
        assert (asked["name"], asked["attributes"]["jsonrpc.request.id"], asked["status"]) == ("whoami", "s1", "unset")
    assert ended.summary["losses"] == {}
    assert all(span["attributes"]["rpc.system.name"] == "jsonrpc" for span in ended.spans)


def test_a_socket_beside_an_http_server() -> None:
    """The probes on sockets come with the first connection that the HTTP server does not take."""
    binary = build(PROGRAMS / "rawrpc", tags="withhttp")
    with serving(binary) as server, tracing("--pid", str(server.pid), "--plugins", "nethttp,jsonstream") as tracer:
        with client_of(binary, "-client", f"127.0.0.1:{server.port}") as client:
            tracer.wait_event("probes added on demand")
            rounds(client)
        tracer.wait_spans(len(CALLS) - 1 + 2 + 1)
        ended = tracer.stop()
    calls = [span for span in of(ended.spans, server.pid, "server") if span["name"] != "note"]
    assert sorted((span["name"], span["attributes"]["jsonrpc.request.id"]) for span in calls) == CALLS
    assert ended.summary["losses"]["jsonstream.raw_listener"] == 1
