"""What no plugin may show, and what every plugin must read alike: one list of secrets, one traceparent."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from goinst.plugins.grpc import PROTOCOL as GRPC
from goinst.plugins.http2 import PROTOCOL as HTTP2
from goinst.plugins.jsonrpc.streams import PROTOCOL as JSONSTREAM
from goinst.plugins.nethttp import PROTOCOL as NETHTTP

from goinst import SECRET_HEADERS, Span, parse_traceparent, redact_header, redact_url
from wire import decode

PLUGINS = Path(__file__).parents[2] / "plugins"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _pairs(name: str, value: str) -> bytes:
    return bytes((len(name), len(value))) + name.encode() + value.encode()


def _nethttp(response: int) -> Callable[[str, str, bool], Span]:
    def shown(name: str, value: str, redact: bool) -> Span:
        data = _pairs(name, value)
        values = {"response": response, "length": len(data), "data": data}
        options = {"capture_headers": f"x-tenant, {name}"}
        return decode(NETHTTP, "nethttp_headers", values, options=options, redact=redact)[0]

    return shown


def _http2(name: str, value: str, redact: bool) -> Span:
    data = _pairs(name, value)
    return decode(HTTP2, "http2_headers", {"length": len(data), "data": data}, redact=redact)[0]


def _grpc(name: str, value: str, redact: bool) -> Span:
    values = {
        "key": name.encode(), "key_length": len(name), "value": value.encode(), "value_length": len(value),
        "value_whole": len(value),
    }  # fmt: skip
    return decode(GRPC, "grpc_metadata", values, options={"capture_metadata": name}, redact=redact)[0]


# every plugin that can show a header or an entry of metadata
SHOW = {"nethttp request": _nethttp(0), "nethttp response": _nethttp(1), "http2": _http2, "grpc": _grpc}
NAMES = [
    *sorted(SECRET_HEADERS),
    "Authorization", "SET-COOKIE", "grpcgateway-authorization", "Grpc-Metadata-Cookie", "x-forwarded-cookie",
    "authorization-bin", "shop-api-key", "X-Shop-ApiKey", "session_token", "x-client-secret", "db-password",
]  # fmt: skip


@pytest.mark.parametrize("show", SHOW.values(), ids=SHOW)
def test_no_plugin_shows_a_secret(show: Callable[[str, str, bool], Span]) -> None:
    for name in NAMES:
        hidden, shown = show(name, "s3cret", True), show(name, "s3cret", False)
        assert "s3cret" not in repr(hidden.attributes), name
        assert "REDACTED" in repr(hidden.attributes), name
        assert "s3cret" in repr(shown.attributes), name
    for name in ("x-tenant", "content-type", "x-request-id", "idempotency-key", "sec-websocket-key", "etag"):
        assert "blue" in repr(show(name, "blue", True).attributes), name
    for name in ("Location", "referer", "x-original-url", "X-Envoy-Original-Path"):
        value = "https://bob:s3cret@h/a?code=s3cret&x#token=s3cret"
        assert "s3cret" not in repr(show(name, value, True).attributes), name
        assert "https://REDACTED@h/a?code=REDACTED&x#token=REDACTED" in repr(show(name, value, True).attributes)


def test_there_is_no_other_plugin_that_shows_headers_and_no_other_list() -> None:
    showing, listing = set(), set()
    for path in PLUGINS.rglob("*.py"):
        text = path.read_text()
        if re.search(r"header\.\{|metadata\.\{|\{where\}\.\{", text):
            showing.add(path.parent.name)
        if re.search(r"""["']set-cookie["']|["'](?:proxy-)?authorization["']""", text):
            listing.add(path.name)
    assert showing == {name.partition(" ")[0] for name in SHOW}
    assert listing == set()


def test_redacting_by_itself() -> None:
    assert redact_header("cookie", "") == "REDACTED"
    assert redact_header("x-tenant", "a=b?c=d") == "a=b?c=d"
    assert redact_url("/a//b@c?d=e") == "/a//b@c?d=REDACTED"
    assert redact_url("//user@h/p") == "//REDACTED@h/p"
    assert redact_url("https://u:p@w@h/p@q") == "https://REDACTED@h/p@q"
    assert redact_url("/plain#section") == "/plain#section"


def _adopted(made: Span) -> tuple[int, int] | None:
    before = decode(GRPC, "grpc_metadata", {}, options={"capture_metadata": ""})[0]
    after = made.trace_id, made.parent_span_id
    return None if after == (before.trace_id, before.parent_span_id) else after


def _by_request(value: bytes) -> Span:
    block = b"GET / HTTP/1.1\r\nHost: h\r\nTraceparent: " + value + b"\r\n\r\n"
    values = {"method_length": 3, "uri_length": 1, "block_length": len(block), "block": block}
    return decode(NETHTTP, "nethttp_request", values)[0]


def _by_line(value: bytes) -> Span:
    return decode(NETHTTP, "nethttp_line", {"parent": value[:64], "parent_length": len(value[:64])})[0]


def _by_stream(value: bytes) -> Span:
    return decode(NETHTTP, "nethttp_stream", {"parent": value[:64], "parent_length": len(value[:64])})[0]


def _by_rpc(value: bytes) -> Span:
    return decode(GRPC, "grpc_server", {"context": value[:55], "context_length": len(value[:55])})[0]


def _by_message(value: bytes) -> Span:
    import json

    message = {"jsonrpc": "2.0", "method": "n", "params": {"_meta": {"traceparent": value.decode("latin-1")}}}
    data = json.dumps(message).encode() + b"\n"
    values = {"length": len(data), "copied": len(data), "final": 1, "last": 10, "data": data, "time": 5, "stream": 3}
    values |= {"trace_high": 0, "trace_low": 0xA1, "source": 3}
    (span,) = decode(JSONSTREAM, "jsonstream_piece", values, options={"message_bytes": 1024})[0].children
    return span


READ = {"request": _by_request, "line": _by_line, "stream": _by_stream, "rpc": _by_rpc, "message": _by_message}
GOOD, ZERO = f"00-{TRACE}-{PARENT}-01", "0"
PARENTS: dict[str, bool] = {
    GOOD: True,
    f"cc-{TRACE}-{PARENT}-00": True,
    f"00-{TRACE}-{PARENT}-01-extra": False,
    f"00-{TRACE}-{PARENT}-01-": False,
    f"00-{TRACE}-{PARENT}-0": False,
    f"00-{TRACE}-{PARENT}-0x": False,
    f"00-{TRACE}-{PARENT}01": False,
    f"ff-{TRACE}-{PARENT}-01": False,
    f"00-{TRACE.upper()}-{PARENT}-01": False,
    f"00-{ZERO * 32}-{PARENT}-01": False,
    f"00-{TRACE}-{ZERO * 16}-01": False,
    f"00-{TRACE[:-1]}-{PARENT}-01": False,
    f"00_{TRACE}-{PARENT}-01": False,
    f"0٣-{TRACE}-{PARENT}-01"[:55]: False,
    "": False,
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_every_plugin_takes_the_same_traceparents(read: Callable[[bytes], Any]) -> None:
    for text, good in PARENTS.items():
        if read is _by_rpc and len(text) > 55:
            continue  # the program sends none that is longer
        found = _adopted(read(text.encode()))
        assert found == ((int(TRACE, 16), int(PARENT, 16)) if good else None), text
        assert (parse_traceparent(text) is not None) == good, text


def test_later_versions_may_say_more() -> None:
    later = parse_traceparent(f"01-{TRACE}-{PARENT}-02-what\nelse")
    assert later == (int(TRACE, 16), int(PARENT, 16), False)
    assert parse_traceparent(f"01-{TRACE}-{PARENT}-01what") is None
    assert parse_traceparent(GOOD.encode()) == (int(TRACE, 16), int(PARENT, 16), True)


def test_no_two_spans_share_a_list() -> None:
    """A hook may change in place what a span has: the next one must not be changed with it."""
    block = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    values = {"method_length": 3, "uri_length": 1, "block_length": len(block), "block": block,
              "content_type": b"text/html", "content_type_length": 9}  # fmt: skip
    client = {"content_type": b"text/html", "content_type_length": 9}
    stream = {"content_type": b"text/html", "content_type_length": 9}
    for name, given in (("nethttp_request", values), ("nethttp_client", client), ("nethttp_stream", stream)):
        first, second = (decode(NETHTTP, name, given)[0] for _ in range(2))
        first.attributes["http.response.header.content-type"][0] = "changed"
        assert second.attributes["http.response.header.content-type"] == ["text/html"]
    for name, show in SHOW.items():
        first, second = show("x-tenant", "blue", True), show("x-tenant", "blue", True)
        shared = [key for key, value in first.attributes.items() if second.attributes[key] is value]
        assert [key for key in shared if isinstance(first.attributes[key], list | dict)] == [], name
    with pytest.raises(TypeError):
        first.resource.attributes["service.name"] = "another"  # type: ignore[index]
