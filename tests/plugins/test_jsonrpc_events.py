"""Answers on event streams: whose they are, in which order they come, and when nobody can tell."""

from __future__ import annotations

from typing import Any

from goinst.plugins.jsonrpc import PROTOCOL
from goinst.plugins.jsonrpc.events import answered, decode_event, defer, finish

from goinst import DecodeContext, Span
from wire import context, new_span

RECORD = next(record for record in PROTOCOL.records if record.name == "jsonrpc_event")
FAILED = b'event: message\ndata: {"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"of %s"}}\n\n'
ASKED = b'data: {"jsonrpc":"2.0","id":9,"method":"sampling/createMessage"}\n\n'


class Values:
    """The columns of an event that is written at once."""

    def __init__(self, data: bytes, stream: int = 1, **more: int) -> None:
        self.data, self.stream, self.length, self.copied = data, stream, len(data), len(data)
        self.time = self.request = self.offset = self.begins = self.told = 0
        self.last = 1
        self.__dict__.update(more)


def event(of: DecodeContext, *arguments: Any, **more: int) -> tuple[Span, ...]:
    span = new_span(RECORD)
    decode_event(Values(*arguments, **more), span, of)
    assert span.dropped
    return span.children


def call(name: str) -> Span:
    span = new_span(RECORD)
    span.name = name
    return span


def streams() -> tuple[DecodeContext, list[str]]:
    """Two streams that said whose they are."""
    of, counted = context(PROTOCOL)
    for number, session in ((1, b"a"), (2, b"b")):
        assert event(of, b"event: endpoint\ndata: /message?s=" + session + b"\r\n\r\n", number, begins=1) == ()
    return of, counted


def test_clients_with_the_same_ids_are_told_apart() -> None:
    of, counted = streams()
    assert defer({"1": call("of a")}, "s=a", of) == defer({"1": call("of b")}, "s=b", of) == []
    (second,) = event(of, FAILED % b"b", 2)
    (first,) = event(of, FAILED % b"a", 1)
    assert [(one.name, one.status_message) for one in (first, second)] == [("of a", "of a"), ("of b", "of b")]
    assert counted == []
    assert finish(of) == []


def test_an_answer_may_come_before_the_end_of_the_request() -> None:
    of, _ = streams()
    assert event(of, FAILED % b"a", 1) == ()
    (done,) = defer({"1": call("x")}, "s=a", of)
    assert (done.status, done.status_message) == ("error", "of a")


def test_an_answer_that_two_calls_may_have_is_nobody_s() -> None:
    of, counted = context(PROTOCOL)
    event(of, b'data: {"jsonrpc":"2.0","method":"n"}\n\n', 7)
    assert defer({"1": call("of a")}, "s=a", of) == defer({"1": call("of b")}, "s=b", of) == []
    assert event(of, FAILED % b"?", 7) == ()
    assert counted == ["answer_ambiguous"]
    left = finish(of)
    assert [one.attributes["goinst.jsonrpc.unanswered"] for one in left] == [True, True]
    assert {one.status for one in left} == {"unset"}


def test_an_event_in_pieces_and_one_that_is_cut() -> None:
    of, _ = streams()
    defer({"1": call("x")}, "s=a", of)
    whole = FAILED % b"a"
    for at in range(len(whole) - 1):
        assert event(of, whole[at : at + 1], 1) == ()
    (done,) = event(of, whole[-1:], 1)
    assert done.status_message == "of a"
    defer({"1": call("y")}, "s=a", of)
    (cut,) = event(of, whole[:-6], 1, length=5000)
    assert (cut.name, cut.status) == ("y", "error")


def test_what_the_server_asks_is_a_call_of_its_client() -> None:
    of, _ = streams()
    assert event(of, ASKED, 1) == ()
    (asked,) = answered([({"id": 9, "error": {"code": -1, "message": "no"}}, False)], call(""), "s=a", of)
    assert (asked.name, asked.kind, asked.parent_span_id) == ("sampling/createMessage", "client", 0)
    assert (asked.attributes["jsonrpc.request.id"], asked.status, asked.status_message) == ("9", "error", "no")
    (told,) = event(of, b'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n', 1)
    assert (told.name, told.kind, told.duration_ns) == ("notifications/message", "client", 0)
    assert finish(of) == []


def test_clients_that_are_asked_with_the_same_ids_are_told_apart() -> None:
    of, counted = streams()
    event(of, ASKED, 1)
    event(of, ASKED, 2, time=5)
    (second,) = answered([({"id": 9, "result": {}}, False)], call(""), "s=b", of)
    assert second.start_ns == 5 + of.clock.wall
    assert answered([({"id": 8, "result": {}}, False)], call(""), "s=b", of) == ()
    assert counted == ["question_unseen", "signal writes_wanted"]
    (left,) = finish(of)
    assert left.attributes["goinst.jsonrpc.unanswered"] is True
    assert left.start_ns == of.clock.wall


def test_streams_that_do_not_say_whose_they_are_are_known_by_what_one_client_answered() -> None:
    of, counted = context(PROTOCOL)
    event(of, ASKED, 1, begins=1)
    assert len(answered([({"id": 9, "result": {}}, False)], call(""), "session a", of)) == 1
    event(of, ASKED, 1)
    event(of, ASKED, 2, begins=1)
    event(of, ASKED, 3, begins=1)
    assert answered([({"id": 9, "result": {}}, False)], call(""), "session b", of) == ()
    assert counted == ["answer_ambiguous"]
    assert len(answered([({"id": 9, "result": {}}, False)], call(""), "session a", of)) == 1
    assert len(finish(of)) == 2
