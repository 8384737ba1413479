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


def converse(server: Server, count: int) -> None:
    chosen = random.Random(count)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    done = number = 0
    while done < count:
        made = calls(chosen, number)
        body = json.dumps(made if len(made) > 1 else made[0]).encode()
        if chosen.random() < 0.3 and len(body) < 3000:
            connection.request("POST", "/rpc", iter([body]), {"Content-Type": "application/json"}, encode_chunked=True)
        else:
            connection.request("POST", "/rpc", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        done += len(made)
        number += 1
    connection.close()


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.matrix)])
def test_every_call_is_there_once(count: int) -> None:
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp,jsonrpc") as tracer,
    ):
        server.raw(
            b"POST /rpc HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", b"{}", pause=0.05
        )
        tracer.wait_event("probes added on demand")
        seen = len(server.lines)
        converse(server, count)
        tracer.wait_spans(1)
        ended = tracer.stop()
        log = [json.loads(line) for line in server.lines[seen:]]
    spans = [span for span in ended.spans if "rpc.method" in span["attributes"]]
    assert len(log) >= count
    shown = Counter((span["name"], span["attributes"].get("jsonrpc.request.id")) for span in spans)
    logged = Counter((one["method"], None if one["id"] is None else str(one["id"])) for one in log)
    assert shown == logged
    assert {loss for loss in ended.summary["losses"] if loss != "jsonrpc.body_late"} == set()
