"""From netrpc records to spans (OpenTelemetry semantic conventions for RPC and JSON-RPC, 1.44).

The conventions know no name for net/rpc with gob: rpc.system.name is ``go.net/rpc`` there, and ``jsonrpc`` with the
JSON codec, which speaks JSON-RPC 1.0.
"""

from __future__ import annotations

import jiter
from goinst.plugins.netrpc.records import Call, Codec, Flag

from goinst import DecodeContext, Span

__all__ = ["decode_client", "decode_server"]

# as plain numbers: an operator of a flag takes far longer
_JSON, _UNKNOWN_METHOD, _FAILED = int(Codec.JSON), int(Flag.UNKNOWN_METHOD), int(Flag.FAILED)
_SYSTEMS: dict[int, str] = {Codec.GOB: "go.net/rpc", Codec.JSON: "jsonrpc"}


def decode_server(values: Call, span: Span, context: DecodeContext) -> None:
    """A call that a server answered."""
    _decode(values, span, context)
    if values.codec == _JSON and values.id_length:
        _identify(values.id[: values.id_length], span, cut=values.id_length > len(values.id))


def decode_client(values: Call, span: Span, context: DecodeContext) -> None:
    """A call that a client made; its id is the sequence number (net/rpc/jsonrpc/client.go)."""
    _decode(values, span, context)
    if values.codec == _JSON:
        span.attributes["jsonrpc.request.id"] = str(values.sequence)


def _decode(values: Call, span: Span, context: DecodeContext) -> None:
    attributes = span.attributes
    method = values.method[: values.method_copied].decode("utf-8", "replace")
    attributes["rpc.system.name"] = _SYSTEMS.get(values.codec, "go.net/rpc")
    attributes["rpc.method"] = method
    span.name = method or "net/rpc"
    if values.method_length > values.method_copied:
        span.truncated.append("rpc.method")
    if values.codec == _JSON:
        attributes["jsonrpc.protocol.version"] = "1.0"
    else:
        attributes["goinst.netrpc.sequence"] = values.sequence
    if not values.flags & _FAILED:
        return
    span.status = "error"
    attributes["error.type"] = "unknown_method" if values.flags & _UNKNOWN_METHOD else "rpc.ServerError"
    if values.error_copied and context.options.get("messages", True):
        span.status_message = values.error[: values.error_copied].decode("utf-8", "replace")
        if values.error_length > values.error_copied:
            span.truncated.append("status_message")


def _identify(raw: bytes, span: Span, *, cut: bool) -> None:
    try:
        value = jiter.from_json(raw, partial_mode="trailing-strings")
    except ValueError:
        return
    if value is None:
        span.attributes["goinst.jsonrpc.notification"] = True
        return
    span.attributes["jsonrpc.request.id"] = value if isinstance(value, str) else raw.decode("utf-8", "replace")
    if cut:
        span.truncated.append("jsonrpc.request.id")
