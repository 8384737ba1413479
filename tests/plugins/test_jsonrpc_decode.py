"""jsonrpc's decoder of requests, from the bytes that its programs send."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from goinst.plugins.jsonrpc import PROTOCOL
from goinst.plugins.jsonrpc.message import identity, parse

from jsonrpc_bodies import AT_END, AT_START, CALL, HEAD, PART, READ, WIRE, WRITER, called, chunks, request, rpc
from wire import decode, new_span


def test_a_call() -> None:
    span = called(CALL)
    assert span.name == "tools/call add"
    assert span.status == "unset"
    assert span.truncated == []
    assert span.attributes == {
        "rpc.system.name": "jsonrpc",
        "jsonrpc.protocol.version": "2.0",
        "rpc.method": "tools/call",
        "jsonrpc.request.id": "7",
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "network.transport": "tcp",
        "network.protocol.name": "http",
        "http.request.header.content-type": ["application/json"],
    }


def test_what_is_there_stays() -> None:
    span, _ = request(CALL)
    span.attributes["http.route"] = "/rpc"
    span, _ = request(b'{"not": "a call"}', span=span)
    assert span.name == "tools/call add"
    assert span.attributes["http.route"] == "/rpc"


def test_1_0_as_net_rpc_jsonrpc_sends_it() -> None:
    span = called(b'{"method":"Arith.Multiply","params":[{"A":7,"B":8}],"id":0}\n')
    assert span.name == "Arith.Multiply"
    assert rpc(span) == {
        "rpc.system.name": "jsonrpc",
        "jsonrpc.protocol.version": "1.0",
        "rpc.method": "Arith.Multiply",
        "jsonrpc.request.id": "0",
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","method":"n","params":{}}',
        b'{"method":"n","params":[],"id":null}',
    ],
)
def test_notifications(body: bytes) -> None:
    span = called(body)
    assert span.attributes["goinst.jsonrpc.notification"] is True
    assert "jsonrpc.request.id" not in span.attributes


@pytest.mark.parametrize(
    ("id_", "shown"),
    [("1", "1"), ('"abc"', "abc"), ('""', ""), ("null", None), ("-3", "-3"), ("1.5", "1.5"), ("0", "0")],
)
def test_ids(id_: str, shown: str | None) -> None:
    span = called(f'{{"jsonrpc":"2.0","id":{id_},"method":"m"}}'.encode())
    assert span.attributes.get("jsonrpc.request.id") == shown
    assert "goinst.jsonrpc.notification" not in span.attributes


def test_batches() -> None:
    one = b'{"jsonrpc":"2.0","method":"%s","id":1}'
    span = called(b"[" + b",".join([one % b"a", one % b"b", b'{"other":1}', b"3"]) + b"]")
    assert span.name == "batch"
    assert span.attributes["goinst.jsonrpc.batch.size"] == 2
    assert span.attributes["goinst.jsonrpc.batch.methods"] == ["a", "b"]
    assert "rpc.method" not in span.attributes
    span = called(b" [ " + one % b"a" + b"," + one % b"a" + b"]")
    assert span.name == "batch a"
    span = called(b"[" + b",".join([one % b"long/method"] * 100) + b"]")
    assert 20 < span.attributes["goinst.jsonrpc.batch.size"] < 40
    assert span.truncated == ["goinst.jsonrpc.batch.size", "goinst.jsonrpc.batch.methods"]


NOT_JSON_RPC = [
    b"",
    b"{}",
    b"[]",
    b"[1,2,3]",
    b"null",
    b'"method"',
    b"{",
    b"[[[[",
    b"plain text",
    b"a=1&method=x",
    b'{"method":"GET","url":"/"}',
    b'{"method":"x"}',
    b'{"method":1,"params":[],"id":1}',
    b'{"method":"","params":[],"id":1}',
    b'{"method":["m"],"params":[],"id":1}',
    b'{"method":"refund","params":{"amount":1}}',
    b'{"method":"refund","params":[1]}',
    b'{"query":"{ a }","variables":{"method":"m","params":[],"id":1}}',
    b'[{"id":1,"params":[]}]',
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    bytes(64),
    b"<?xml version='1.0'?><methodCall/>",
]


@pytest.mark.parametrize("body", NOT_JSON_RPC)
@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_not_json_rpc_is_left_alone(body: bytes, chunked: bool) -> None:
    span, counted = request(body, chunked=chunked)
    assert counted == []
    assert span.attributes == {}
    assert (span.name, span.status, span.truncated) == ("jsonrpc_request", "unset", [])
    values = {"length": 40, "body_length": 40, "body": b'{"error":{"code":1,"message":"not yours"}}'[:40]}
    span, counted = decode(PROTOCOL, "jsonrpc_response", values, span=span)
    assert (span.attributes, span.status, counted) == ({}, "unset", [])


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_versions_that_a_request_names(version: str) -> None:
    """As Bitcoin's clients send it: "jsonrpc" was not a member before 2.0."""
    span, counted = request(b'{"jsonrpc":"%s","method":"m","id":1}' % version.encode())
    assert (span.name, span.attributes["jsonrpc.protocol.version"], counted) == ("m", version, [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"3.0","method":"m","id":1}',
        b'{"jsonrpc":2.0,"method":"m","id":1}',
        b'{"jsonrpc":"2.0","method":null,"id":1}',
        b'{"jsonrpc":"2.0","method":"m","params":' + b"[" * 500,
        b'{"jsonrpc":"2.0","method":"\\ud800","id":1}',
        b'{"jsonrpc":"2.0", method:"m"}',
    ],
)
def test_what_speaks_of_jsonrpc_and_is_no_call_is_counted(body: bytes) -> None:
    span, counted = request(body)
    assert counted == ["body_unclear"]
    assert span.attributes == {}


@pytest.mark.parametrize("size", range(1, len(CALL)))
def test_a_call_that_is_cut_anywhere(size: int) -> None:
    """What is shown is right, or marked as cut and the beginning of what is right."""
    span, counted = request(CALL, size=size)
    whole = rpc(called(CALL))
    for name, value in rpc(span).items():
        if name == "rpc.method" and value != whole[name]:
            assert whole[name].startswith(value)
            assert "rpc.method" in span.truncated
        else:
            assert value == whole[name], name
    if size >= CALL.index(b'"params"'):
        assert span.attributes["rpc.method"] == "tools/call"
        assert span.attributes.get("gen_ai.tool.name", "add") in ("", "a", "ad", "add")
        assert "jsonrpc.request.id" in span.truncated
        assert counted == []
    elif not span.attributes:
        assert counted == (["body_unclear"] if size > len(b'{"jsonrpc"') - 1 else [])


def test_a_call_that_is_cut_but_was_captured_whole() -> None:
    """More was captured than had come: the body's end is missing although nothing was cut off."""
    span = called(CALL[:60])
    assert span.attributes["rpc.method"] == "tools/call"
    assert "goinst.jsonrpc.notification" not in span.attributes
    assert span.truncated == ["jsonrpc.request.id", "gen_ai.tool.name"]


@pytest.mark.parametrize("chunked", [False, True])
def test_what_has_all_come_and_does_not_end_is_no_call(chunked: bool) -> None:
    body = b'[{"jsonrpc":"2.0","id":1,"method":"m"}, {'
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    span = new_span(next(record for record in PROTOCOL.records if record.name == "jsonrpc_request"), PROTOCOL.name)
    if not chunked:
        span.attributes["http.request.body.size"] = len(body)
    span, counted = request(sent, chunked=chunked, span=span)
    assert (rpc(span), span.children) == ({}, ())
    assert counted == ["body_unclear"]
    assert [child.name for child in called(sent[:-4] if chunked else body, chunked=chunked).children] == ["m"]


def test_a_part_of_a_chunked_body_is_forgotten_when_the_whole_is_there() -> None:
    state: dict[str, Any] = {}
    batch = b'[{"jsonrpc":"2.0","id":1,"method":"m"},{"jsonrpc":"2.0","id":2,"method":"n"}]'
    for part in (b"14\r\n" + batch[:20], b"28\r\n" + batch[:40], b"3a\r\n" + batch[:58]):
        span = called(part, chunked=True, source=PART, state=state)
        again, counted = request(batch, span=span, source=READ, chunked=True, state=state)
        assert counted == []
        assert [child.name for child in again.children] == ["m", "n"]
        assert (again.name, again.truncated) == ("batch", [])
        assert again.attributes["goinst.jsonrpc.batch.size"] == 2


def test_a_cut_number_is_marked() -> None:
    span = called(b'{"jsonrpc":"2.0","method":"m","id":123456789}', size=39)
    assert span.attributes["jsonrpc.request.id"] == "1234"
    assert span.truncated == ["jsonrpc.request.id"]


def test_the_version_may_lie_behind_the_cut() -> None:
    body = b'{"method":"m","params":[' + b"1," * 2000 + b'1],"id":1,"jsonrpc":"2.0"}'
    span = called(body)
    assert span.attributes["rpc.method"] == "m"
    assert "jsonrpc.protocol.version" not in span.attributes
    assert span.truncated == ["jsonrpc.protocol.version", "jsonrpc.request.id"]
    assert called(body, size=8192).attributes["jsonrpc.protocol.version"] == "2.0"


def test_a_method_of_any_length() -> None:
    span = called(b'{"jsonrpc":"2.0","method":"' + b"m" * 500 + b'","id":1}')
    assert span.attributes["rpc.method"] == span.name == "m" * 256
    assert span.truncated == ["rpc.method"]


@pytest.mark.parametrize("sizes", [(), (1,), (5, 9), (1,) * 40, (30, 1, 1)])
@pytest.mark.parametrize("extension", [b"", b";name=value"])
def test_chunked_bodies(sizes: tuple[int, ...], extension: bytes) -> None:
    body = chunks(CALL, *sizes, extension=extension)
    assert rpc(called(body, chunked=True)) == rpc(called(CALL))
    assert rpc(called(body + b"GET /next HTTP/1.1\r\n", chunked=True)) == rpc(called(CALL))
    # left in the buffer after its first chunk size line was read
    assert rpc(called(CALL, chunked=True, source=AT_END)) == rpc(called(CALL))
    # what (*body).Read returned has no chunk size lines
    assert rpc(called(CALL, chunked=True, source=READ)) == rpc(called(CALL))


def test_a_chunked_body_that_is_cut_anywhere() -> None:
    body = chunks(CALL, 20, 20)
    for size in range(1, len(body)):
        span, _ = request(body, chunked=True, size=size)
        assert b"tools/call".startswith(rpc(span).get("rpc.method", "").encode())
        assert set(rpc(span)) <= set(rpc(called(CALL)))


def test_what_follows_the_first_value_is_not_looked_at() -> None:
    assert rpc(called(CALL + b"\n" + CALL)) == rpc(called(CALL))
    assert called(CALL + b"GET / HTTP/1.1\r\n").truncated == []


@pytest.mark.parametrize(
    ("method", "shown"),
    [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "caf\ufffd"), (b"\xff\xfe", "\ufffd\ufffd"), (b"\\u00e9\\n", "é\n")],
)
def test_methods_in_any_encoding(method: bytes, shown: str) -> None:
    assert called(b'{"jsonrpc":"2.0","method":"' + method + b'","id":1}').attributes["rpc.method"] == shown


@pytest.mark.parametrize("id_", [b"9" * 300, b"-" + b"9" * 300, b"1e999", b"1e-999", b"0." + b"3" * 300])
def test_huge_numbers(id_: bytes) -> None:
    span = called(b'{"jsonrpc":"2.0","method":"m","id":' + id_ + b"}")
    assert span.attributes["rpc.method"] == "m"
    assert span.attributes["jsonrpc.request.id"] == id_.decode()[:256]


@pytest.mark.parametrize(("asked", "answered"), [(b"7.0", b"7"), (b"1e999", b"1e999"), (b"0.5", b"0.50")])
def test_numbers_as_they_may_come_back(asked: bytes, answered: bytes) -> None:
    one, other = (parse(b'{"id":' + text + b"}")[0] for text in (asked, answered))
    assert (identity(one) == identity(other)) == (asked != b"0.5")


def test_no_parameter_is_infinity() -> None:
    body = b'{"jsonrpc":"2.0","method":"m","id":1,"params":[1e999,1.5,-1e999]}'
    span, _ = request(body, options={"param_values": True}, redact=False)
    assert span.attributes["goinst.jsonrpc.params"] == '["1e999",1.5,"-1e999"]'


@pytest.mark.parametrize(
    "id_", [b"9" * 5000, b"[" * 150 + b"]" * 150, b'{"a":{"b":[]}}', b"true", b'"' + b"i" * 999 + b'"']
)
def test_ids_that_make_no_sense(id_: bytes) -> None:
    span, counted = request(b'{"jsonrpc":"2.0","method":"m","id":' + id_ + b"}", size=8192)
    assert counted in ([], ["body_unclear"])
    assert len(str(span.attributes.get("jsonrpc.request.id", ""))) <= 256


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (HEAD, ["application/json"]),
        (b"x\r\ncontent-type:application/json-rpc; charset=utf-8\r\n\r\n", ["application/json-rpc; charset=utf-8"]),
        (b"Content-Type: cut/before\r\n\r\n", None),
        (b"x\r\nX-Content-Type: a\r\n\r\n", None),
        (b"POST / HTTP/1.1\nContent-Type: a/b\n\n", ["a/b"]),
        (b"x\r\nContent-Type: \xff\r\n\r\n", ["ÿ"]),
        (b"", None),
    ],
)
def test_content_type(head: bytes, shown: list[str] | None) -> None:
    assert called(CALL, head=head).attributes.get("http.request.header.content-type") == shown


def test_lengths_that_lie() -> None:
    values = {"length": (1 << 64) - 1, "body_length": (1 << 32) - 1, "head_length": (1 << 32) - 1, "source": 255,
              "chunked": 255, "body": CALL, "head": HEAD}  # fmt: skip
    span, _ = decode(PROTOCOL, "jsonrpc_request", values)
    assert span.attributes["rpc.method"] == "tools/call"
    values = {"length": 0, "body_length": 0, "head_length": 0, "body": CALL, "head": HEAD}
    span, _ = decode(PROTOCOL, "jsonrpc_request", values)
    assert span.attributes == {}


def anything(rng: random.Random, depth: int = 0) -> Any:
    """A random JSON value without a member called method."""
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind < 5:
        return rng.choice([None, True, 0, -1.5, 10**30, "", "text", "é\ud83d\ude00", '"jsonrpc":"2.0"', "data: {}"])
    if kind < 6:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ("jsonrpc", "id", "params", "error", "result", "x", "Method")
    return {rng.choice(names): anything(rng, depth + 1) for _ in range(rng.randrange(5))}


def test_no_bytes_make_it_fail() -> None:
    """3,000 bodies: calls with random members, cut, chunked and damaged; other JSON; noise. Never an exception, never
    text that cannot be written, and nothing of rpc where there is no method."""
    rng = random.Random(2)
    for number in range(3_000):
        value: Any = anything(rng)
        is_call = number % 2 == 0
        if is_call:
            value = {"jsonrpc": "2.0", "method": "m", "params": value, "id": anything(rng)}
            if rng.random() < 0.3:
                value = [value, anything(rng)]
        body = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        chunked = rng.random() < 0.3
        if chunked:
            body = chunks(body, rng.randint(1, 30))
        if rng.random() < 0.5:
            body = body[: rng.randint(0, len(body))]
        if rng.random() < 0.3 and body:
            at = rng.randrange(len(body))
            body = body[:at] + rng.randbytes(rng.randint(0, 3)) + body[at + rng.randint(0, 3) :]
        if number % 10 == 1:
            body = rng.randbytes(rng.randrange(200))
        span, counted = request(body, chunked=chunked, source=rng.choice([AT_START, AT_END, READ]))
        assert set(counted) <= {"body_unclear"}
        if b"method" not in body and not chunked:
            assert span.attributes == {}
        if not is_call:
            span, _ = request(CALL)
        answer = json.dumps({"error": anything(rng)}).encode() if rng.random() < 0.7 else rng.randbytes(99)
        values = {"length": rng.choice([0, 5, 10**9]), "body_length": rng.choice([len(answer), 3]), "body": answer,
                  "source": rng.choice([WRITER, WIRE])}  # fmt: skip
        span, counted = decode(PROTOCOL, "jsonrpc_response", values, span=span)
        assert set(counted) <= {"response_gone"}
        json.dumps(span.attributes, ensure_ascii=False).encode()
        for found in span.attributes.values():
            assert not isinstance(found, int) or -(1 << 63) <= found < 1 << 63
