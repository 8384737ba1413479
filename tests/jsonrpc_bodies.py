"""Bodies of requests and responses, as jsonrpc's decoders get them, for tests of those."""

from __future__ import annotations

from typing import Any

from goinst.plugins.jsonrpc import PROTOCOL

from goinst import Span
from wire import decode, new_span

__all__ = [
    "AT_END", "AT_START", "CALL", "HEAD", "PART", "READ", "WIRE", "WRITER",
    "called", "chunks", "request", "response", "rpc",
]  # fmt: skip

AT_START, AT_END, READ, PART = 0, 1, 2, 4
WRITER, WIRE = 0, 1
CALL = b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"add"},"id":7}'
HEAD = b"POST /rpc HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAccept: */*\r\n\r\n"


def request(
    body: bytes, *, head: bytes = HEAD, size: int = 1024, source: int = AT_START, chunked: bool = False,
    span: Span | None = None, state: dict[str, Any] | None = None, options: dict[str, Any] | None = None,
    redact: bool = True,
) -> tuple[Span, list[str]]:  # fmt: skip
    """The span behind a request whose body's first ``size`` bytes were captured."""
    values = {
        "length": len(body),
        "head_length": len(head),
        "head": head,
        "body_length": len(body[: min(size, 1024)]),
        "body": body[: min(size, 1024)],
        "source": source,
        "chunked": chunked,
    }
    state = {} if state is None else state
    record = next(record for record in PROTOCOL.records if record.name == "jsonrpc_request")
    span = span or new_span(record, PROTOCOL.name)
    for offset in range(1024, min(size, len(body)), 4096):
        data = body[offset : min(offset + 4096, size)]
        piece = {"offset": offset, "length": len(data), "data": data}
        decode(PROTOCOL, "jsonrpc_piece", piece, span=span, state=state)
    options = {"body_bytes": max(size, 64), **(options or {})}
    return decode(PROTOCOL, "jsonrpc_request", values, span=span, options=options, state=state, redact=redact)


def called(body: bytes, **arguments: Any) -> Span:
    span, counted = request(body, **arguments)
    assert counted == []
    return span


def response(
    body: bytes, *, call: bytes = CALL, source: int = WRITER, size: int = 1024, length: int | None = None
) -> Span:
    """The span of ``call`` after a response of which ``size`` bytes were captured."""
    state: dict[str, Any] = {}
    span = called(call, state=state)
    values = {
        "length": len(body) if length is None else length,
        "body_length": len(body[:size]),
        "body": body[:size],
        "status": 200,
        "source": source,
    }
    again, counted = decode(PROTOCOL, "jsonrpc_response", values, span=span, options={"body_bytes": size}, state=state)
    assert again is span
    assert counted == ["signal writes_wanted"] * ("mcp.method.name" in span.attributes)
    return span


def rpc(span: Span) -> dict[str, Any]:
    """What JSON-RPC adds to a span."""
    return {name: value for name, value in span.attributes.items() if "rpc" in name}


def chunks(body: bytes, *sizes: int, extension: bytes = b"") -> bytes:
    """The body as chunks of these sizes, and one of the rest."""
    out, at = b"", 0
    for size in (*sizes, len(body)):
        part = body[at : at + size]
        if part:
            out += f"{len(part):x}".encode() + extension + b"\r\n" + part + b"\r\n"
        at += size
    return out + b"0\r\n\r\n"
