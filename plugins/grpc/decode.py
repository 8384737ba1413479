"""From grpc_server and grpc_client records to RPC spans (OpenTelemetry semantic conventions for gRPC)."""

from __future__ import annotations

from functools import lru_cache

from goinst.plugins.grpc.records import Address, Called, ErrorKind, Flag, Kind, Metadata, Served

from goinst import DecodeContext, Span, context_words, host_port, ip_text, parse_traceparent, redact_header

__all__ = ["CODES", "decode_client", "decode_metadata", "decode_server"]

# as plain numbers: with flags, the operators that run for each RPC take far longer
_TLS, _CRASHED, _METADATA_CUT, _DEADLINE, _SERVED_BY_HTTP, _EXITED = (
    int(flag) for flag in (Flag.TLS, Flag.CRASHED, Flag.METADATA_CUT, Flag.DEADLINE, Flag.SERVED_BY_HTTP, Flag.EXITED)
)
_KIND_KNOWN = int(Kind.KIND_KNOWN)

CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""Names of gRPC's status codes, by number."""

_CANCELLED, _UNKNOWN, _DEADLINE_EXCEEDED, _UNAVAILABLE = 1, 2, 4, 14
# a server's other codes are its client's doing (semantic conventions for gRPC, "gRPC Status")
_SERVER_ERRORS = frozenset({2, 4, 12, 13, 14, 15})
_KINDS = ("unary", "client_stream", "server_stream", "bidi_stream")

# time.Time (time/time.go): with this bit in wall, wall has 33 bits of seconds since 1885 and 30 of nanoseconds and
# ext is the monotonic clock; without it, ext is seconds since year 1
_HAS_MONOTONIC = 1 << 63
_UNIX_TO_1885 = 59_453_308_800 - 62_135_596_800
_UNIX_TO_YEAR_1 = -62_135_596_800
_LONGEST_NS = 10**18


def decode_server(values: Served, span: Span, context: DecodeContext) -> None:
    """Fill in the span of an RPC that was served. Nothing in ``values`` is trusted."""
    attributes = span.attributes
    _method(values, span)
    _addresses(values, span)
    if values.local_kind == Address.TCP:
        attributes["server.address"] = attributes.get("network.local.address")
        attributes["server.port"] = values.local_port
    if "network.peer.address" in attributes:
        attributes["client.address"] = attributes["network.peer.address"]
        if "network.peer.port" in attributes:
            attributes["client.port"] = attributes["network.peer.port"]
    authority = _text(values.authority, values.authority_length)
    if authority:
        attributes["goinst.grpc.authority"] = authority
    agent = _text(values.agent, values.agent_length)
    if agent:
        attributes["user_agent.original"] = agent
    _common(values, span, context)
    if values.kind & _KIND_KNOWN:
        attributes["goinst.grpc.kind"] = _KINDS[values.kind & 3]
    if values.flags & _SERVED_BY_HTTP:
        attributes["goinst.grpc.transport"] = "net/http"
    if values.flags & _METADATA_CUT:
        span.truncated.append("goinst.grpc.metadata")
    if values.flags & _CRASHED:
        attributes["error.type"] = "panic"
        span.status, span.status_message = "error", "the handler panicked and the process ended"
    elif values.flags & _EXITED:
        attributes["error.type"] = "goexit"
        span.status, span.status_message = "error", "the handler left by runtime.Goexit: no status was sent"
    else:
        _status(values.code, values, span, failed=values.code in _SERVER_ERRORS)
    _trace_parent(_text(values.context, values.context_length), span)


def decode_client(values: Called, span: Span, context: DecodeContext) -> None:
    """Fill in the span of an RPC that was made. Nothing in ``values`` is trusted."""
    attributes = span.attributes
    _method(values, span)
    _addresses(values, span)
    authority = _text(values.authority, values.authority_length)
    if authority:
        attributes["goinst.grpc.authority"] = authority
        host, port = host_port(authority)
        attributes["server.address"] = host
        if port is not None:
            attributes["server.port"] = port
    attributes["goinst.grpc.kind"] = _KINDS[values.kind & 3]
    if values.attempts > 1:
        attributes["goinst.grpc.attempts"] = values.attempts
    if values.context:
        attributes["goinst.propagation"] = context_words(values.context)
    _common(values, span, context)
    _status(_client_code(values), values, span, failed=True)


def decode_metadata(values: Metadata, span: Span, context: DecodeContext) -> None:
    """Set one entry of the incoming metadata if the option names it, secrets in it only without redaction."""
    key = _text(values.key, values.key_length).lower()
    if key not in _names(str(context.options["capture_metadata"])):
        return
    attribute = f"rpc.grpc.request.metadata.{key}"
    value = _text(values.value, values.value_length)
    shown = redact_header(key, value) if context.redact else value
    span.attributes[attribute] = [shown]
    if values.value_whole > len(values.value) and shown != "REDACTED":
        span.truncated.append(attribute)


@lru_cache(16)
def _names(option: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in option.split(",") if name.strip())


def _client_code(values: Called) -> int:
    """The code that the caller sees (grpc's toRPCErr, rpc_util.go)."""
    error = values.error
    if error == ErrorKind.NO_ERROR:
        return 0
    if error == ErrorKind.STATUS_ERROR:
        return int(values.code)
    if error == ErrorKind.DEADLINE_ERROR:
        return _DEADLINE_EXCEEDED
    if error == ErrorKind.TEXT_ERROR:
        text = values.tail[: values.message_copied]
        if text == b"EOF":
            return 0  # how a stream that went well ends
        if text == b"context canceled":
            return _CANCELLED
    return _UNKNOWN


def _method(values: Served | Called, span: Span) -> None:
    """rpc.service and rpc.method from ``/package.Service/Method``."""
    attributes = span.attributes
    attributes["rpc.system.name"] = "grpc"
    full = _text(values.method, values.method_length)
    if values.method_length > len(values.method):
        span.truncated.append("rpc.method")
    service, slash, method = full.removeprefix("/").rpartition("/")
    if slash:
        attributes["rpc.service"] = service
        attributes["rpc.method"] = method
        span.name = f"{service}/{method}"
    else:
        span.name = full or "grpc"


def _common(values: Served | Called, span: Span, context: DecodeContext) -> None:
    attributes = span.attributes
    if context.options["messages"]:
        attributes["goinst.grpc.messages.sent"] = values.sent
        attributes["goinst.grpc.messages.received"] = values.received
        attributes["goinst.grpc.bytes.sent"] = values.sent_bytes
        attributes["goinst.grpc.bytes.received"] = values.received_bytes
        if values.first_response:
            attributes["goinst.grpc.first_response_ns"] = values.first_response
    if values.stream_id:
        attributes["goinst.grpc.stream_id"] = values.stream_id
    encoding = _text(values.encoding, values.encoding_length)
    if encoding:
        attributes["goinst.grpc.encoding"] = encoding
    answer = _text(values.answer, values.answer_length)
    if answer:
        attributes["goinst.grpc.response_encoding"] = answer
    if values.flags & _TLS:
        attributes["goinst.grpc.tls"] = True
    if values.flags & _DEADLINE:
        left = _unix_ns(values.deadline_wall, values.deadline_ext) - span.start_ns
        if abs(left) < _LONGEST_NS:
            attributes["goinst.grpc.timeout_ns"] = left


def _unix_ns(wall: int, ext: int) -> int:
    nanoseconds = wall & ((1 << 30) - 1)
    seconds = (wall << 1 & (1 << 64) - 1) >> 31
    unix = seconds + _UNIX_TO_1885 if wall & _HAS_MONOTONIC else ext + _UNIX_TO_YEAR_1
    return unix * 1_000_000_000 + nanoseconds


def _status(code: int, values: Served | Called, span: Span, *, failed: bool) -> None:
    attributes = span.attributes
    attributes["rpc.grpc.status_code"] = code
    name = CODES[code] if 0 <= code < len(CODES) else f"CODE({code})"
    attributes["goinst.grpc.status"] = name
    if not code:
        return
    message = values.tail[: values.message_copied].decode("utf-8", "replace")
    if message:
        attributes["goinst.grpc.status_message"] = message
        if values.message_length > values.message_copied:
            span.truncated.append("goinst.grpc.status_message")
    if failed:
        attributes["error.type"] = name
        span.status = "error"
        span.status_message = message


def _text(data: bytes, length: int) -> str:
    return data[:length].decode("utf-8", "replace") if length else ""


def _addresses(values: Served | Called, span: Span) -> None:
    attributes = span.attributes
    for side in ("peer", "local"):
        kind = getattr(values, f"{side}_kind")
        data = getattr(values, side)[: getattr(values, f"{side}_length")]
        if kind == Address.TCP:
            address = ip_text(data)
            attributes["network.transport"] = "tcp"
            attributes["network.type"] = "ipv6" if ":" in address else "ipv4"
            attributes[f"network.{side}.address"] = address
            attributes[f"network.{side}.port"] = getattr(values, f"{side}_port")
        elif kind == Address.UNIX:
            attributes["network.transport"] = "unix"
            if data:
                attributes[f"network.{side}.address"] = data.decode("utf-8", "replace")
            if len(data) == len(getattr(values, side)):
                span.truncated.append(f"network.{side}.address")
        elif kind == Address.TEXT:
            host, port = host_port(data)
            attributes[f"network.{side}.address"] = host
            if port is not None:
                attributes[f"network.{side}.port"] = port


def _trace_parent(value: str, span: Span) -> None:
    """Take over the caller's trace; a span that has a parent is net/http's request's, which takes over the same."""
    if (caller := parse_traceparent(value)) is not None:
        span.trace_id, span.parent_span_id = caller.trace_id, span.parent_span_id or caller.span_id
