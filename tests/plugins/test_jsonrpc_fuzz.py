"""Damaged, cut, nested and random input for the decoders of JSON-RPC: no exception, and no span that is not there.

GOINST_FUZZ_SECONDS makes each test go on for longer (make fuzz).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from goinst.plugins.jsonrpc import PROTOCOL as HTTP
from goinst.plugins.jsonrpc.framing import Frames, Lines, Message, Piece
from goinst.plugins.jsonrpc.message import called, calls, parse
from goinst.plugins.jsonrpc.streams import PROTOCOL as STREAMS
from goinst.plugins.netrpc import PROTOCOL as NETRPC

from wire import context, decode, new_span

SECONDS = float(os.environ.get("GOINST_FUZZ_SECONDS", "0"))
ROUNDS = 400

SEEDS = [
    b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"add","_meta":{"progressToken":7}},"id":7}',
    b'{"method":"Arith.Multiply","params":[{"A":7,"B":8}],"id":0}',
    b'[{"jsonrpc":"2.0","method":"a","id":"x"},{"jsonrpc":"2.0","method":"b"},3,null,[]]',
    b'{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no","data":[1]}}',
    b'{"jsonrpc":"2.0","id":7,"result":{"isError":true,"content":[]}}',
    b'{"jsonrpc":"2.0","method":"' + b"\\u00e9\xff\xfe" * 20 + b'","id":1e400}',
    b"[" * 300 + b"]" * 300,
    b'{"jsonrpc":"2.0","method":"m","params":' + b'{"a":' * 250 + b"1" + b"}" * 250 + b',"id":1}',
    b'{"jsonrpc":"2.0","method":"m","id":' + b"9" * 5000 + b"}",
    b'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}\n\n',
    b"Content-Length: 999999999999\r\n\r\n{",
    b"Content-Length: -1\r\n\r\n{}",
    b'4\r\n{"js\r\n',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{",
    b'{"jsonrpc":"2.0","method":"\\ud800","id":"\\udfff"}',
    b"",
]


def rounds(seed: int) -> Iterator[random.Random]:
    """A generator of choices for each round: the same rounds each time, then more for as long as was asked for."""
    until = time.monotonic() + SECONDS
    number = 0
    while number < ROUNDS or time.monotonic() < until:
        yield random.Random(seed * 1_000_000 + number)
        number += 1


def damaged(chosen: random.Random) -> bytes:
    """Something that was a message once."""
    text = bytearray(chosen.choice(SEEDS))
    for _ in range(chosen.choice([0, 0, 1, 1, 2, 8])):
        at = chosen.randrange(len(text) + 1)
        match chosen.randrange(5):
            case 0:
                del text[at : at + chosen.randrange(1, 20)]
            case 1:
                text[at:at] = chosen.randbytes(chosen.randrange(1, 9))
            case 2:
                text[at:at] = chosen.choice(SEEDS)
            case 3:
                text[at : at + 1] = bytes([chosen.randrange(256)])
            case _:
                text[at:at] = chosen.choice([b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"null", b"-1e9"])
    return bytes(text)


def columns(record: Any, chosen: random.Random) -> dict[str, Any]:
    """Values of any size for the columns of a record; text that was a message in those of bytes."""
    widths = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}
    values: dict[str, Any] = {}
    for column in record.columns:
        if column.type == "bytes":
            values[column.name] = damaged(chosen)[: column.size]
        else:
            bits = widths[column.type]
            values[column.name] = chosen.choice([0, 1, 2, 100, 1024, (1 << bits) - 1, chosen.getrandbits(bits)])
            values[column.name] &= (1 << bits) - 1
    return values


@pytest.mark.parametrize("protocol", [HTTP, STREAMS, NETRPC], ids=lambda protocol: protocol.name)
def test_records_of_anything(protocol: Any) -> None:
    state: dict[str, Any] = {}
    for chosen in rounds(1):
        record = chosen.choice(protocol.records)
        span, _ = decode(protocol, record.name, columns(record, chosen), state=state)
        for one in (span, *span.children):
            json.dumps(one.attributes)
            assert one.duration_ns >= 0
            assert isinstance(one.name, str)


QUESTION = b'{"jsonrpc":"2.0","id":%d,"method":"sampling/createMessage","params":{"maxTokens":1}}'
ANSWERS = [b'{"jsonrpc":"2.0","id":%d,"result":{}}', b'{"jsonrpc":"2.0","id":%d,"error":{"code":-1,"message":"m"}}']


def test_questions_are_answered_once_whatever_is_between_them() -> None:
    """A server asks on streams of GETs and of POSTs, clients answer by POST; some of it is damaged."""
    state: dict[str, Any] = {}
    http = next(record for record in HTTP.records if record.name == "jsonrpc_request")
    seen: dict[int, Any] = {}
    asked = 0

    def show(spans: Any) -> None:
        for span in spans:
            assert span.duration_ns >= 0
            assert id(span) not in seen
            seen[id(span)] = span  # kept, so that no other has this id

    for chosen in rounds(6):
        number = chosen.randrange(4)
        if chosen.random() < 0.5:
            text = QUESTION % number if chosen.random() < 0.8 else damaged(chosen)
            asked += text == QUESTION % number
            event = b"event: message\ndata: " + text + b"\n\n"
            values = {"data": event[:4096], "copied": min(len(event), 4096), "length": len(event), "last": 1}
            values |= {"stream": chosen.randrange(3), "request": chosen.choice([0, 0, 77])}
            show(decode(HTTP, "jsonrpc_event", values, state=state)[0].children)
            continue
        span = new_span(http, HTTP.name)
        span.span_id = chosen.choice([77, chosen.getrandbits(64)])
        answer = chosen.choice(ANSWERS) % number if chosen.random() < 0.8 else damaged(chosen)
        body = chosen.choice([answer, b"[" + answer + b"]", SEEDS[0]])[:1024]
        decode(
            HTTP,
            "jsonrpc_request",
            {"body": body, "body_length": len(body), "length": len(body)},
            span=span,
            state=state,
        )
        before = len(span.children)
        status = {"status": chosen.choice([200, 202]), "source": chosen.choice([0, 3])}
        decode(HTTP, "jsonrpc_response", status, span=span, state=state)
        show(span.children[before:])
    event_record = next(record for record in HTTP.records if record.name == "jsonrpc_event")
    assert event_record.finish is not None
    show(event_record.finish(context(HTTP, state=state)[0]))
    assert asked > ROUNDS // 10


def test_a_call_is_only_what_says_so() -> None:
    """The reference is Python's own parser: what it reads as a whole value is a call or not for the same reasons."""
    agreed = 0
    for chosen in rounds(2):
        text = damaged(chosen)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        found, cut = parse(text)
        if found is None:
            continue  # deeper, or a larger number, than is taken
        assert not cut
        assert len(calls(found, cut=False)) == len(calls(value, cut=False))
        agreed += 1
    assert agreed > ROUNDS // 20


@pytest.mark.parametrize("kind", [Lines, Frames])
def test_framing_of_anything(kind: Any) -> None:
    framing = kind(1024)
    for chosen in rounds(3):
        data = damaged(chosen)
        gap = chosen.choice([0, 0, 0, 1, 5000])
        piece = Piece(data, chosen.getrandbits(40), gap, chosen.choice([10, 125]), chosen.random() < 0.8, True)
        for message in framing.feed(piece):
            assert isinstance(message, Message)
            assert 0 < len(message.text) <= 1024


HOWS = {
    "lines": lambda body: body + b"\n",
    "headers": lambda body: b"Content-Length: %d\r\n\r\n" % len(body) + body,
    "typed headers": lambda body: b"Content-Type: a/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
    "values": lambda body: body,
    "spaced values": lambda body: body + b" \t",
}


@pytest.mark.parametrize("how", HOWS)
def test_a_stream_that_is_cut_into_any_pieces_gives_its_messages(how: str) -> None:
    for chosen in rounds(4):
        bodies = [
            json.dumps({"jsonrpc": "2.0", "method": f"m{number}", "params": ["}{" * chosen.randrange(40)]}).encode()
            for number in range(chosen.randrange(1, 6))
        ]
        stream = b"".join(HOWS[how](body) for body in bodies)
        framing = Lines(4096)
        found = []
        at = 0
        while at < len(stream):
            size = chosen.choice([1, 2, 7, 50, 1000])
            found += [message.text for message in framing.feed(Piece(stream[at : at + size], at))]
            at += size
        assert found == bodies


def test_a_stream_with_gaps_makes_no_call_up() -> None:
    """Of large messages the end is missing; those that are shown are a beginning of one that was sent."""
    for chosen in rounds(5):
        sent = [
            json.dumps({"jsonrpc": "2.0", "method": f"m{number}", "params": ["x" * chosen.choice([1, 50, 3000])]})
            for number in range(8)
        ]
        framing = Lines(1024)
        methods = []
        for text in sent:
            line = text.encode() + b"\n"
            piece = Piece(line[:1024], 1, max(len(line) - 1024, 0), line[-1])
            for message in framing.feed(piece):
                value, cut = parse(message.text)
                if called(value, cut=cut):
                    methods.append(value["method"])
        assert methods == [f"m{number}" for number in range(8)]


def test_spans_are_made_for_the_seeds_that_are_calls() -> None:
    record = next(record for record in HTTP.records if record.name == "jsonrpc_request")
    body = SEEDS[0]
    span, _ = decode(
        HTTP, record.name, {"body": body, "body_length": len(body), "length": len(body)}, span=new_span(record)
    )
    assert span.name == "tools/call add"
