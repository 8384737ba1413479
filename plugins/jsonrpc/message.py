"""What a JSON-RPC message says, as a span: JSON-RPC 1.0 (net/rpc/jsonrpc), 2.0, and MCP on top of it.

Messages may be cut at any byte: jiter's partial mode gives what is there. Attribute names are those of OpenTelemetry's
semantic conventions 1.44 (RPC, JSON-RPC) and, for MCP, of semantic-conventions-genai as it was in August 2026.
"""

from __future__ import annotations

import json
import math
from typing import Any

import jiter

from goinst import DecodeContext, Span

__all__ = ["answer", "called", "calls", "describe", "identity", "parse", "replied", "replies"]

_LONGEST = 256
_I64 = 1 << 63


def _plain(value: Any) -> Any:
    """A number with a fraction or an exponent: jiter.LosslessFloat keeps its text, for it may be an id that is too
    large to be a float."""
    number = float(value)
    return number if math.isfinite(number) else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
_VERSIONS = ("2.0", "1.0", "1.1")
# methods that nothing but MCP has (modelcontextprotocol.io, schema 2024-11-05 to 2026-07-28); what others have
# too (initialize, ping) is MCP's by its parameters or by the company it is in
_MCP = frozenset((
    "completion/complete", "elicitation/create", "logging/setLevel", "notifications/cancelled",
    "notifications/elicitation/complete", "notifications/initialized", "notifications/message",
    "notifications/progress", "notifications/prompts/list_changed", "notifications/resources/list_changed",
    "notifications/resources/updated", "notifications/roots/list_changed", "notifications/tools/list_changed",
    "prompts/get", "prompts/list", "resources/list", "resources/read", "resources/subscribe",
    "resources/templates/list", "resources/unsubscribe", "roots/list", "sampling/createMessage", "server/discover",
    "subscriptions/listen", "tools/call", "tools/list",
))  # fmt: skip
_WITH_URI = frozenset(
    ("notifications/resources/updated", "resources/read", "resources/subscribe", "resources/unsubscribe")
)


def parse(text: bytes) -> tuple[Any, bool]:
    """The first JSON value of the text, and whether it is cut short or goes wrong later on. None when there is none."""
    try:
        return jiter.from_json(text, allow_inf_nan=False, float_mode="lossless-float"), False
    except ValueError as error:
        words = str(error)
    if not words.startswith(("EOF", "trailing")):
        # bytes that are not UTF-8: keep what is
        repaired = text.decode("utf-8", "replace").encode()
        if repaired != text:
            return parse(repaired)
    try:
        value = jiter.from_json(text, allow_inf_nan=False, float_mode="lossless-float", partial_mode="trailing-strings")
    except ValueError:
        return None, False
    # more behind the value is no fault: Go's json.Decoder does not look there
    return value, not words.startswith("trailing")


def called(message: Any, *, cut: bool) -> bool:
    """Whether it is a request or a notification.

    A 2.0 request says so, as do those of Bitcoin's family that call themselves 1.0; else a 1.0 one (json-rpc.org, 2005)
    has method, params and id, which may lie behind a cut.
    """
    if not isinstance(message, dict) or not isinstance(message.get("method"), str) or not message["method"]:
        return False
    if "jsonrpc" in message:
        return message["jsonrpc"] in _VERSIONS
    return "params" in message and ("id" in message or (cut and isinstance(message["params"], list)))


def replied(message: Any) -> bool:
    """Whether it is a response: it has a result or an error, and no method."""
    return isinstance(message, dict) and "method" not in message and ("result" in message or "error" in message)


def calls(message: Any, *, cut: bool) -> list[dict[str, Any]]:
    """The requests and notifications in a message or a batch."""
    found = message if isinstance(message, list) else [message]
    return [one for one in found if called(one, cut=cut)]


def replies(message: Any) -> list[dict[str, Any]]:
    """The responses in a message or a batch."""
    return [one for one in (message if isinstance(message, list) else [message]) if replied(one)]


def identity(message: dict[str, Any]) -> str:
    """The id as JSON text, so that 7 and "7" differ; empty for none and for null. 7.0 is 7, as Go sends it back."""
    value = message.get("id")
    if isinstance(value, jiter.LosslessFloat) and math.isfinite(number := float(value)) and number.is_integer():
        value = int(number)
    return "" if value is None else _json(value)


def describe(call: dict[str, Any], span: Span, context: DecodeContext, *, cut: bool = False, mcp: bool = False) -> bool:
    """Name the span after a request or notification; ``mcp`` when the connection speaks MCP. Whether this one does."""
    attributes, method = span.attributes, call["method"]
    attributes["rpc.system.name"] = "jsonrpc"
    last = next(reversed(call)) if cut else ""
    if "jsonrpc" in call:
        attributes["jsonrpc.protocol.version"] = call["jsonrpc"]
    elif cut:  # "jsonrpc" may be the last member
        span.truncated.append("jsonrpc.protocol.version")
    else:
        attributes["jsonrpc.protocol.version"] = "1.0"
    attributes["rpc.method"] = span.name = method[:_LONGEST]
    if last == "method" or len(method) > _LONGEST:
        span.truncated.append("rpc.method")
    value = call.get("id")
    if value is not None:
        attributes["jsonrpc.request.id"] = _text(value)
        if last == "id":
            span.truncated.append("jsonrpc.request.id")
    elif "id" not in call and cut:
        span.truncated.append("jsonrpc.request.id")
    elif "id" not in call or call.get("jsonrpc") != "2.0":
        # a null id marks a notification in 1.0; in 2.0 it is an id, although a bad one
        attributes["goinst.jsonrpc.notification"] = True
    params = call.get("params")
    _parameters(params, span, context, cut=last == "params")
    if mcp or method in _MCP or (method == "initialize" and _member(params, "protocolVersion")):
        _describe_mcp(method, params, span, cut=last == "params")
        return True
    return False


def _describe_mcp(method: str, params: Any, span: Span, *, cut: bool) -> None:
    attributes = span.attributes
    attributes["mcp.method.name"] = method[:_LONGEST]
    if method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
        _target("gen_ai.tool.name", params, span, cut=cut)
    elif method == "prompts/get":
        _target("gen_ai.prompt.name", params, span, cut=cut)
    elif method in _WITH_URI and (uri := _member(params, "uri")):
        attributes["mcp.resource.uri"] = uri[:_LONGEST]
    elif method == "initialize" and (version := _member(params, "protocolVersion")):
        attributes["mcp.protocol.version"] = version[:_LONGEST]
    elif method == "notifications/progress" and isinstance(params, dict):
        for name in ("progress", "total"):
            value = params.get(name)
            if isinstance(value, jiter.LosslessFloat):
                value = _plain(value)
            if isinstance(value, (int, float)):
                attributes[f"goinst.mcp.progress.{name}"] = value
        if (token := params.get("progressToken")) is not None:
            attributes["goinst.mcp.progress.token"] = _text(token)
    meta = params.get("_meta") if isinstance(params, dict) else None
    if isinstance(meta, dict):
        if (token := meta.get("progressToken")) is not None:
            attributes["goinst.mcp.progress.token"] = _text(token)
        # 2026-07-28: no handshake, each request says which version it is
        if version := _member(meta, "io.modelcontextprotocol/protocolVersion"):
            attributes["mcp.protocol.version"] = version[:_LONGEST]


def _target(name: str, params: Any, span: Span, *, cut: bool) -> None:
    target = _member(params, "name")[:_LONGEST]
    if target:
        span.attributes[name] = target
        span.name = f"{span.name} {target}"
    if not target or (cut and next(reversed(params)) == "name"):
        span.truncated.append(name)


def answer(reply: dict[str, Any], span: Span, context: DecodeContext, *, cut: bool = False) -> None:
    """Set what the response to the span's request tells."""
    if reply.get("error") is not None:
        _fail(reply["error"], span, context, cut=cut)
        return
    attributes, result = span.attributes, reply.get("result")
    if "mcp.method.name" not in attributes or not isinstance(result, dict):
        return
    if result.get("isError") is True:
        span.status = "error"
        attributes["error.type"] = "tool_error"
    elif cut and attributes["mcp.method.name"] == "tools/call":
        span.truncated.append("error.type")
    if attributes["mcp.method.name"] == "initialize" and (version := _member(result, "protocolVersion")):
        attributes["mcp.protocol.version"] = version[:_LONGEST]


def _fail(error: Any, span: Span, context: DecodeContext, *, cut: bool) -> None:
    span.status = "error"
    attributes = span.attributes
    words: Any = error  # JSON-RPC 1.0: any value but null; net/rpc/jsonrpc sends a string
    if isinstance(error, dict):
        code, words = error.get("code"), error.get("message")
        if isinstance(code, int) and not isinstance(code, bool) and -_I64 <= code < _I64:
            attributes["rpc.response.status_code"] = attributes["error.type"] = str(code)
        if error.get("data") is not None:
            attributes["goinst.jsonrpc.error.data.size"] = len(_json(error["data"]).encode())
            if cut:
                span.truncated.append("goinst.jsonrpc.error.data.size")
    if words is not None and context.options.get("error_messages", True):
        span.status_message = _text(words)
    attributes.setdefault("error.type", "jsonrpc")


def _parameters(params: Any, span: Span, context: DecodeContext, *, cut: bool) -> None:
    options, attributes = context.options, span.attributes
    if options.get("param_names", False):
        if isinstance(params, dict):
            attributes["goinst.jsonrpc.params.names"] = [name[:_LONGEST] for name in params][:64]
        elif isinstance(params, list):
            attributes["goinst.jsonrpc.params.count"] = len(params)
        if cut:
            span.truncated.append("goinst.jsonrpc.params")
    if options.get("param_values", False) and params is not None:
        attributes["goinst.jsonrpc.params"] = _json(_redacted(params) if context.redact else params)


def _redacted(value: Any) -> Any:
    """The same shape without a value in it. Not deep: jiter refuses what is nested deeper than 200."""
    if isinstance(value, dict):
        return {name: _redacted(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_redacted(member) for member in value]
    return "REDACTED"


def _member(value: Any, name: str) -> str:
    """A member that is text; empty for anything else."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _json(value: Any) -> str:
    return str(value) if type(value) in (int, jiter.LosslessFloat) else _ENCODER.encode(value)


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else _json(value))[:_LONGEST]
