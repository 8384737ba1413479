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


def decode_request(values: Any, span: Span, _: DecodeContext) -> None:
    """Name the span after the call and set what the request tells of it; nothing for what is not JSON-RPC."""
    body = values.body[: values.body_length]
    # A late body that was left in the buffer may stand behind a chunk size line, whatever the flag says.
    if values.chunked and values.source != _READ:
        body = _dechunk(body)
    message = _parse(body)
    cut = values.length > len(values.body)
    if isinstance(message, list):
        calls = [call for call in message if isinstance(call, dict) and _is_call(call)]
        if not calls:
            return
        methods = [_text(call["method"]) for call in calls]
        _system(span, calls[0])
        span.attributes["goinst.jsonrpc.batch.size"] = len(calls)
        span.attributes["goinst.jsonrpc.batch.methods"] = methods
        if cut:
            span.truncated.append("goinst.jsonrpc.batch.methods")
        span.name = f"batch {methods[0]}" if len(set(methods)) == 1 else "batch"
    elif isinstance(message, dict) and _is_call(message):
        method = _text(message["method"])
        _system(span, message)
        span.attributes["rpc.method"] = method
        if "id" in message and message["id"] is not None:
            span.attributes["rpc.jsonrpc.request_id"] = _text(message["id"])
        elif not (cut and "id" not in message):
            span.attributes["goinst.jsonrpc.notification"] = True
        span.name = method
    else:
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
        body = _dechunk(rest) if b"chunked" in head.lower() else rest
    elif not values.length:
        return
    message = _parse(_event_data(body))
    replies = message if isinstance(message, list) else [message]
    for reply in replies:
        if isinstance(reply, dict) and reply.get("error") is not None:
            _error(reply["error"], span)
            return


def _is_call(message: dict[str, Any]) -> bool:
    """A 2.0 request says so; a 1.0 one (json-rpc.org, 2005) has method, params and id."""
    if not isinstance(message.get("method"), str) or not message["method"]:
        return False
    if "jsonrpc" in message:
        return bool(message["jsonrpc"] == "2.0")
    return "params" in message and ("id" in message or isinstance(message["params"], list))


def _system(span: Span, call: dict[str, Any]) -> None:
    span.attributes["rpc.system"] = "jsonrpc"
    span.attributes["rpc.jsonrpc.version"] = _text(call.get("jsonrpc", "1.0"))


def _error(error: Any, span: Span) -> None:
    span.status = "error"
    if isinstance(error, dict):
        code, words = error.get("code"), error.get("message")
        if isinstance(code, int):
            span.attributes["rpc.jsonrpc.error_code"] = code
            span.attributes["error.type"] = str(code)
        if isinstance(words, str):
            span.attributes["rpc.jsonrpc.error_message"] = _text(words)
    else:  # JSON-RPC 1.0: any value but null; net/rpc/jsonrpc sends a string
        span.attributes["rpc.jsonrpc.error_message"] = _text(error)
    span.attributes.setdefault("error.type", "jsonrpc")


def _parse(body: bytes) -> Any:
    """JSON, complete or cut short at any byte; None when it is none."""
    try:
        return jiter.from_json(body, partial_mode="trailing-strings", catch_duplicate_keys=False)
    except ValueError:
        pass
    try:
        # bytes that are not UTF-8: keep what is
        return jiter.from_json(
            body.decode("utf-8", "replace").encode(),
            partial_mode="trailing-strings",
            catch_duplicate_keys=False,
        )
    except ValueError:
        return None


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


def _event_data(body: bytes) -> bytes:
    """The last event's data when the response is a stream of server-sent events (MCP's streamable HTTP)."""
    if body[:1] in b"{[":
        return body
    start = body.rfind(b"data: ")
    return body[start + 6 :].partition(b"\n")[0] if start >= 0 else body


def _content_type(head: bytes) -> str:
    start = head.lower().rfind(b"\r\ncontent-type:")
    if start < 0:
        return ""
    end = head.find(b"\r\n", start + 2)
    return head[start + 15 : end if end >= 0 else None].strip().decode("latin-1")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text[:_LONGEST]
