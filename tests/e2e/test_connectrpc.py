"""connect-go's RPCs, in each of its protocols, against the codes that its client saw."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import pairwise

import pytest
from harness import Server, Span, Tracer, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

SERVICE = "test.v1.PingService"
CODES = {"canceled": 1, "unknown": 2, "deadline_exceeded": 4, "not_found": 5, "internal": 13, "unauthenticated": 16}
KINDS = {"Unary": "unary", "ServerStream": "server_stream", "ClientStream": "client_stream", "Bidi": "bidi_stream"}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Server, Tracer]]:
    with (
        serving(build(PROGRAMS / "connectrpc"), "serve") as server,
        tracing("--pid", str(server.pid), "--plugins", "connectrpc", "--stats") as tracer,
    ):
        yield server, tracer


def call(served: tuple[Server, Tracer], protocol: str, *calls: str) -> tuple[list[int], list[Span]]:
    """The codes that a client saw, and the spans of its calls."""
    server, tracer = served
    before = len(tracer.spans)
    done = subprocess.run(
        [server.binary, "call", f"127.0.0.1:{server.port}", protocol, *calls],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return [int(line) for line in done.stdout.split()], tracer.wait_spans(before + len(calls))[before:]


def code(span: Span) -> int:
    a = span["attributes"]
    if a["rpc.system.name"] == "grpc":
        return int(a["rpc.grpc.status_code"])
    return CODES[a["rpc.connect_rpc.error_code"]] if "rpc.connect_rpc.error_code" in a else 0


@pytest.mark.parametrize("protocol", ["connect", "json", "get", "grpc", "grpc_web"])
def test_the_request_is_the_rpc(served: tuple[Server, Tracer], protocol: str) -> None:
    calls = [
        *(f"{method} {number} told so" for method in KINDS for number in (0, 5, 13, 16)),
        "Unary 7 plain",
        "Unary 5 wrapped",
        "Unary 7 plain wrapped",
        "ServerStream 4 context",
    ]
    codes, spans = call(served, protocol, *calls)
    assert codes == [0, 5, 13, 16] * 4 + [2, 5, 2, 4]
    assert [code(span) for span in spans] == codes
    for span, words in zip(spans, calls, strict=True):
        method, number, *rest = words.split()
        a = span["attributes"]
        assert span["name"] == f"{SERVICE}/{method}"
        assert (a["rpc.service"], a["rpc.method"]) == (SERVICE, method)
        assert a["rpc.system.name"] == ("grpc" if "grpc" in protocol else "connectrpc")
        assert a["goinst.connectrpc.protocol"] == {"json": "connect", "get": "connect"}.get(protocol, protocol)
        assert a["goinst.connectrpc.kind"] == KINDS[method]
        assert (span["status"] == "error") == (code(span) in (2, 4, 13))
        assert a["url.path"] == f"/{SERVICE}/{method}"
        if number != "0" and rest not in (["context"], ["plain", "wrapped"]):
            assert a["goinst.connectrpc.status_message"] == " ".join(rest)
        if protocol == "get" and method == "Unary":
            assert a["http.request.method"] == "GET"


def test_what_is_no_rpc_keeps_its_http_name(served: tuple[Server, Tracer]) -> None:
    server, tracer = served
    before = len(tracer.spans)
    assert server.request("PUT", f"/{SERVICE}/Unary")[0] == 405
    assert server.request("POST", f"/{SERVICE}/Unary", b"x", {"Content-Type": "text/plain"})[0] == 415
    assert server.request("GET", "/nothing")[0] == 404
    spans = tracer.wait_spans(before + 3)[before:]
    assert [span["name"] for span in spans] == [f"PUT /{SERVICE}/Unary", f"POST /{SERVICE}/Unary", "GET /nothing"]
    assert not any("rpc.system.name" in span["attributes"] for span in spans)


def test_nothing_is_lost_and_one_hit_is_added(served: tuple[Server, Tracer]) -> None:
    _, tracer = served
    ended = tracer.stop()
    assert ended.summary["losses"] == {}
    rpcs = sum("rpc.system.name" in span["attributes"] for span in ended.spans)
    hits = ended.summary["hits"]
    assert sum(count for place, count in hits.items() if "connectrpc" in place) == rpcs
    starts = [span["timestamp"] for span in ended.spans]
    assert all(first <= second for first, second in pairwise(starts))
