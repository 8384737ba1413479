"""Whose work a call is: programs say themselves for which request they make each call, and no span may say another."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from harness import PATIENCE, Ended, Server, Span, needs_root, serving, tracing

from gobuild import PROGRAMS, VERSIONS, build

pytestmark = [pytest.mark.bpf, needs_root]

_EACH = [
    pytest.param(
        program, go, mode, marks=[] if (go, mode) in (("1.26.8", "pie"), ("1.17.13", "exe")) else pytest.mark.matrix
    )
    for program, oldest in (("workers", (1, 17)), ("pools", (1, 20)))
    for go in VERSIONS
    if tuple(map(int, go.split(".")[:2])) >= oldest
    for mode in ("exe", "pie")
]


@contextmanager
def staying(server: Server, path: str) -> Iterator[None]:
    """A request that is open as long as this: from when the server has said so."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while b"open\n" not in answer:
            part = connection.recv(4096)
            assert part, answer
            answer += part
        yield


def drive(server: Server) -> int:
    """In each way of the program: a request that stays open, and two that come meanwhile; the number of calls."""
    ways = server.request("GET", "/ways")[1].decode().split()
    assert len(ways) > 15
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        for way in ways:
            stack.enter_context(staying(server, f"/open/{way}/{way}-0"))
        for number in (1, 2):
            answers = pool.map(server.request, ["GET"] * len(ways), [f"/do/{way}/{way}-{number}" for way in ways])
            assert all(status == 200 for status, _ in answers)
    return int(server.request("GET", "/calls")[1])


def traced(binary: Path) -> tuple[list[Span], Ended]:
    with (
        serving(binary) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp") as tracer,
    ):
        calls = drive(server)
        ways = len(server.request("GET", "/ways")[1].split())
        tracer.wait_spans(2 * calls + 3 * ways + 3)
        ended = tracer.stop()
    return ended.spans, ended


def parents(spans: list[Span]) -> Counter[tuple[str, str]]:
    """(way, "right", "unknown" or "wrong") of all calls."""
    requests = {span["span_id"]: span["attributes"]["url.path"] for span in spans if span["kind"] == "server"}
    found: Counter[tuple[str, str]] = Counter()
    for span in spans:
        if span["kind"] == "client":
            identity, way = span["attributes"]["url.full"].split("/")[4:6]
            parent = span["parent_span_id"]
            of = requests[parent].rpartition("/")[2] if parent else None
            found[way, "unknown" if of is None else "right" if of == identity else "wrong"] += 1
    return found


@pytest.mark.parametrize(("program", "go", "mode"), _EACH)
def test_no_call_is_of_a_request_that_did_not_make_it(program: str, go: str, mode: str) -> None:
    binary = build(PROGRAMS / program, go=go, buildmode="pie" if mode == "pie" else "")
    spans, ended = traced(binary)
    assert ended.summary["losses"] == {}
    found = parents(spans)
    assert {way: count for (way, what), count in found.items() if what == "wrong"} == {}
    # what goes on when its request has ended: of three, the last one never does
    if program == "workers":
        assert (found.pop(("late", "right")), found.pop(("late", "unknown"))) == (1, 1)
    unknown = {way: count for (way, what), count in found.items() if what == "unknown"}
    right = {way for way, what in found if what == "right"}
    assert right == {way for way, _ in found if not way.startswith("shared")}
    assert right.isdisjoint(unknown)
    assert len(unknown) > 10
    # what a timer starts was started in no request
    unknown.pop("shared-timer", None)
    assert ended.summary["notes"]["core.parent_unknown"] == sum(unknown.values())
