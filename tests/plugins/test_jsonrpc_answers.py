"""jsonrpc's decoder of responses, from the bytes that its programs send."""

from __future__ import annotations

from typing import Any

import pytest
from goinst.plugins.jsonrpc import PROTOCOL

from jsonrpc_bodies import CALL, WIRE, called, chunks, response, rpc
from wire import decode


def test_an_error_object() -> None:
    span = response(b'{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Method not found","data":{"a":1}}}\n')
    assert span.status == "error"
    assert span.attributes["rpc.response.status_code"] == "-32601"
    assert span.status_message == "Method not found"
    assert span.attributes["error.type"] == "-32601"


def test_a_string_as_1_0_has_it() -> None:
    call = b'{"method":"Arith.Divide","params":[{"A":1,"B":0}],"id":1}'
    span = response(b'{"id":1,"result":null,"error":"divide by zero"}\n', call=call)
    assert span.status == "error"
    assert span.status_message == "divide by zero"
    assert span.attributes["error.type"] == "jsonrpc"
    assert "rpc.response.status_code" not in span.attributes


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":7,"result":{"error":{"code":1,"message":"inside a result"}}}',
        b'{"id":1,"result":42,"error":null}',
        b"[]",
        b"",
        b"not json",
        b'"error"',
        b"\xff\xfe{",
        b'{"result": "data: {\\"error\\": 1}"}',
        b"data: [DONE]\n\n",
    ],
)
def test_what_is_no_error(body: bytes) -> None:
    span = response(body)
    assert span.status == "unset"
    assert rpc(span) == rpc(called(CALL))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ('{"code":"E1","message":"m"}', None, "m"),
        ('{"code":true,"message":"m"}', None, "m"),
        ('{"code":1e3,"message":"m"}', None, "m"),
        ('{"code":99999999999999999999,"message":"m"}', None, "m"),
        ('{"code":5}', 5, None),
        ('{"message":["m"]}', None, '["m"]'),
        ("{}", None, None),
        ("17", None, "17"),
        ('{"code":9223372036854775807,"message":""}', (1 << 63) - 1, ""),
        ('{"code":1,"message":"' + "w" * 500 + '"}', 1, "w" * 256),
    ],
)
def test_errors_of_any_form(error: str, code: int | None, message: str | None) -> None:
    span = response(f'{{"jsonrpc":"2.0","id":7,"error":{error}}}'.encode())
    assert span.status == "error"
    assert span.attributes.get("rpc.response.status_code") == (None if code is None else str(code))
    assert span.status_message == (message or "")
    assert span.attributes["error.type"] == ("jsonrpc" if code is None else str(code))


def test_the_calls_of_a_batch() -> None:
    """Each has a span below the request's, and the answer that has its id, in whatever order answers come."""
    calls = [b'{"jsonrpc":"2.0","method":"%s","id":%s}' % pair for pair in ((b"a", b"1"), (b"b", b'"1"'), (b"c", b"3"))]
    calls.insert(1, b'{"jsonrpc":"2.0","method":"log","params":{}}')
    body = (
        b'[{"jsonrpc":"2.0","id":3,"error":{"code":-2,"message":"y","data":[1, 2]}},'
        b'{"jsonrpc":"2.0","id":"1","error":{"code":-1,"message":"x"}},{"jsonrpc":"2.0","id":1,"result":1}]'
    )
    span = response(body, call=b"[" + b",".join(calls) + b"]")
    assert [span.status, span.name] == ["unset", "batch"]
    assert [(one.name, one.kind, one.status, one.status_message) for one in span.children] == [
        ("a", "server", "unset", ""),
        ("log", "server", "unset", ""),
        ("b", "server", "error", "x"),
        ("c", "server", "error", "y"),
    ]
    assert {one.parent_span_id for one in span.children} == {span.span_id}
    assert {one.trace_id for one in span.children} == {span.trace_id}
    assert len({one.span_id for one in span.children} | {span.span_id}) == 5
    assert span.children[1].attributes["goinst.jsonrpc.notification"] is True
    assert span.children[3].attributes["goinst.jsonrpc.error.data.size"] == len("[1,2]")


ERROR = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"no data: here"}}'


@pytest.mark.parametrize(
    "body",
    [
        b"event: message\ndata: " + ERROR + b"\n\n",
        b"data:" + ERROR + b"\r\n\r\n",
        b": comment\nid: 3\ndata: " + ERROR + b"\n\n",
        b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\ndata: ' + ERROR + b"\n\n",
        # the buffer after a flush: the last event over the rest of a longer one
        b"data: " + ERROR + b'\n\nxxxxxxxx"}\n\ndata: {"result',
        b"\n  " + ERROR,
    ],
)
def test_server_sent_events(body: bytes) -> None:
    span = response(body)
    assert span.attributes["rpc.response.status_code"] == "-32000"
    assert span.status_message == "no data: here"


WIRE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"


def test_a_long_response_in_the_connections_buffer() -> None:
    chunked = WIRE_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(ERROR, 10)
    assert response(chunked, source=WIRE).attributes["rpc.response.status_code"] == "-32000"
    plain = WIRE_HEAD + f"Content-Length: {len(ERROR)}\r\n\r\n".encode() + ERROR + b"}]stale bytes"
    assert response(plain, source=WIRE, length=len(ERROR)).attributes["rpc.response.status_code"] == "-32000"
    padded = ERROR[:-1] + b',"x":"' + b"x" * 5000 + b'"}'
    cut = WIRE_HEAD + b"Content-Length: 5000\r\n\r\n" + padded
    assert response(cut, source=WIRE, length=len(padded)).attributes["rpc.response.status_code"] == "-32000"


@pytest.mark.parametrize("body", [b"", b"later bytes of a long body" + ERROR, WIRE_HEAD, b"\r\n\r\n" + ERROR])
def test_a_long_response_whose_head_is_gone_is_counted(body: bytes) -> None:
    state: dict[str, Any] = {}
    span = called(CALL, state=state)
    values = {"length": 9000, "body_length": len(body), "body": body, "source": WIRE, "status": 200}
    span, counted = decode(PROTOCOL, "jsonrpc_response", values, span=span, state=state)
    assert counted == ["signal writes_wanted", "response_gone"]
    assert span.status == "unset"


def test_a_response_that_is_cut_anywhere() -> None:
    for size in range(1, len(ERROR)):
        span = response(ERROR, size=size)
        if span.status == "error":
            assert "no data: here".startswith(span.status_message)
            assert "-32000".startswith(span.attributes.get("rpc.response.status_code", ""))
