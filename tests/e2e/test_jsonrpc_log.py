"""Every call of many, against the log that the server itself kept: random ids, batches, bodies, framings."""

from __future__ import annotations

import json
import random
from collections import Counter
from http.client import HTTPConnection
from typing import Any

import pytest
from harness import Server, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

METHODS = ["Arith.Multiply", "Arith.Divide", "log", "a/method/that/is/not/there", "ünicode.method"]


def calls(chosen: random.Random, number: int) -> list[dict[str, Any]]:
    """One request's calls: mostly one, sometimes a batch."""
    many = chosen.choice([1, 1, 1, 1, 2, 3, 7])
    made = []
    for index in range(many):
        identifier: Any = chosen.choice([number * 10 + index, f"{number}-{index}", -(number * 10 + index) - 1])
        params: list[Any] = [chosen.randrange(100), chosen.randrange(3)]
        call = {"jsonrpc": "2.0", "id": identifier, "method": chosen.choice(METHODS), "params": params}
        if chosen.random() < 0.1:
            del call["id"]
        if many == 1:
            size = chosen.choice([0, 0, 0, 0, 10, 500, 3000, 5000, 20_000, 1 << 20 if number % 100 == 0 else 100])
            if size:
                params.append("x" * size)
        made.append(call)
    return made


def send(connection: HTTPConnection, body: bytes, chosen: random.Random) -> None:
    """POST it as one body or in chunks, of which some come after the header."""
    headers = {"Content-Type": "application/json"}
    if chosen.random() < 0.3:
        size = chosen.choice([1 << 20, 5000, max(len(body) // 2, 1)])
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        connection.request("POST", "/rpc", iter(pieces), headers, encode_chunked=True)
    else:
        connection.request("POST", "/rpc", body, headers)
    connection.getresponse().read()


def converse(server: Server, count: int) -> int:
    """Make so many calls, and between them bodies of few bytes that are none; how many of these."""
    chosen = random.Random(count)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    done = number = none = 0
    while done < count:
        made = calls(chosen, number)
        send(connection, json.dumps(made if len(made) > 1 else made[0]).encode(), chosen)
        done += len(made)
        number += 1
        if chosen.random() < 0.2:
            send(connection, chosen.choice([b"{", b"1", b"[]", b"{}", b"[1", b'"jsonr"', b"[[[[[[[[[[[[["]), chosen)
            none += 1
    connection.close()
    return none


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.matrix)])
def test_every_call_is_there_once(count: int) -> None:
    """From the first one on, whose body comes after its header as all that this client sends."""
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp,jsonrpc") as tracer,
    ):
        none = converse(server, count)
        tracer.wait_spans(1)
        ended = tracer.stop()
        log = [json.loads(line) for line in server.lines]
    spans = [span for span in ended.spans if "rpc.method" in span["attributes"]]
    assert len(log) >= count
    shown = Counter((span["name"], span["attributes"].get("jsonrpc.request.id")) for span in spans)
    # the server takes {} for a call without a method
    logged = Counter((one["method"], None if one["id"] is None else str(one["id"])) for one in log if one["method"])
    assert shown == logged
    http = [span for span in ended.spans if "http.request.method" in span["attributes"]]
    assert sum("rpc.system.name" not in span["attributes"] for span in http) == none
    assert ended.summary["losses"] == {}


def test_what_is_missed_is_counted() -> None:
    """The probes are sent away before the first late body: each request that lacks its calls is a loss."""
    settings = ("--set", "jsonrpc.watched_posts=0")
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp,jsonrpc", *settings) as tracer,
    ):
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "whole"})
        server.raw(
            b"POST /rpc HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body.encode())
        )
        tracer.wait_event("probes taken away")
        chosen = random.Random(3)
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        for number in range(300):
            params = "x" * chosen.choice([1, 900, 5000, 50_000])
            call = {"jsonrpc": "2.0", "id": number, "method": "m", "params": params}
            send(connection, json.dumps(call).encode(), chosen)
        connection.close()
        tracer.wait_spans(301)
        ended = tracer.stop()
    seen = [span for span in ended.spans if "rpc.method" in span["attributes"]]
    identifiers = [int(span["attributes"]["jsonrpc.request.id"]) for span in seen if span["name"] == "m"]
    assert len(set(identifiers)) == len(identifiers)
    losses = ended.summary["losses"]
    # of a body whose first chunk was there, perhaps without its method, the others may be missing
    assert 301 - len(seen) == losses["jsonrpc.body_gone"] + losses.get("jsonrpc.body_unclear", 0)
    assert set(losses) <= {"jsonrpc.body_gone", "jsonrpc.body_unclear"}
    # they come back, and then none is missed
    assert set(range(250, 300)) <= set(identifiers)
