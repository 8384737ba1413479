"""net/rpc on sockets, gob and JSON: server and client of one conversation, seen from outside."""

from __future__ import annotations

import json
import socket
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from harness import Ended, named, needs_root, serving, tracing

from gobuild import PROGRAMS, VERSIONS, build

pytestmark = [pytest.mark.bpf, needs_root]

MANY = 40
CALLS = 4 + MANY
QUICK = {("1.17.13", "json"), ("1.24.13", "gob"), ("1.27.3", "json")}
HOWS = [
    pytest.param(go, codec, id=f"go{go}-{codec}", marks=() if (go, codec) in QUICK else pytest.mark.matrix)
    for go in VERSIONS
    for codec in ("json", "gob")
]


def converse(binary: Path, codec: str, network: str, address: str) -> tuple[Ended, int, int]:
    """Trace a server and its client from before the first call: what was seen, and the two pids."""
    with serving(binary, "-codec", codec, "-network", network, "-listen", address) as server:
        target = address if network == "unix" else f"127.0.0.1:{server.port}"
        client = subprocess.Popen(
            [binary, "-codec", codec, "-network", network, "-client", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "listening client:0\n"
            pids = ("--pid", str(server.pid), "--pid", str(client.pid))
            with tracing(*pids, "--plugins", "netrpc") as tracer:
                said, _ = client.communicate("go\n", timeout=30)
                assert said.splitlines()[-1] == "done"
                tracer.wait_spans(2 * CALLS - (codec == "gob"))
                return tracer.stop(), server.pid, client.pid
        finally:
            client.kill()
            client.wait()


def check_pairs(ended: Ended, codec: str, server: int, client: int) -> None:
    def of(pid: int) -> list[dict[str, Any]]:
        return [span for span in ended.spans if span["resource"]["process.pid"] == pid]

    served, made = of(server), of(client)
    assert {span["kind"] for span in served} == {"server"}
    assert {span["kind"] for span in made} == {"client"}
    assert len(served) == CALLS
    assert named(served, "Arith.Multiply")["status"] == "unset"
    for spans, unknown in ((served, "unknown_method"), (made, "rpc.ServerError")):
        failed = named(spans, "Arith.Divide")
        assert [failed["status"], failed["status_message"]] == ["error", "divide by zero"]
        assert failed["attributes"]["error.type"] == "rpc.ServerError"
        missing = named(spans, "Arith.Missing")
        assert missing["attributes"]["error.type"] == unknown
        assert missing["status_message"] == "rpc: can't find method Arith.Missing"
        slept = [span["duration_ns"] for span in spans if span["name"] == "Arith.Sleep"]
        assert len(slept) == 1 + MANY
        assert all(20_000_000 <= nanoseconds < 5_000_000_000 for nanoseconds in slept)
    assert ended.summary["hits"]["net/rpc.(*service).call entry"] == CALLS - 1
    assert ended.summary["hits"]["net/rpc.(*Server).sendResponse entry"] == CALLS
    if codec == "json":
        assert len(made) == CALLS
        assert {span["attributes"]["rpc.system.name"] for span in ended.spans} == {"jsonrpc"}
        assert {span["attributes"]["jsonrpc.protocol.version"] for span in ended.spans} == {"1.0"}
        sent = Counter((span["attributes"]["jsonrpc.request.id"], span["name"]) for span in made)
        # a call of no method has no id on the server: its request is not kept
        known = [span for span in served if span["name"] != "Arith.Missing"]
        got = Counter((span["attributes"].get("jsonrpc.request.id"), span["name"]) for span in known)
        # the map of ids is read without its lock: it may be growing
        lacking = sum(count for (number, _), count in got.items() if number is None)
        assert lacking <= 2
        assert (got - sent).total() == lacking
        assert (sent - got).total() == lacking + sum(name == "Arith.Missing" for _, name in sent.elements())
        assert ended.summary["losses"] == ({"netrpc.id_unknown": lacking} if lacking else {})
    else:
        # where the client put the header that it waited for when the tracer came was not seen
        assert len(made) == CALLS - 1
        assert ended.summary["losses"] == {"netrpc.began_unseen": 1}
        assert {span["attributes"]["rpc.system.name"] for span in ended.spans} == {"go.net/rpc"}


@pytest.mark.parametrize(("go", "codec"), HOWS)
def test_calls_over_tcp(go: str, codec: str) -> None:
    ended, server, client = converse(build(PROGRAMS / "netrpc", go=go), codec, "tcp", "127.0.0.1:0")
    check_pairs(ended, codec, server, client)


def test_calls_over_a_unix_socket(tmp_path: Path) -> None:
    ended, server, client = converse(build(PROGRAMS / "netrpc", go="1.27.3"), "json", "unix", str(tmp_path / "s"))
    check_pairs(ended, "json", server, client)


@pytest.mark.parametrize("go", ["1.26.8", pytest.param("1.17.13", marks=pytest.mark.matrix)])
def test_a_server_that_uses_the_codec_alone(go: str) -> None:
    """Ids of all types, calls that overlap, and an error; two hits a call."""
    identifiers = [0, 7, "a", [1], *range(100, 112)]
    with (
        serving(build(PROGRAMS / "codecrpc", go=go)) as server,
        tracing("--pid", str(server.pid), "--plugins", "netrpc,jsonstream") as tracer,
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            calls = [{"method": "Sum", "params": [1], "id": identifier} for identifier in identifiers]
            calls.append({"method": "Other", "params": [1], "id": "e"})
            connection.sendall(b"".join(json.dumps(call).encode() + b"\n" for call in calls))
            with connection.makefile("rb") as stream:
                for _ in calls:
                    stream.readline()
        tracer.wait_spans(len(calls))
        ended = tracer.stop()
    failed = named(ended.spans, "Other")
    assert [failed["status"], failed["status_message"]] == ["error", "no method Other"]
    assert failed["attributes"]["jsonrpc.request.id"] == "e"
    sums = [span for span in ended.spans if span["name"] == "Sum"]
    assert sorted(span["attributes"]["jsonrpc.request.id"] for span in sums) == sorted(
        one if isinstance(one, str) else json.dumps(one) for one in identifiers
    )
    assert all(20_000_000 <= span["duration_ns"] < 5_000_000_000 for span in sums)
    assert ended.summary["losses"] == {}
    assert ended.summary["hits"]["net/rpc/jsonrpc.(*serverCodec).ReadRequestBody entry"] == len(calls)
    assert ended.summary["hits"]["net/rpc/jsonrpc.(*serverCodec).WriteResponse entry"] == len(calls)
