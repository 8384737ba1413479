"""From captured bodies to JSON-RPC attributes (JSON-RPC 2.0 specification; 1.0 as net/rpc/jsonrpc speaks it).

Bodies are cut at a limit, so the JSON may be truncated: jiter's partial mode gives what is there. Attribute names are
those of OpenTelemetry's semantic conventions for JSON-RPC (1.27, rpc.jsonrpc.*).
"""

from __future__ import annotations

from typing import Any

import jiter

from goinst import DecodeContext, Span

__all__ = ["decode_request", "decode_response"]

_AT_START, _AT_END, _READ = 0, 1, 2
_WRITER, _WIRE = 0, 1
_LONGEST = 256
_I64 = 1 << 63


def decode_request(values: Any, span: Span, context: DecodeContext) -> None:
    """Name the span after the call and set what the request tells of it; nothing for what is not JSON-RPC."""
    body = values.body[: values.body_length]
    # A late body that was left in the buffer may stand behind a chunk size line; one that was read does not.
    if values.chunked and values.source != _READ:
        body = _dechunk(body)
    message, cut = _parse(body)
    if isinstance(message, list):
        calls = [call for call in message if isinstance(call, dict) and _is_call(call, cut=cut)]
        if not calls:
            return
        _batch(calls, span, cut=cut)
    elif isinstance(message, dict) and _is_call(message, cut=cut):
        _call(message, span, cut=cut)
    else:
        if b'"jsonrpc"' in body:
            # a call whose method lies behind the cut, or JSON that cannot be read
            context.count("body_unclear")
        return
    content_type = _content_type(values.head[: values.head_length])
    if content_type:
        span.attributes["http.request.header.content-type"] = [content_type]


def decode_response(values: Any, span: Span, context: DecodeContext) -> None:
    """Set the error of a failed call. Only for spans that decode_request found to be JSON-RPC."""
    if span.attributes.get("rpc.system") != "jsonrpc":
        return
    body = values.body[: values.body_length]
    if values.source == _WIRE:
        head, found, rest = body.partition(b"\r\n\r\n")
        if not found or not head.startswith(b"HTTP/"):
            context.count("response_gone")
            return
        # behind the body, the buffer holds what was written earlier
        body = _dechunk(rest) if b"chunked" in head.lower() else rest[: values.length]
    elif not values.length:
        return
    for reply in _replies(body):
        if reply.get("error") is not None:
            _error(reply["error"], span)
            return


def _is_call(message: dict[str, Any], *, cut: bool) -> bool:
    """A 2.0 request says so; a 1.0 one (json-rpc.org, 2005) has method, params and id, which may lie behind a cut."""
    if not isinstance(message.get("method"), str) or not message["method"]:
        return False
    if "jsonrpc" in message:
        return bool(message["jsonrpc"] == "2.0")
    return "params" in message and ("id" in message or (cut and isinstance(message["params"], list)))


def _call(call: dict[str, Any], span: Span, *, cut: bool) -> None:
    attributes, method = span.attributes, call["method"]
    _version(call, span, cut=cut)
    attributes["rpc.method"] = span.name = method[:_LONGEST]
    last = next(reversed(call)) if cut else ""
    if last == "method" or len(method) > _LONGEST:
        span.truncated.append("rpc.method")
    if "id" in call and (call["id"] is not None or "jsonrpc" in call):
        # the conventions want text, and an empty one for a null id of JSON-RPC 2.0
        attributes["rpc.jsonrpc.request_id"] = "" if call["id"] is None else _text(call["id"])
        if last == "id":
            span.truncated.append("rpc.jsonrpc.request_id")
    elif not cut or "id" in call:
        attributes["goinst.jsonrpc.notification"] = True
    else:
        span.truncated.append("rpc.jsonrpc.request_id")


def _batch(calls: list[dict[str, Any]], span: Span, *, cut: bool) -> None:
    methods = [call["method"][:_LONGEST] for call in calls]
    _version(calls[0], span, cut=cut and len(calls) == 1)
    span.attributes["goinst.jsonrpc.batch.size"] = len(calls)
    span.attributes["goinst.jsonrpc.batch.methods"] = methods
    if cut:
        span.truncated += ["goinst.jsonrpc.batch.size", "goinst.jsonrpc.batch.methods"]
    span.name = f"batch {methods[0]}" if len(set(methods)) == 1 else "batch"


def _version(call: dict[str, Any], span: Span, *, cut: bool) -> None:
    span.attributes["rpc.system"] = "jsonrpc"
    if "jsonrpc" in call:
        span.attributes["rpc.jsonrpc.version"] = "2.0"
    elif cut:  # "jsonrpc" may be the last member
        span.truncated.append("rpc.jsonrpc.version")
    else:
        span.attributes["rpc.jsonrpc.version"] = "1.0"


def _error(error: Any, span: Span) -> None:
    span.status = "error"
    attributes = span.attributes
    words: Any = error  # JSON-RPC 1.0: any value but null; net/rpc/jsonrpc sends a string
    if isinstance(error, dict):
        code, words = error.get("code"), error.get("message")
        if isinstance(code, int) and not isinstance(code, bool) and -_I64 <= code < _I64:
            attributes["rpc.jsonrpc.error_code"] = code
            attributes["error.type"] = str(code)
    if words is not None:
        attributes["rpc.jsonrpc.error_message"] = _text(words)
    attributes.setdefault("error.type", "jsonrpc")


def _parse(body: bytes) -> tuple[Any, bool]:
    """The first JSON value of the body, and whether it is cut short or goes wrong later on. None when there is none."""
    try:
        return jiter.from_json(body, allow_inf_nan=False), False
    except ValueError as error:
        words = str(error)
    if not words.startswith(("EOF", "trailing")):
        # bytes that are not UTF-8: keep what is
        repaired = body.decode("utf-8", "replace").encode()
        if repaired != body:
            return _parse(repaired)
    try:
        value = jiter.from_json(body, allow_inf_nan=False, partial_mode="trailing-strings")
    except ValueError:
        return None, False
    # more behind the value is no fault: Go's json.Decoder does not look there
    return value, not words.startswith("trailing")


def _replies(body: bytes) -> list[dict[str, Any]]:
    """The responses in a body: one, a batch, or those in a stream of server-sent events (MCP's streamable HTTP)."""
    body = body.lstrip()
    if body[:1] == b"{" or body[:1] == b"[":
        message, _ = _parse(body)
        return [reply for reply in (message if isinstance(message, list) else [message]) if isinstance(reply, dict)]
    replies = []
    for line in body.splitlines():
        if line.startswith(b"data:"):
            message, _ = _parse(line[5:])
            if isinstance(message, dict):
                replies.append(message)
    return replies


def _dechunk(body: bytes) -> bytes:
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
    # what was left in the buffer may have lost its chunk size line
    return bytes(data) if data else body


def _content_type(head: bytes) -> str:
    start = head.lower().rfind(b"\ncontent-type:")
    if start < 0:
        return ""
    end = head.find(b"\n", start + 1)
    return head[start + 14 : end if end >= 0 else None].strip().decode("latin-1")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text[:_LONGEST]
