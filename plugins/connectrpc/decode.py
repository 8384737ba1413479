"""From a connectrpc_rpc record to an RPC's attributes on the span of its HTTP request."""

from __future__ import annotations

from goinst.plugins.connectrpc.records import Code, Rpc, Wire

from goinst import DecodeContext, Span

__all__ = ["decode_rpc"]

_PROTOCOLS = ("connect", "grpc", "grpc_web")
_KINDS = ("unary", "client_stream", "server_stream", "bidi_stream")

# connect-go's code.go; the numbers are gRPC's
_CODES = (
    "ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
    "permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented",
    "internal", "unavailable", "data_loss", "unauthenticated",
)  # fmt: skip
# the others are the client's doing (semantic conventions for gRPC and Connect RPC)
_SERVER_ERRORS = frozenset({2, 4, 12, 13, 14, 15})


def decode_rpc(values: Rpc, span: Span, context: DecodeContext) -> None:  # noqa: ARG001
    """Name the span after the RPC and set what came of it. Nothing in ``values`` is trusted."""
    attributes = span.attributes
    connect = values.protocol == Wire.CONNECT
    attributes["rpc.system.name"] = "connectrpc" if connect else "grpc"
    attributes["goinst.connectrpc.protocol"] = _PROTOCOLS[min(values.protocol, 2)]
    attributes["goinst.connectrpc.kind"] = _KINDS[values.kind & 3]
    full = values.procedure[: values.procedure_length].decode("utf-8", "replace")
    if values.procedure_length > len(values.procedure):
        span.truncated.append("rpc.method")
    service, slash, method = full.removeprefix("/").rpartition("/")
    if slash:
        attributes["rpc.service"] = service
        attributes["rpc.method"] = method
        span.name = f"{service}/{method}"
    code = values.code
    if code == Code.UNCLEAR:
        span.status = "error"
        attributes["error.type"] = "_OTHER"
        return
    name = _CODES[code] if code < len(_CODES) else f"code_{code}"
    if not connect:
        attributes["rpc.grpc.status_code"] = code
    elif code:
        attributes["rpc.connect_rpc.error_code"] = name
    message = values.message[: values.message_copied].decode("utf-8", "replace")
    if message:
        attributes["goinst.connectrpc.status_message"] = message
        if values.message_length > values.message_copied:
            span.truncated.append("goinst.connectrpc.status_message")
    if code in _SERVER_ERRORS:
        span.status = "error"
        span.status_message = message
        attributes["error.type"] = name
