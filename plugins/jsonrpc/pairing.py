"""Requests and responses of a connection, matched by their ids, in both directions: a server may call its client."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from goinst.plugins.jsonrpc.framing import Frames, Lines, Message, Piece
from goinst.plugins.jsonrpc.message import answer, called, describe, identity, parse, replied
from goinst.plugins.jsonrpc.records import Direction, StreamPiece, StreamSource

from goinst import DecodeContext, Span, parse_traceparent

__all__ = ["decode_piece", "finish"]

_BYTES = (StreamSource.STDIO, StreamSource.SOCKET, StreamSource.PIPE)  # no frames
_STREAMS = 4096
_ASKED = 16384
_LAST_ID = re.compile(rb'[,{]\s*"id"\s*:\s*("[\w .:/+-]*"|-?\d{1,18})\s*\}\s*\Z', re.ASCII)

# a process, what kind of stream, which, and in which direction
_Way = tuple[int, int, int, int]
# a process, what kind of stream, the direction of the request, its id
_Question = tuple[int, int, int, str]


@dataclass(slots=True)
class _State:
    """What is kept of all streams of one executable."""

    ways: OrderedDict[_Way, Frames | Lines] = field(default_factory=OrderedDict)
    asked: OrderedDict[_Question, list[tuple[int, Span, int]]] = field(default_factory=OrderedDict)
    mcp: OrderedDict[tuple[int, int, int], str] = field(default_factory=OrderedDict)
    libraries: set[int] = field(default_factory=set)
    pipes: OrderedDict[tuple[int, int], int] = field(default_factory=OrderedDict)  # the one of the other direction


def decode_piece(values: StreamPiece, span: Span, context: DecodeContext) -> None:
    """Take a part of what was read or written; the spans that are complete with it go out as children of ``span``,
    which is none itself."""
    span.dropped = True
    state: _State = context.state.setdefault("streams", _State())
    process = span.resource.attributes["process.pid"]
    if values.source == StreamSource.LIBRARY:
        if process not in state.libraries:
            state.libraries.add(process)
            for question in [one for one in state.asked if one[0] == process and one[1] in _BYTES]:
                del state.asked[question]  # the library shows what was read and written
    elif values.source in _BYTES and process in state.libraries:
        return
    way = process, values.source, values.stream, values.direction
    framing = state.ways.get(way)
    limit = context.options["message_bytes"]
    if framing is None:
        framing = state.ways[way] = Lines(limit) if values.source in _BYTES else Frames(limit)
        if len(state.ways) > _STREAMS:
            state.ways.popitem(last=False)
    end = values.offset + values.copied
    complete = end >= values.length or end >= limit or not values.copied
    piece = Piece(
        data=values.data[: values.copied],
        time=values.time,
        gap=max(values.length - end, 0) if complete else 0,
        last=values.last,
        complete=complete,
        final=bool(values.final),
        tail=values.tail[: values.tail_length],
    )
    done: list[Span] = []
    for message in framing.feed(piece):
        _take(message, values, span, context, state, done)
    span.children = tuple(done)


def finish(context: DecodeContext) -> Iterable[Span]:
    """The requests that wait for a response when the run ends."""
    state: _State = context.state.get("streams", _State())
    asked, state.asked = state.asked, OrderedDict()
    for waiting in asked.values():
        yield from _unanswered(waiting, context)


def _unanswered(waiting: list[tuple[int, Span, int]], context: DecodeContext) -> Iterator[Span]:
    for _, span, _ in waiting:
        span.duration_ns = max(context.clock.now - span.start_ns, 0)
        span.attributes["goinst.jsonrpc.unanswered"] = True
        yield span


def _take(
    message: Message, values: StreamPiece, span: Span, context: DecodeContext, state: _State, done: list[Span]
) -> None:
    parsed, cut = parse(message.text)
    items = parsed if isinstance(parsed, list) else [parsed]
    for number, item in enumerate(items):
        if values.source == StreamSource.SOCKET and isinstance(item, dict) and "jsonrpc" not in item:
            continue  # net/rpc's codec has probes of its own
        short = (cut or message.cut) and number == len(items) - 1
        if short and parsed is item and isinstance(item, dict) and "id" not in item:
            found = _LAST_ID.search(message.tail)
            item = {"id": json.loads(found[1]), **item} if found else item
        if called(item, cut=short):
            _ask(item, message, values, span, context, state, done, cut=short)
        elif replied(item):
            _reply(item, message, values, span, context, state, done, cut=short)


def _ask(
    call: dict[str, Any],
    message: Message,
    values: StreamPiece,
    template: Span,
    context: DecodeContext,
    state: _State,
    done: list[Span],
    *,
    cut: bool,
) -> None:
    if values.source == StreamSource.LIBRARY and values.direction == Direction.IN and values.parent:
        return  # it came in an HTTP request, whose span has it
    process = template.resource.attributes["process.pid"]
    wall, new_id = context.clock.wall, context.clock.new_id
    trace = values.trace_high << 64 | values.trace_low
    made = Span(
        template.plugin, "", "server" if values.direction == Direction.IN else "client", trace or new_id(128), new_id(),
        values.parent, message.began + wall, max(message.ended - message.began, 0), template.resource,
    )  # fmt: skip
    connection = process, values.source, values.stream
    known = state.mcp.get(connection)
    if describe(call, made, context, cut=cut, mcp=known is not None):
        if known is None:
            known = state.mcp[connection] = ""
            if len(state.mcp) > _STREAMS:
                state.mcp.popitem(last=False)
        if known:
            made.attributes.setdefault("mcp.protocol.version", known)
        if values.source in (StreamSource.STDIO, StreamSource.PIPE):
            made.attributes["network.transport"] = "pipe"
    if values.source == StreamSource.WEBSOCKET:
        made.attributes["network.protocol.name"] = "websocket"
    _trace_parent(call, made)
    if "id" not in call or (call["id"] is None and call.get("jsonrpc") != "2.0"):
        done.append(made)
        return
    question = process, values.source, values.direction, identity(call)
    state.asked.setdefault(question, []).append((values.stream, made, message.began))
    if len(state.asked) > _ASKED:
        for lost in _unanswered(state.asked.popitem(last=False)[1], context):
            context.count("unanswered")
            done.append(lost)


def _reply(
    reply: dict[str, Any],
    message: Message,
    values: StreamPiece,
    template: Span,
    context: DecodeContext,
    state: _State,
    done: list[Span],
    *,
    cut: bool,
) -> None:
    if cut and "id" not in reply:
        context.count("answer_cut")
        return
    process = template.resource.attributes["process.pid"]
    other = Direction.OUT if values.direction == Direction.IN else Direction.IN
    question = process, values.source, other, identity(reply)
    waiting = state.asked.get(question, [])
    entry = _asked(waiting, values, process, state, context)
    if entry is not None:
        waiting.remove(entry)
        if not waiting:
            del state.asked[question]
        _, span, began = entry
        span.duration_ns = max(message.ended - began, 0)
        answer(reply, span, context, cut=cut)
        if version := span.attributes.get("mcp.protocol.version"):
            state.mcp[process, values.source, values.stream] = version
        done.append(span)
        return
    # a library shows the responses to requests that came over HTTP, too
    if values.source != StreamSource.LIBRARY and identity(reply) and not waiting:
        context.count("request_unseen")


_Asked = tuple[int, Span, int]


def _asked(
    waiting: list[_Asked], values: StreamPiece, process: int, state: _State, context: DecodeContext
) -> _Asked | None:
    """The request that a response is to: on the same connection; or on one that is not known, when it began before
    goinst did; or, of pipes, on the one that is known to belong to this one, or can be the only one to."""
    if values.source != StreamSource.PIPE:
        same = (entry for entry in waiting if entry[0] == values.stream)
        return next(same, None) or next((entry for entry in waiting if not (entry[0] and values.stream)), None)
    other = state.pipes.get((process, values.stream))
    found = [entry for entry in waiting if entry[0] == other]
    if not found:  # not known yet, or the descriptor is another pipe's by now
        found = [entry for entry in waiting if (process, entry[0]) not in state.pipes]
        found = found or waiting
    if len({stream for stream, _, _ in found}) > 1:
        context.count("answer_ambiguous")
        return None
    for entry in found[:1]:
        state.pipes[process, values.stream], state.pipes[process, entry[0]] = entry[0], values.stream
        while len(state.pipes) > _STREAMS:
            state.pipes.popitem(last=False)
        return entry
    return None


def _trace_parent(call: dict[str, Any], span: Span) -> None:
    """The caller's trace from MCP's params._meta.traceparent (W3C Trace Context)."""
    params = call.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    value = meta.get("traceparent") if isinstance(meta, dict) else None
    caller = parse_traceparent(value) if isinstance(value, str) else None
    if caller is not None and span.kind == "server":
        span.trace_id, span.parent_span_id = caller.trace_id, caller.span_id
