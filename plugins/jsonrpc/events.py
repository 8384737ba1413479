"""Server-sent events: responses to calls that were POSTed, and what a server asks or tells its client.

In MCP's transport of 2024-11 a call is POSTed, acknowledged with 202, and answered on the stream of a GET; in
streamable HTTP it is answered on its own response or there. Several clients use the same ids: a stream is known to be
that of a session by its first event (``endpoint``) or by an answer that only one call or question can have.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from goinst.plugins.jsonrpc.asking import Question, Questions
from goinst.plugins.jsonrpc.message import answer, called, describe, identity, parse, replied
from goinst.plugins.jsonrpc.records import EventPiece

from goinst import DecodeContext, Span

__all__ = ["Told", "answered", "decode_event", "defer", "finish", "own_events"]

_LIMIT = 65536  # bytes of an event
_STREAMS = 1024
_HELD = 4096
_SOON_NS = 1_000_000_000  # by when the probe on writes is attached

_Key = tuple[int, str]  # a process, an id


@dataclass(slots=True)
class _Stream:
    """One response: what has come of its current event, and whose it is (a query, MCP's session id, or empty)."""

    text: bytearray = field(default_factory=bytearray)
    cut: bool = False
    session: str = ""


@dataclass(slots=True, frozen=True)
class Told:
    """A message on the response to a POST: a reply, or what the server asked or told, and its span."""

    message: Any
    cut: bool
    question: Question | None = None


@dataclass(slots=True)
class _State:
    streams: OrderedDict[tuple[int, int], _Stream] = field(default_factory=OrderedDict)
    own: OrderedDict[int, list[Told]] = field(default_factory=OrderedDict)
    held: OrderedDict[_Key, list[tuple[Span, str]]] = field(default_factory=OrderedDict)
    early: OrderedDict[_Key, list[tuple[dict[str, Any], bool, int, _Stream]]] = field(default_factory=OrderedDict)
    questions: Questions = field(default_factory=Questions)
    since: int = 0  # when the first call was answered elsewhere


def _state(context: DecodeContext) -> _State:
    found: _State = context.state.setdefault("events", _State())
    return found


def decode_event(values: EventPiece, span: Span, context: DecodeContext) -> None:
    """A part of an event stream. ``values.request`` is the span of the POST whose response it is, if it is one's."""
    span.dropped = True
    state = _state(context)
    process = span.resource.attributes["process.pid"]
    stream = state.streams.get((process, values.stream))
    if stream is None or (values.begins and not values.offset):
        stream = state.streams[process, values.stream] = _Stream()
        if len(state.streams) > _STREAMS:
            state.streams.popitem(last=False)
    end = values.offset + values.copied
    stream.text += values.data[: values.copied]
    if values.last and end < values.length:
        stream.cut = True
        stream.text += b"\n\n"  # an event is written at once: what is missing is its end
    at = values.time + context.clock.wall
    done: list[Span] = []
    for message, cut in _messages(stream):
        for one in message if isinstance(message, list) else [message]:
            question = None
            if called(one, cut=cut):
                if values.told:
                    continue  # its library shows it
                question = _question(one, cut, at, stream, span, context, own=bool(values.request))
                if one.get("id") is not None:
                    lost = state.questions.ask((process, identity(one)), question)
                    done += [_unanswered(each, context) for each in lost]
                    if lost:
                        context.count("unanswered")
                elif not values.request:
                    done.append(question.span)
            elif replied(one) and not values.request:
                _reply(one, cut, at, stream, process, state, context, done)
            if values.request:
                state.own.setdefault(values.request, []).append(Told(one, cut, question))
    while len(state.own) > _STREAMS:
        for told in state.own.popitem(last=False)[1]:
            if told.question is not None:
                told.question.open = False
                done += [told.question.span] * (told.question.answered or "id" not in told.message)
    span.children = tuple(done)


def _question(
    call: dict[str, Any], cut: bool, at: int, stream: _Stream, span: Span, context: DecodeContext, *, own: bool
) -> Question:
    asked = span.child("", context.clock.new_id())
    asked.kind, asked.start_ns, asked.duration_ns, asked.parent_span_id = "client", at, 0, 0
    describe(call, asked, context, cut=cut, mcp=True)
    return Question(asked, stream, own)


def answered(
    replies: list[tuple[dict[str, Any], bool]], span: Span, session: str, context: DecodeContext
) -> tuple[Span, ...]:
    """A client POSTed these replies: the spans of what it was asked, those that are complete with that."""
    process = span.resource.attributes["process.pid"]
    return tuple(_state(context).questions.answers(process, replies, span.start_ns, session, context))


def _messages(stream: _Stream) -> list[tuple[Any, bool]]:
    """The JSON values of the events that are complete (WHATWG HTML 9.2)."""
    found: list[tuple[Any, bool]] = []
    while True:
        text = bytes(stream.text).replace(b"\r\n", b"\n")
        event, end, rest = text.partition(b"\n\n")
        if not end:
            if len(stream.text) > _LIMIT:
                stream.text.clear()
            return found
        stream.text[:] = rest
        data = b"\n".join(line[5:].lstrip(b" ") for line in event.split(b"\n") if line.startswith(b"data:"))
        _, mark, query = data.partition(b"?")
        if mark and b"event: endpoint" in event:
            stream.session = query.decode("latin-1")
        value, cut = parse(data)
        if isinstance(value, (dict, list)):
            found.append((value, cut or stream.cut))
        stream.cut = False


def _reply(
    reply: dict[str, Any],
    cut: bool,
    at: int,
    stream: _Stream,
    process: int,
    state: _State,
    context: DecodeContext,
    done: list[Span],
) -> None:
    key = process, identity(reply)
    waiting = state.held.get(key, [])
    others = {one.session for one in state.streams.values() if one is not stream and one.session}
    fitting = [entry for entry in waiting if entry[1] == stream.session] if stream.session else [
        entry for entry in waiting if entry[1] not in others
    ]  # fmt: skip
    if len({session for _, session in fitting}) > 1:
        context.count("answer_ambiguous")
        return
    if not fitting:
        # the POST that it answers may not have ended yet
        state.early.setdefault(key, []).append((reply, cut, at, stream))
        if len(state.early) > _HELD:
            state.early.popitem(last=False)
        return
    call, stream.session = fitting[0]
    waiting.remove(fitting[0])
    if not waiting:
        del state.held[key]
    call.duration_ns = max(at - call.start_ns, 0)
    answer(reply, call, context, cut=cut)
    done.append(call)


def defer(calls: dict[str, Span], session: str, context: DecodeContext) -> list[Span]:
    """Keep calls that are acknowledged and not answered, by id, until their answers come; those that are complete, or
    that cannot be expected to be seen, are given back."""
    state = _state(context)
    if not state.since:
        state.since = context.clock.now
    if context.clock.now - state.since < _SOON_NS and not state.streams:
        context.count("response_streamed")
        context.signal("writes_wanted")
        return list(calls.values())
    done: list[Span] = []
    for identifier, call in calls.items():
        key = call.resource.attributes["process.pid"], identifier
        state.held.setdefault(key, []).append((call, session))
        if len(state.held) > _HELD:
            context.count("unanswered")
            done += [_unanswered(one, context) for one, _ in state.held.popitem(last=False)[1]]
        for early in state.early.pop(key, []):
            _reply(*early, key[0], state, context, done)
    return done


def own_events(request: int, context: DecodeContext) -> list[Told]:
    """The messages on the response to a POST, one by one."""
    return _state(context).own.pop(request, [])


def finish(context: DecodeContext) -> list[Span]:
    """The calls and questions that wait for an answer when the run ends."""
    state = _state(context)
    held, state.held = state.held, OrderedDict()
    left = [call for waiting in held.values() for call, _ in waiting] + state.questions.finish()
    return [_unanswered(call, context) for call in left]


def _unanswered(call: Span, context: DecodeContext) -> Span:
    call.duration_ns = max(context.clock.now - call.start_ns, 0)
    call.attributes["goinst.jsonrpc.unanswered"] = True
    return call
