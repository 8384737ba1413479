"""JSON-RPC over HTTP, seen from outside: net/rpc/jsonrpc, a handler written by hand, an MCP server."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from harness import Server, Tracer, needs_root, serving, tracing

from gobuild import PROGRAMS, VERSIONS, build

pytestmark = [pytest.mark.bpf, needs_root]

BOTH = ("--plugins", "nethttp,jsonrpc")
BUILDS = [
    pytest.param({"go": "1.17.13"}, id="go1.17"),
    pytest.param({"go": "1.21.13"}, id="go1.21"),
    pytest.param({"go": "1.24.13"}, id="go1.24"),
    pytest.param({"go": "1.26.8"}, id="go1.26"),
    pytest.param({"go": "1.27.3"}, id="go1.27"),
    pytest.param({"go": "1.26.8", "ldflags": "-s -w"}, id="go1.26-stripped"),
    pytest.param({"go": "1.26.8", "buildmode": "pie"}, id="go1.26-pie"),
]
_KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stripped": {"ldflags": "-s -w"},
    "pie": {"buildmode": "pie"},
    "pie-cgo": {"buildmode": "pie", "cgo": True},
}
MORE = [
    pytest.param({"go": go, **how}, id=f"go{go}-{name}", marks=pytest.mark.matrix)
    for go in VERSIONS
    for name, how in _KINDS.items()
]


def post(server: Server, target: str, body: str) -> tuple[bytes, int]:
    """POST in one packet, as curl does: (the response's body, the client's port)."""
    request = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request.encode())
        with connection.makefile("rb") as stream:
            _, _, answer = stream.read().partition(b"\r\n\r\n")
        return answer, connection.getsockname()[1]


@pytest.mark.parametrize("how", [*BUILDS, *MORE])
def test_one_span_named_after_the_method(how: dict[str, Any]) -> None:
    with (
        serving(build(PROGRAMS / "arith", **how)) as server,
        tracing("--port", str(server.port), *BOTH) as tracer,
    ):
        body = json.dumps({"method": "Arith.Multiply", "params": [{"A": 6, "B": 7}], "id": 41})
        answer, own_port = post(server, "/rpc?token=secret", body)
        assert json.loads(answer)["result"] == 42
        tracer.wait_spans(1)
        post(server, "/rpc", json.dumps({"method": "Arith.Divide", "params": [{"A": 1, "B": 0}], "id": 42}))
        tracer.wait_spans(2)
        ended = tracer.stop()

    assert ended.code == 0
    span, failed = ended.spans
    assert span["name"] == "Arith.Multiply"
    assert span["kind"] == "server"
    assert span["duration_ns"] > 0
    assert span["parent_span_id"] is None
    assert span["resource"] == {
        "service.name": f"goinst.test/{server.binary.name}",  # its module path
        "process.pid": server.pid,
        "process.executable.path": str(server.binary.resolve()),
    }
    attributes = span["attributes"]
    expected = {
        "rpc.system.name": "jsonrpc",
        "rpc.method": "Arith.Multiply",
        "jsonrpc.protocol.version": "1.0",
        "jsonrpc.request.id": "41",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/rpc",
        "url.query": "token=REDACTED",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.request.body.size": len(body),
        "http.response.body.size": len(answer),
        "client.address": "127.0.0.1",
        "client.port": own_port,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert {name: attributes.get(name) for name in expected} == expected
    assert failed["name"] == "Arith.Divide"
    assert failed["status"] == "error"
    assert failed["status_message"] == "divide by zero"
    assert failed["attributes"]["http.response.status_code"] == 200
    assert ended.summary["spans"] == 2
    assert ended.summary["losses"] == {}


@pytest.fixture(scope="module")
def hand() -> Iterator[tuple[Server, Tracer]]:
    """A hand-written handler under one tracer; each test looks at the spans that it made."""
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), *BOTH) as tracer,
    ):
        yield server, tracer


Hand = tuple[Server, Tracer]


def call(method: str, identifier: object = None, **more: object) -> dict[str, object]:
    message: dict[str, object] = {"jsonrpc": "2.0", "method": method, **more}
    return message if identifier is None else {**message, "id": identifier}


def test_request_and_error(hand: Hand) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    server.call(call("Arith.Multiply", 1, params=[6, 7]))
    server.call(call("Arith.Divide", "a-b", params=[1, 0]))
    server.call(call("a/method/that/is/not/there", 3))
    good, failed, unknown = tracer.wait_spans(before + 3)[before:]
    assert [good["name"], good["status"]] == ["Arith.Multiply", "unset"]
    assert good["attributes"]["jsonrpc.protocol.version"] == "2.0"
    assert good["attributes"]["jsonrpc.request.id"] == "1"
    assert "goinst.jsonrpc.notification" not in good["attributes"]
    assert [failed["name"], failed["status"]] == ["Arith.Divide", "error"]
    assert failed["attributes"]["jsonrpc.request.id"] == "a-b"
    assert failed["attributes"]["rpc.response.status_code"] == "-32000"
    assert failed["status_message"] == "division by zero"
    assert unknown["attributes"]["rpc.method"] == "a/method/that/is/not/there"
    assert unknown["attributes"]["rpc.response.status_code"] == "-32601"


def test_notification(hand: Hand) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    status, _ = server.call(call("log", params={"text": "x"}))
    (span,) = tracer.wait_spans(before + 1)[before:]
    assert status == 204
    assert span["name"] == "log"
    assert span["attributes"]["goinst.jsonrpc.notification"] is True
    assert span["attributes"]["http.response.status_code"] == 204


def test_batch(hand: Hand) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    server.call([call("Arith.Multiply", 1, params=[2, 3]), call("log"), call("Arith.Divide", 2)])
    span, *items = tracer.wait_spans(before + 4)[before:]
    assert span["attributes"]["goinst.jsonrpc.batch.size"] == 3
    assert span["attributes"]["goinst.jsonrpc.batch.methods"] == ["Arith.Multiply", "log", "Arith.Divide"]
    assert [item["name"] for item in items] == ["Arith.Multiply", "log", "Arith.Divide"]
    assert [item["status"] for item in items] == ["unset", "unset", "error"]
    assert items[2]["status_message"] == "division by zero"
    assert {item["parent_span_id"] for item in items} == {span["span_id"]}
    assert {item["trace_id"] for item in items} == {span["trace_id"]}


def test_a_body_over_the_limit_keeps_its_method(hand: Hand) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    post(server, "/rpc", json.dumps(call("echo", 5, params="p" * 9000)))
    (span,) = tracer.wait_spans(before + 1)[before:]
    assert span["name"] == "echo"
    assert span["attributes"]["http.request.body.size"] > 9000
    assert "goinst.jsonrpc.notification" not in span["attributes"]  # the id is cut off, not absent


LONG = json.dumps(call("echo", 5, params="p" * 9000)).encode()


def late(server: Server) -> None:
    """A long body behind its header."""
    server.raw(HEAD + b"Content-Length: %d\r\n\r\n" % len(LONG), LONG, pause=0.05)


def test_the_first_late_body_is_caught() -> None:
    """Reads are probed from the start in a program that says "jsonrpc": no body is too early for that."""
    with serving(build(PROGRAMS / "jsonhand")) as server, tracing("--pid", str(server.pid), *BOTH) as tracer:
        late(server)
        (span,) = tracer.wait_spans(1)
        ended = tracer.stop()
    assert span["name"] == "echo"
    assert "jsonrpc.body_gone" not in ended.summary["losses"]
    assert ended.summary["notes"] == {"jsonrpc.body_late": 1}


def test_a_late_body_that_another_goroutine_reads() -> None:
    """http.TimeoutHandler has the handler on one of its own."""
    head = HEAD.replace(b"/rpc", b"/timeout") + b"Content-Length: %d\r\n\r\n" % len(LONG)
    with serving(build(PROGRAMS / "jsonhand")) as server, tracing("--pid", str(server.pid), *BOTH) as tracer:
        server.raw(head, LONG, pause=0.05)
        server.raw(head + LONG[:4000], LONG[4000:], pause=0.05)
        spans = tracer.wait_spans(2)
        ended = tracer.stop()
    assert [span["name"] for span in spans] == ["echo", "echo"]
    assert not {"jsonrpc.body_gone", "jsonrpc.body_unclear"} & {*ended.summary["losses"]}


def test_reads_are_not_watched_for_ever() -> None:
    """After so many bodies that were whole the probes go: no hit is left. The first late body is missed and counted,
    and brings them back."""
    settings = ("--set", "jsonrpc.watched_posts=5")
    with serving(build(PROGRAMS / "jsonhand")) as server, tracing("--pid", str(server.pid), *BOTH, *settings) as tracer:
        for number in range(10):
            post(server, "/rpc", json.dumps(call("Arith.Multiply", number, params=[2, 3])))
        gone = tracer.wait_event("probes taken away")
        assert gone["symbols"] == ["net/http.(*body).Read"]
        for number in range(10, 110):
            post(server, "/rpc", json.dumps(call("Arith.Multiply", number, params=[2, 3])))
        late(server)
        tracer.wait_probe("net/http.(*body).Read")
        late(server)
        spans = tracer.wait_spans(112)
        ended = tracer.stop()
    assert [span["name"] for span in spans[:110]] == ["Arith.Multiply"] * 110
    assert [span["name"] for span in spans[110:]] == ["POST /rpc", "echo"]
    assert ended.summary["losses"]["jsonrpc.body_gone"] == 1
    assert ended.summary["notes"] == {"jsonrpc.body_late": 2}
    reads = ended.summary["hits"]["net/http.(*body).Read entry"]
    # none for the hundred
    assert 6 <= reads < 60


@pytest.mark.parametrize("chunked", [False, pytest.param(True, marks=pytest.mark.matrix)])
def test_a_body_in_whose_middle_the_probes_come(chunked: bool) -> None:
    """What of it was not seen from its beginning is no call, although each piece of the batch looks like one."""
    settings = ("--set", "jsonrpc.watched_posts=0")
    items = [json.dumps(call("echo", number)) for number in range(25)]
    pieces = [f"[{items[0]},", *[f"{item}," for item in items[1:-1]], f"{items[-1]}]"]
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), *BOTH, *settings) as tracer,
    ):
        post(server, "/rpc", json.dumps(call("Arith.Multiply", 1, params=[2, 3])))
        tracer.wait_event("probes taken away")
        length = CHUNKED if chunked else b"Content-Length: %d\r\n\r\n" % len("".join(pieces))
        sent = [chunk(piece.encode()) if chunked else piece.encode() for piece in pieces]
        answer = server.raw(HEAD + length, *sent, *[b"0\r\n\r\n"] * chunked, pause=0.02)
        assert answer.count(b'"result":null') == 25
        tracer.wait_probe("net/http.(*body).Read")
        tracer.wait_spans(2)
        ended = tracer.stop()
    assert [span["name"] for span in ended.spans] == ["Arith.Multiply", "POST /rpc"]
    assert ended.summary["hits"]["net/http.(*body).Read entry"] > 5
    assert ended.summary["losses"]["jsonrpc.body_gone"] == 1


def test_a_long_body_by_option() -> None:
    """Up to 64 KiB of a body: what is in the connection's buffer, and then what the handler reads."""
    padding = "x" * 60_000
    settings = ("--set", "jsonrpc.body_bytes=65536")
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), *BOTH, *settings) as tracer,
    ):
        server.call({"params": [6, 7, padding], "jsonrpc": "2.0", "id": 5, "method": "at/the/end"})
        (span,) = tracer.wait_spans(1)
        ended = tracer.stop()
    assert [span["name"], span["attributes"]["jsonrpc.request.id"]] == ["at/the/end", "5"]
    assert ended.summary["losses"] == {}


def test_a_long_response_is_caught_where_it_is_written() -> None:
    """5 KB of errors for a batch: what the buffers hold at the end is not the beginning. The first brings the probe."""
    batch = json.dumps([call("Arith.Divide", number) for number in range(60)])
    settings = ("--set", "jsonrpc.body_bytes=32768")
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing("--pid", str(server.pid), *BOTH, *settings) as tracer,
    ):
        post(server, "/rpc", batch)
        tracer.wait_probe("net/http.(*response).write")
        before = len(tracer.wait_spans(61))
        body, _ = post(server, "/rpc", batch)
        tracer.wait_spans(before + 61)
        small, _ = post(server, "/rpc", json.dumps(call("Arith.Divide", 1)))
        tracer.wait_spans(before + 62)
        ended = tracer.stop()
    assert len(body) > 4096
    assert len(small) < 2048
    items = ended.spans[before + 1 : before + 61]
    assert [span["attributes"]["jsonrpc.request.id"] for span in items] == [str(number) for number in range(60)]
    assert {(span["status"], span.get("status_message")) for span in items} == {("error", "division by zero")}
    assert ended.spans[-1].get("status_message") == "division by zero", ended.spans[-1]
    assert ended.summary["losses"] == {"jsonrpc.response_streamed": 1, "jsonrpc.response_gone": 1}
    # one hit for each response that is written at once; the small one's, too
    assert ended.summary["hits"]["net/http.(*response).write entry"] == 2


def test_what_is_no_json_rpc_stays_an_http_span(hand: Hand) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    server.request("POST", "/rpc", "{not json", {"Content-Type": "application/json"})
    server.request("GET", "/nowhere")
    server.request("POST", "/rpc", json.dumps({"method": 7}))
    spans = tracer.wait_spans(before + 3)[before:]
    assert all("rpc.system.name" not in span["attributes"] for span in spans)
    assert spans[1]["attributes"]["http.response.status_code"] == 404


HEAD = b"POST /rpc HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n"
BODY = b'{"jsonrpc":"2.0","method":"Arith.Multiply","params":[6,7],"id":9}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
STREAM = HEAD.replace(b"/rpc", b"/stream")
OLD = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
SHAPES = [
    pytest.param([HEAD + LENGTH + BODY], id="whole"),
    pytest.param([HEAD + LENGTH, BODY], id="body-after-the-headers"),
    pytest.param([HEAD + LENGTH + BODY[:20], BODY[20:]], id="body-in-two-parts"),
    pytest.param([HEAD + LENGTH, *[BODY[at : at + 1] for at in range(0, len(BODY))]], id="byte-by-byte"),
    pytest.param([HEAD + CHUNKED + chunk(BODY) + b"0\r\n\r\n"], id="chunked"),
    pytest.param([HEAD + CHUNKED + chunk(BODY[:30]) + chunk(BODY[30:]) + b"0\r\n\r\n"], id="two-chunks"),
    pytest.param([HEAD + CHUNKED, chunk(BODY), b"0\r\n\r\n"], id="chunked-after-the-headers"),
    pytest.param([HEAD + CHUNKED, chunk(BODY[:30]), chunk(BODY[30:]), b"0\r\n\r\n"], id="late-chunks"),
    pytest.param([HEAD + CHUNKED + chunk(BODY[:30]), chunk(BODY[30:]), b"0\r\n\r\n"], id="a-chunk-later"),
    pytest.param([HEAD + CHUNKED + chunk(BODY)[:2], chunk(BODY)[2:], b"0\r\n\r\n"], id="in-a-chunk-s-head"),
    pytest.param([STREAM + CHUNKED, chunk(BODY), b"0\r\n\r\n"], id="decoded-as-it-comes"),
    pytest.param([OLD + LENGTH + BODY], id="http-1.0"),
    pytest.param([HEAD + b"Expect: 100-continue\r\n" + LENGTH, BODY], id="expect-continue"),
]


@pytest.mark.parametrize("pieces", SHAPES)
def test_shapes_of_requests(hand: Hand, pieces: list[bytes]) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    answer = server.raw(*pieces, pause=0.01 if len(pieces) > 9 else 0.05)
    assert b'"result":42' in answer
    (span,) = tracer.wait_spans(before + 1)[before:]
    assert span["name"] == "Arith.Multiply"
    assert span["attributes"]["jsonrpc.request.id"] == "9"
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["attributes"]["network.protocol.version"] == ("1.0" if b"HTTP/1.0" in pieces[0] else "1.1")


def test_pipelined_requests(hand: Hand) -> None:
    server, tracer = hand
    before = len(tracer.spans)
    open_head = HEAD.replace(b"Connection: close\r\n", b"")
    names = ["first", "second", "the.third"]
    stream = b""
    for number, name in enumerate(names):
        body = json.dumps(call(name, number)).encode()
        head = HEAD if number == len(names) - 1 else open_head
        stream += head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert server.raw(stream).count(b"Method not found") == len(names)
    spans = tracer.wait_spans(before + 3)[before:]
    assert [span["name"] for span in spans] == names
    assert [span["attributes"]["url.path"] for span in spans] == ["/rpc"] * 3


def test_every_call_of_many_at_once(hand: Hand) -> None:
    """Eight connections at a time: each span has its own request's method and id, as the server saw them."""
    server, tracer = hand
    before, seen = len(tracer.spans), len(server.lines)
    threads_done = []

    def client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        for turn in range(25):
            connection.request("POST", "/rpc", json.dumps(call(f"m.{number}.{turn}", number * 100 + turn)))
            connection.getresponse().read()
        connection.close()
        threads_done.append(number)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(threads_done) == 8
    spans = tracer.wait_spans(before + 200)[before:]
    served = [json.loads(line) for line in server.wait_lines(seen + 200)[seen:]]
    assert sorted((span["name"], span["attributes"]["jsonrpc.request.id"]) for span in spans) == sorted(
        (one["method"], str(one["id"])) for one in served
    )


CONVERSATIONS = {
    "handshake": ([], ["initialize", "notifications/initialized", "tools/list", "tools/call"]),
    "modern": (["-modern"], ["server/discover", "tools/list", "tools/call"]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_mcp_conversation(name: str) -> None:
    arguments, methods = CONVERSATIONS[name]
    binary = build(PROGRAMS / "mcp")
    with serving(binary) as server, tracing("--port", str(server.port), *BOTH) as tracer:
        talk = subprocess.run(
            [binary, "-client", f"http://127.0.0.1:{server.port}/mcp", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert talk.stdout.splitlines() == ["server calculator", "tool fail", "tool long", "tool multiply", "result 42"]
        tracer.wait_spans(len(methods))
        ended = tracer.stop()
    calls = [span for span in ended.spans if span["attributes"].get("rpc.system.name") == "jsonrpc"]
    assert [span["name"] for span in calls] == [
        "tools/call multiply" if method == "tools/call" else method for method in methods
    ]
    tool = next(span["attributes"] for span in calls if span["attributes"]["rpc.method"] == "tools/call")
    assert tool["gen_ai.tool.name"] == "multiply"
    assert tool["gen_ai.operation.name"] == "execute_tool"
    assert [span["attributes"]["mcp.method.name"] for span in calls] == methods
    assert len({span["attributes"].get("mcp.protocol.version") for span in calls} - {None}) == 1
    assert [span["attributes"]["rpc.method"] for span in calls] == methods
    assert {span["attributes"]["jsonrpc.protocol.version"] for span in calls} == {"2.0"}
    assert [span["name"] for span in calls if span["attributes"].get("goinst.jsonrpc.notification")] == [
        method for method in methods if method.startswith("notifications/")
    ]
    assert ended.code == 0
