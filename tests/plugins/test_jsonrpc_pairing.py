"""Requests and responses on streams of every kind: batches, both directions, cut messages, and what has no answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from goinst.plugins.jsonrpc.pairing import finish
from goinst.plugins.jsonrpc.streams import PROTOCOL

from goinst import Span
from wire import context, decode, new_span

IN, OUT = 0, 1
SOURCES = {"stdio": 0, "websocket": 1, "library": 2, "socket": 3, "pipe": 4}
every_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
RECORD = PROTOCOL.records[0]


def piece(
    state: dict[str, Any], source: int, direction: int, message: Any, *, stream: int = 77, end: str = ""
) -> tuple[Span, ...]:
    """What becomes complete when a message is read or written at once; 1 KiB of it is captured."""
    data = (json.dumps(message) + end).encode()
    kept = data[:1024]
    values = {
        "time": 5, "stream": 0 if source == 0 else stream, "length": len(data), "copied": len(kept), "source": source,
        "direction": direction, "final": 1, "last": data[-1], "data": kept,
        "tail_length": 64 * (len(data) > 1024), "tail": data[-64:],
    }  # fmt: skip
    options = {"message_bytes": 1024}
    span, _ = decode(PROTOCOL, "jsonstream_piece", values, span=new_span(RECORD), options=options, state=state)
    assert span.dropped
    return span.children


def call(identifier: Any, method: str = "m") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "method": method}


def failure(identifier: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "error": {"code": -1, "message": "no"}}


@every_source
def test_each_call_of_a_batch_is_a_span(source: int) -> None:
    state: dict[str, Any] = {}
    note = {"jsonrpc": "2.0", "method": "note"}
    assert [one.name for one in piece(state, source, IN, [call(1, "a"), note, call("1", "b")])] == ["note"]
    done = piece(state, source, OUT, [failure("1"), {"jsonrpc": "2.0", "id": 1, "result": 0}])
    assert [(one.name, one.status, one.kind) for one in done] == [("b", "error", "server"), ("a", "unset", "server")]


@every_source
def test_the_same_id_in_both_directions(source: int) -> None:
    state: dict[str, Any] = {}
    assert piece(state, source, IN, call(1, "theirs")) == piece(state, source, OUT, call(1, "ours")) == ()
    (ours,) = piece(state, source, IN, failure(1))
    (theirs,) = piece(state, source, OUT, {"jsonrpc": "2.0", "id": 1, "result": 0})
    assert [(ours.name, ours.kind, ours.status), (theirs.name, theirs.kind, theirs.status)] == [
        ("ours", "client", "error"),
        ("theirs", "server", "unset"),
    ]


@every_source
def test_what_nobody_answered_comes_at_the_end(source: int) -> None:
    state: dict[str, Any] = {}
    for identifier in (1, 2, 3):
        assert piece(state, source, IN, call(identifier, f"m{identifier}")) == ()
    assert len(piece(state, source, OUT, failure(2))) == 1
    of, _ = context(PROTOCOL, state=state)
    left = list(finish(of))
    assert [(one.name, one.attributes["goinst.jsonrpc.unanswered"], one.status) for one in left] == [
        ("m1", True, "unset"),
        ("m3", True, "unset"),
    ]
    assert list(finish(of)) == []


@every_source
def test_a_cut_message_is_what_is_there(source: int) -> None:
    state: dict[str, Any] = {}
    long = {**call(1, "tools/call"), "params": {"name": "tool", "arguments": ["x" * 3000]}}
    assert piece(state, source, IN, long) == ()
    (done,) = piece(state, source, OUT, failure(1))
    assert (done.name, done.status) == ("tools/call tool", "error")


def test_pipes_that_belong_together_are_learned() -> None:
    """Two children with the same ids, each with a pipe to it and one from it."""
    state: dict[str, Any] = {}
    for number in (1, 2):
        piece(state, 4, OUT, call(1, f"of-{number}"), stream=number)
    # whose answer this is cannot be told
    assert piece(state, 4, IN, failure(1), stream=12) == ()
    for number in (1, 2):
        piece(state, 4, OUT, call(number + 1, f"learn-{number}"), stream=number)
        (learned,) = piece(state, 4, IN, failure(number + 1), stream=10 + number)
        assert learned.name == f"learn-{number}"
    for number in (2, 1):
        (told,) = piece(state, 4, IN, failure(1), stream=10 + number)
        assert told.name == f"of-{number}"


@every_source
@pytest.mark.parametrize("identifier", [7, "a-7"])
def test_an_id_behind_a_long_result(source: int, identifier: Any) -> None:
    state: dict[str, Any] = {}
    assert piece(state, source, IN, call(identifier)) == piece(state, source, IN, call(8)) == ()
    long = {"jsonrpc": "2.0", "result": {"text": "x" * 5000}, "id": identifier}
    (done,) = piece(state, source, OUT, long, end="\n")
    assert done.attributes["jsonrpc.request.id"] == str(identifier)
    # the id of something else is none of the response's
    assert piece(state, source, OUT, {"jsonrpc": "2.0", "result": {"text": "x" * 5000, "id": 8}}, end="\n") == ()
