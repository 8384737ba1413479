"""What HTTP/1, HTTP/2 and clients have in common on a span (OpenTelemetry semantic conventions for HTTP, 1.27)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from goinst.plugins.nethttp.records import Ending, Flag, Request, Stream
from goinst.plugins.nethttp.routes import guess_route

from goinst import DecodeContext, Span, host_port, redact_query

__all__ = [
    "HIJACKED",
    "RETURNED",
    "TLS",
    "XNET",
    "content_type_of",
    "guessed",
    "host_of",
    "method_name",
    "other_form",
    "route_of",
    "set_ending",
    "set_peer",
    "set_status",
    "set_target",
    "so_far",
]

# as plain numbers: with flags and enums, the operators that run for each request take far longer
TLS, HIJACKED, XNET = int(Flag.TLS), int(Flag.HIJACKED), int(Flag.XNET)
RETURNED = int(Ending.RETURNED)
# of handlers that did not return: error.type, and words for what is an error of the server's
_ENDINGS: dict[int, tuple[str, str]] = {
    Ending.PANICKED: ("panic", "the handler panicked"),
    Ending.EXITED: ("goexit", "the handler left by runtime.Goexit"),
    Ending.ABORTED: ("aborted", "the handler aborted the response (http.ErrAbortHandler)"),
    Ending.LEFT: ("client_disconnected", ""),
}

# RFC 9110 and RFC 5789; anything else is _OTHER, so that a client cannot make up span names
_METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
}


_Served = TypeVar("_Served", Request, Stream)


def so_far(values: _Served, context: DecodeContext, response: int, status: str, written: str) -> _Served:
    """The columns of a request that is still open, with what its handler has sent until now and the pattern that it
    matched, from the process's memory: ``response`` is the address of what keeps the fields ``status`` and
    ``written``."""
    fields, memory = context.fields, context.memory
    code = memory.integer(response + fields[status]) if status in fields else 0
    size = memory.integer(response + fields[written]) if written in fields else None
    pattern = b""
    if values.request and "REQUEST_PATTERN" in fields:
        at = fields["REQUEST_PATTERN"]
        pattern = memory.text(values.request + at, len(values.pattern))
        if not pattern and values.copy:  # its handler runs, so it is no garbage
            pattern = memory.text(values.copy + at, len(values.pattern))
    return values._replace(
        status=code if code is not None and 100 <= code <= 999 else 0,
        written=-1 if size is None else size,
        pattern=pattern,
        pattern_length=len(pattern),
    )


def method_name(method: bytes, attributes: dict[str, Any]) -> str:
    """Set the method; the word that a span's name starts with."""
    name = _METHODS.get(method)
    if name is not None:
        attributes["http.request.method"] = name
        return name
    if method:
        attributes["http.request.method"] = "_OTHER"
        attributes["http.request.method_original"] = method.decode("latin-1")
    return "HTTP"


def set_target(uri: bytes, length: int, method: bytes, span: Span, *, redact: bool) -> tuple[str, str]:
    """Set path and query from a request target of ``length`` bytes, of which ``uri`` is what was captured; the path
    and, in absolute-form, the authority."""
    attributes = span.attributes
    path = uri.decode("utf-8", "replace")
    authority = ""
    if path[:1] != "/" and path:
        path, authority = other_form(path, method)
    if "?" in path:
        path, _, query = path.partition("?")
        attributes["url.query"] = redact_query(query) if redact else query
    if path:
        attributes["url.path"] = path
    if length > len(uri):
        span.truncated.append("url.query" if "url.query" in attributes else "url.path")
    return path, authority


def other_form(text: str, method: bytes) -> tuple[str, str]:
    """Path with query, and authority, of a request target that is not in origin-form (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        return "", text
    scheme, found, rest = text.partition("://")
    if not found or "?" in scheme:
        return text, ""
    ends = [at for at in (rest.find("/"), rest.find("?")) if at >= 0]
    end = min(ends, default=len(rest))
    path = rest[end:]
    # what stands before the @ are credentials
    return path if path[:1] == "/" else f"/{path}", rest[:end].rpartition("@")[2]


def route_of(values: Request | Stream, span: Span) -> str:
    """Set http.route from a ServeMux pattern: ``[METHOD ][HOST]/[PATH]`` (net/http/pattern.go, Go 1.22)."""
    pattern: str = values.pattern[: values.pattern_length].decode("utf-8", "replace")
    slash = pattern.find("/")
    if slash < 0:
        return ""
    if values.pattern_length > len(values.pattern):
        span.truncated.append("http.route")
    route = span.attributes["http.route"] = pattern[slash:]
    return route


def guessed(path: str, attributes: dict[str, Any]) -> str:
    """What names a span without a route: its path, or a guess at the route, which the span then says it is."""
    guess = guess_route(path)
    if guess != path:
        attributes["goinst.http.route.guess"] = guess
    return guess


def set_status(status: int, span: Span) -> None:
    """Set a server's status code; 5xx are its errors."""
    span.attributes["http.response.status_code"] = status
    if status >= 500:
        span.status = "error"
        span.attributes["error.type"] = str(status)


def set_ending(ending: int, status: int, span: Span) -> None:
    """Say how a handler ended that did not return: net/http drops the connection then, or resets the stream. ``status``
    is what it had written before, 0: nothing, so that its client got no answer.

    A handler that gives up because the client has left, as httputil.ReverseProxy does, is no error of the server's. Of
    one that was not seen to end nothing is said but that.
    """
    if status:
        set_status(status, span)
    kind, words = _ENDINGS.get(ending, ("", ""))
    if not kind:
        span.attributes["goinst.end_unseen"] = True
    elif not words:
        span.attributes.setdefault("error.type", kind)  # a 5xx is why it gave up
    else:
        span.attributes["error.type"] = kind
        span.status, span.status_message = "error", words


def set_peer(peer: bytes, attributes: dict[str, Any]) -> None:
    """Set the client from net.Conn.RemoteAddr's text."""
    address, port = host_port(peer)
    if address:
        attributes["network.peer.address"] = address
    if port is not None:
        attributes["client.address"] = address
        attributes["client.port"] = attributes["network.peer.port"] = port


@lru_cache(256)
def host_of(value: bytes) -> str:
    """A Host header's name or address. Its port is what the client thinks it is; the listener's is server.port."""
    text = value.strip().decode("utf-8", "replace")
    if text[:1] == "[":
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def content_type_of(value: bytes) -> list[str]:
    """A header's value as semantic conventions want it: a list, and each span's own, since hooks may change it."""
    return [_text(value)]


@lru_cache(256)
def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
