"""From captured HTTP bodies to JSON-RPC: the call on the request's own span, the calls of a batch on spans below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goinst.plugins.jsonrpc.events import Told, answered, defer, own_events
from goinst.plugins.jsonrpc.message import answer, called, calls, describe, identity, parse, replied, replies
from goinst.plugins.jsonrpc.records import (
    BodyPiece,
    Mark,
    RequestBody,
    RequestSource,
    ResponseBody,
    ResponseSource,
)

from goinst import DecodeContext, Span

__all__ = ["decode_piece", "decode_request", "decode_response"]

_BY_LIBRARY = int(Mark.BY_LIBRARY)  # a plain number: an operator of a flag takes far longer
_PIECES = 64  # bodies whose pieces may wait
_ACCEPTED = 202
_OF_CALL = ("rpc.", "jsonrpc.", "mcp.", "gen_ai.", "goinst.jsonrpc.", "goinst.mcp.", "network.transport")
_EVENTS = 64  # messages of a stream that become spans


def decode_piece(values: BodyPiece, span: Span, context: DecodeContext) -> None:
    """Keep a later part of a body for the decoder of its first part, which comes next."""
    waiting = context.state.setdefault("pieces", {})
    if len(waiting) > _PIECES:
        waiting.clear()  # what they belong to was lost
    waiting.setdefault((span.span_id, values.reply), {})[values.offset] = values.data[: values.length]


def _whole(values: RequestBody | ResponseBody, span: Span, context: DecodeContext, reply: int) -> bytes:
    """The body from its first part and the pieces, up to a gap."""
    body: bytes = values.body[: values.body_length]
    pieces = context.state.get("pieces", {}).pop((span.span_id, reply), None)
    while pieces and (more := pieces.pop(len(body), b"")):
        body += more
    return body


def decode_request(values: RequestBody, span: Span, context: DecodeContext) -> None:
    """Name the span after the call and set what the request tells of it; nothing for what is not JSON-RPC."""
    part = values.source == RequestSource.PART
    body = values.body[: values.body_length] if part else _whole(values, span, context, 0)
    if values.source == RequestSource.READ:
        _forget(span, context)
    declared = span.attributes.get("http.request.body.size")
    ended = len(body) == declared or (bool(values.chunked) and body.endswith(b"\r\n0\r\n\r\n"))
    # A late body that was left in the buffer may stand behind a chunk size line; one that was read does not.
    if values.chunked and values.source != RequestSource.READ:
        body = _dechunk(body)
    message, cut = parse(body)
    # what has all come and does not end as JSON is none
    found = [] if cut and ended else calls(message, cut=cut)
    head = values.head[: values.head_length]
    session, version = _header(head, b"mcp-session-id"), _header(head, b"mcp-protocol-version")
    if given := replies(message):
        # to what the server asked its client over a stream
        last = given[-1]
        context.state["given"] = span.span_id, [(one, cut and one is last) for one in given], session
    if not found:
        if b'"jsonrpc"' in body and not given:
            # a call whose method lies behind the cut, or JSON that cannot be read
            if part:
                context.state["unclear"] = span.span_id
            else:
                context.count("body_unclear")
        return
    mcp = bool(session or version)
    name = span.name
    if isinstance(message, list):
        _batch(found, span, context, cut=cut, mcp=mcp)
    else:
        describe(found[0], span, context, cut=cut, mcp=mcp)
    # the response is decoded next; of two calls with one id the first gets the answer
    asked = zip(reversed(found), reversed(span.children or (span,)), strict=True)
    waiting = {identity(call): one for call, one in asked}
    context.state["asked"] = span.span_id, waiting, name, session
    for one in (span, *span.children):
        if "mcp.method.name" in one.attributes:
            if session:
                one.attributes["mcp.session.id"] = session
            if version:
                one.attributes.setdefault("mcp.protocol.version", version)
            one.attributes["network.transport"] = "tcp"
            one.attributes["network.protocol.name"] = "http"
    content_type = _header(head, b"content-type")
    if content_type:
        span.attributes["http.request.header.content-type"] = [content_type]


def _forget(span: Span, context: DecodeContext) -> None:
    """What a part of the body told: the whole of it was caught, too."""
    if context.state.get("unclear") == span.span_id:
        del context.state["unclear"]
    of, _, name, _ = context.state.get("asked", (0, {}, "", ""))
    if of == span.span_id:
        span.name, span.children, span.truncated = name, (), []
        for key in [key for key in span.attributes if key.startswith(_OF_CALL)]:
            del span.attributes[key]


def _batch(found: list[dict[str, Any]], span: Span, context: DecodeContext, *, cut: bool, mcp: bool) -> None:
    """A span for each call of a batch, below the request's."""
    children = []
    for number, call in enumerate(found):
        child = span.child("", context.clock.new_id())
        # only the last one can be cut
        mcp = describe(call, child, context, cut=cut and number == len(found) - 1, mcp=mcp) or mcp
        children.append(child)
    span.children = tuple(children)
    attributes, methods = span.attributes, [child.attributes["rpc.method"] for child in children]
    attributes["rpc.system.name"] = "jsonrpc"
    if version := children[0].attributes.get("jsonrpc.protocol.version"):
        attributes["jsonrpc.protocol.version"] = version
    attributes["goinst.jsonrpc.batch.size"] = len(children)
    attributes["goinst.jsonrpc.batch.methods"] = methods
    if cut:
        span.truncated += ["goinst.jsonrpc.batch.size", "goinst.jsonrpc.batch.methods"]
    span.name = f"batch {methods[0]}" if len(set(methods)) == 1 else "batch"


def decode_response(values: ResponseBody, span: Span, context: DecodeContext) -> None:
    """Set what came of the calls. Only for spans that decode_request found to be JSON-RPC."""
    body = _whole(values, span, context, 1)
    of, waiting, name, session = context.state.pop("asked", (0, {}, "", ""))
    source, told = values.source & ~_BY_LIBRARY, bool(values.source & _BY_LIBRARY)
    query = values.query[: values.query_length].decode("latin-1") if values.status == _ACCEPTED else ""
    to, given, by = context.state.pop("given", (0, [], ""))
    if to == span.span_id and not told:
        done = answered(given, span, query or by, context)
        for one in done if by else ():
            one.attributes["mcp.session.id"] = by
        span.children += done
    if context.state.pop("unclear", 0) == span.span_id:
        context.count("body_unclear")
    if of != span.span_id:
        return
    if not told and any("mcp.method.name" in one.attributes for one in waiting.values()):
        context.signal("writes_wanted")  # it may ask and tell its client on streams
    if values.status == _ACCEPTED:
        asked = {identifier: one for identifier, one in waiting.items() if identifier}
        _elsewhere(span, asked, name, query or session, context)
        return
    if source == ResponseSource.EVENTS:
        _events(own_events(span.span_id, context), span, waiting, context, told=told)
        return
    if source == ResponseSource.WIRE:
        body = _off_the_wire(body, values.length)
        if not body:
            context.count("response_gone")
            return
    elif source == ResponseSource.CHUNKED:
        body = _chunks(body)
    elif not values.length:
        return
    start = body.lstrip()[:1]
    if start in (b"{", b"["):
        _answer(*parse(body), waiting, context)
    elif start:
        lines = [Told(*parse(line[5:])) for line in body.splitlines() if line.startswith(b"data:")]
        _events(lines, span, waiting, context, told=told)


def _elsewhere(span: Span, waiting: dict[str, Span], name: str, query: str, context: DecodeContext) -> None:
    """Calls that are answered on another stream: the request's span is HTTP's alone, its calls have spans below it."""
    if not waiting:
        return
    if span in waiting.values():
        (identifier,) = waiting
        call = span.child(span.name, context.clock.new_id())
        call.truncated, span.truncated = span.truncated, []
        for key in [key for key in span.attributes if key.startswith(_OF_CALL)]:
            call.attributes[key] = span.attributes.pop(key)
        span.name, waiting = name, {identifier: call}
        span.children += (call,)
    kept = defer(waiting, query, context)
    span.children = tuple(one for one in span.children if one not in waiting.values()) + tuple(kept)


def _answer(message: Any, cut: bool, waiting: dict[str, Span], context: DecodeContext) -> None:
    found = replies(message)
    for number, reply in enumerate(found):
        asked = waiting.get(identity(reply))
        if asked is None and len(found) == len(waiting) == 1 and not identity(reply):
            (asked,) = waiting.values()  # an error before the id was known (JSON-RPC 2.0, section 5)
        if asked is not None:
            answer(reply, asked, context, cut=cut and number == len(found) - 1)


def _events(
    messages: Sequence[Told],
    span: Span,
    waiting: dict[str, Span],
    context: DecodeContext,
    *,
    told: bool,
) -> None:
    """Responses, and what the server asks or tells its client, in a stream of server-sent events (WHATWG HTML 9.2);
    not the latter when it is ``told`` by another plugin."""
    children: list[Span] = []
    for each in messages:
        for one in each.message if isinstance(each.message, list) else [each.message]:
            if replied(one):
                asked = waiting.get(identity(one))
                if asked is not None:
                    answer(one, asked, context, cut=each.cut)
            elif not told and called(one, cut=each.cut) and len(children) < _EVENTS:
                child = each.question.span if each.question else span.child("", context.clock.new_id())
                child.trace_id, child.parent_span_id = span.trace_id, span.span_id
                if each.question is None:
                    child.kind, child.start_ns, child.duration_ns = "client", span.start_ns + span.duration_ns, 0
                    describe(one, child, context, cut=each.cut, mcp="mcp.method.name" in span.attributes)
                else:
                    each.question.open = False
                    if one.get("id") is not None and not each.question.answered:
                        continue  # its answer will bring it out
                children.append(child)
    span.children += tuple(children)


def _off_the_wire(body: bytes, length: int) -> bytes:
    """The body in what the connection's buffer holds: behind the header block, or in chunks that were flushed later."""
    if body.startswith(b"HTTP/"):
        head, found, rest = body.partition(b"\r\n\r\n")
        if not found:
            return b""
        # behind the body, the buffer holds what was written earlier
        return _dechunk(rest) if b"chunked" in head.lower() else rest[:length]
    return _chunks(body)


def _dechunk(body: bytes) -> bytes:
    # what was left in the buffer may have lost its chunk size line
    return _chunks(body) or body


def _chunks(body: bytes) -> bytes:
    """The data of a chunked body's chunks (RFC 9112 section 7.1), as far as they are there."""
    data = bytearray()
    at = 0
    while at < len(body):
        end = body.find(b"\r\n", at, at + 64)
        if end < 0:
            break
        try:
            size = int(body[at:end].partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        data += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return bytes(data)


def _header(head: bytes, name: bytes) -> str:
    """A header of the request, by its name in lower case; empty when it is not there."""
    start = head.lower().rfind(b"\n" + name + b":")
    if start < 0:
        return ""
    end = head.find(b"\n", start + 1)
    return head[start + len(name) + 2 : end if end >= 0 else None].strip().decode("latin-1")
