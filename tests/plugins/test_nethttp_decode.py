"""nethttp's decoder, from the bytes that its programs send."""

from __future__ import annotations

import random
from typing import Any

import pytest
from goinst.plugins.nethttp import PROTOCOL

from goinst import Span
from wire import decode

TLS, HIJACKED, BLOCK_CUT, LINE_SENT = 1, 2, 8, 16
PANICKED, EXITED, ABORTED, LEFT, NOT_SEEN = range(1, 6)
BLOCK = b"GET /ping?a=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def request(block: bytes = BLOCK, *, size: int = 512, **values: Any) -> dict[str, Any]:
    """The columns as the kernel fills them in for a header block."""
    line = block.split(b"\n")[0].rstrip(b"\r").split(b" ")
    peer = values.pop("peer", b"127.0.0.1:51234")
    pattern = values.pop("pattern", b"")
    captured = block[:size]
    return {
        "content_length": 0,
        "written": 4,
        "method_length": len(line[0]),
        "uri_length": len(line[1]) if len(line) > 1 else 0,
        "pattern_length": len(pattern),
        "pattern": pattern[:128],
        "block_length": len(captured),
        "block": captured,
        "status": 200,
        "local_port": 8080,
        "peer_length": len(peer),
        "peer": peer,
        "flags": BLOCK_CUT if len(block) > size else 0,
    } | values


def decoded(block: bytes = BLOCK, *, redact: bool = True, **values: Any) -> Span:
    """The span of a request that is expected to leave nothing to count."""
    span, counted = decode(PROTOCOL, "nethttp_request", request(block, **values), redact=redact)
    assert counted == []
    return span


def test_an_ordinary_request() -> None:
    span = decoded()
    assert span.name == "GET /ping"
    assert span.status == "unset"
    assert span.truncated == []
    assert (span.trace_id, span.parent_span_id) == (0xA1, 0)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.path": "/ping",
        "url.query": "a=REDACTED",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": 4,
        "network.peer.address": "127.0.0.1",
        "network.peer.port": 51234,
        "client.address": "127.0.0.1",
        "client.port": 51234,
        "server.address": "127.0.0.1",
        "server.port": 8080,
        "user_agent.original": "curl/8.5.0",
        "goinst.http.server.handler.duration_ns": 1_500,
    }


def test_tls_and_http_1_0() -> None:
    span = decoded(b"GET / HTTP/1.0\r\n\r\n", flags=TLS)
    assert span.attributes["url.scheme"] == "https"
    assert span.attributes["network.protocol.version"] == "1.0"
    assert "server.address" not in span.attributes
    assert span.name == "GET /"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"token=secret", "token=REDACTED"),
        (b"a=1&b=2&c", "a=REDACTED&b=REDACTED&c"),
        (b"a=1=2;b=3", "a=REDACTED"),
        (b"=x", "=REDACTED"),
        (b"a=", "a=REDACTED"),
        (b"a=?b=1", "a=REDACTED"),
    ],
)
def test_query_values_are_redacted(query: bytes, shown: str) -> None:
    block = b"GET /x?" + query + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    assert decoded(block).attributes["url.query"] == shown
    assert decoded(block, redact=False).attributes["url.query"] == query.decode()
    assert decoded(block).attributes["url.path"] == "/x"
    assert decoded(block).name == "GET /x"


def test_an_empty_query_is_one() -> None:
    assert decoded(b"GET /x? HTTP/1.1\r\n\r\n").attributes["url.query"] == ""
    assert "url.query" not in decoded(b"GET /x HTTP/1.1\r\n\r\n").attributes


def test_a_keep_alive_connection_with_its_own_lengths_each_time() -> None:
    for path in (b"/", b"/" + b"x" * 200, b"/short"):
        block = b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        assert decoded(block).attributes["url.path"] == path.decode()


def test_lines_that_end_in_a_bare_line_feed() -> None:
    block = BLOCK.replace(b"\r\n", b"\n")
    assert decoded(block).attributes == decoded().attributes


@pytest.mark.parametrize("size", range(len(BLOCK)))
def test_a_block_that_is_cut_anywhere(size: int) -> None:
    """Whatever is shown of a request is right. Its program sends the line by itself when the block ends before it."""
    values = request(size=max(size, 1))
    span, counted = decode(PROTOCOL, "nethttp_request", values)
    whole = decoded().attributes
    for name, value in span.attributes.items():
        assert value == whole[name], name
    assert "http.request.header" in span.truncated or "user_agent.original" in span.attributes
    assert counted == ([] if "http.request.method" in span.attributes else ["header_unreadable"])
    assert ("url.path" in span.truncated) == bool(counted)


def line(uri: bytes = b"/ping?a=1", **values: Any) -> dict[str, Any]:
    """The columns of a nethttp_line, as the kernel fills them in from net/http.Request."""
    given = {"method": b"GET", "host": b"h.example:80", "agent": b"curl/8.5.0", "parent": b""} | values
    lengths = {f"{name}_length": len(text) for name, text in given.items() if isinstance(text, bytes)}
    return {"uri_length": len(uri), "uri_copied": min(len(uri), 512), "minor": 1, "uri": uri[:512]} | lengths | given


def lined(uri: bytes = b"/ping?a=1", *, columns: dict[str, Any] | None = None, **values: Any) -> Span:
    """A request whose block was not its own, and what its program sends instead."""
    own = {"method_length": 3, "uri_length": len(uri), "flags": LINE_SENT, **(columns or {})}
    span, counted = decode(PROTOCOL, "nethttp_request", request(b"", **own))
    assert counted == []
    span, counted = decode(PROTOCOL, "nethttp_line", line(uri, **values), span=span)
    assert counted == []
    return span


def test_a_line_of_its_own_says_what_a_block_does() -> None:
    span, whole = lined(host=b"127.0.0.1:8080"), decoded()
    assert span.attributes == whole.attributes
    assert (span.name, span.truncated) == (whole.name, [])


def test_a_line_of_its_own_that_is_cut() -> None:
    assert lined(b"/" + b"a" * 600).truncated == ["url.path"]
    assert lined(b"/?" + b"a" * 600).truncated == ["url.query"]


def test_a_line_that_got_lost_is_missing_and_said() -> None:
    span, counted = decode(PROTOCOL, "nethttp_request", request(b"", method_length=3, uri_length=9, flags=LINE_SENT))
    assert counted == []
    assert span.truncated == ["url.path"]
    assert span.name == "HTTP"
    assert "http.request.method" not in span.attributes


def test_head_in_a_line_of_its_own() -> None:
    assert "http.response.body.size" not in lined(method=b"HEAD", columns={"written": 500}).attributes


def test_a_line_keeps_the_template() -> None:
    span = lined(columns={"pattern": b"GET /{x}", "pattern_length": 8})
    assert (span.name, span.attributes["http.route"]) == ("GET /{x}", "/{x}")


def test_a_long_header_is_used_up_to_the_cut() -> None:
    block = b"GET /x HTTP/1.1\r\nHost: h.example\r\nCookie: " + b"c" * 600 + b"\r\nUser-Agent: late\r\n\r\n"
    span = decoded(block)
    assert span.attributes["server.address"] == "h.example"
    assert "user_agent.original" not in span.attributes
    assert span.truncated == ["http.request.header"]


def test_an_unknown_method_does_not_name_spans() -> None:
    span = decoded(b"BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n")
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"
    assert span.name == "HTTP /pot"
    # methods are case-sensitive (RFC 9110 section 9.1)
    assert decoded(b"get / HTTP/1.1\r\n\r\n").attributes["http.request.method"] == "_OTHER"


def test_a_response_to_head_has_no_body() -> None:
    assert "http.response.body.size" not in decoded(b"HEAD / HTTP/1.1\r\n\r\n", written=500).attributes


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://other.example/a/b?c=d", "/a/b", "other.example"),
        (b"http://user:password@other.example:81/a", "/a", "other.example"),
        (b"https://[2001:db8::1]:443/", "/", "2001:db8::1"),
        (b"http://other.example", "/", "other.example"),
        (b"http://other.example?c=d", "/", "other.example"),
        (b"http://other.example?c=/d/", "/", "other.example"),
        (b"/a?u=http://other.example/b", "/a", "127.0.0.1"),
        (b"*", "*", "127.0.0.1"),
    ],
)
def test_forms_of_the_target(target: bytes, path: str, host: str) -> None:
    block = BLOCK.replace(b"/ping?a=1", target)
    span = decoded(block)
    assert span.attributes["url.path"] == path
    assert span.attributes["server.address"] == host
    assert "password" not in repr(span)


def test_connect_has_no_path() -> None:
    span = decoded(b"CONNECT db.internal:5432 HTTP/1.1\r\nHost: ignored\r\n\r\n")
    assert span.name == "CONNECT"
    assert "url.path" not in span.attributes
    assert span.attributes["server.address"] == "db.internal"


def test_bytes_that_are_not_utf_8() -> None:
    span = decoded(b"GET /caf\xe9/\xff?\xfe=\xfd HTTP/1.1\r\nHost: \xf0\r\nUser-Agent: \x80\r\n\r\n", redact=False)
    assert span.attributes["url.path"] == "/caf\ufffd/\ufffd"
    assert span.attributes["url.query"] == "\ufffd=\ufffd"
    assert span.attributes["user_agent.original"] == "\ufffd"
    for value in span.attributes.values():
        str(value).encode()  # an exporter must be able to write it


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, "unset"), (200, "unset"), (404, "unset"), (499, "unset"), (500, "error"), (599, "error")],
)
def test_status(status: int, outcome: str) -> None:
    span = decoded(status=status)
    assert span.attributes["http.response.status_code"] == (status or 200)
    assert span.status == outcome
    assert span.attributes.get("error.type") == (str(status) if outcome == "error" else None)


@pytest.mark.parametrize(
    ("ending", "kind", "words"),
    [(PANICKED, "panic", "panicked"), (EXITED, "goexit", "Goexit"), (ABORTED, "aborted", "ErrAbortHandler")],
)
def test_a_handler_that_did_not_return(ending: int, kind: str, words: str) -> None:
    span = decoded(ending=ending, status=0, written=0)
    assert span.status == "error"
    assert span.attributes["error.type"] == kind
    assert words in span.status_message
    assert "http.response.status_code" not in span.attributes
    assert decoded(ending=ending, status=201).attributes["http.response.status_code"] == 201
    taken = decoded(ending=ending, flags=HIJACKED)
    assert taken.attributes["error.type"] == kind
    assert taken.attributes["goinst.http.hijacked"] is True


def test_a_handler_that_gave_up_because_its_client_left() -> None:
    """No error of the server's; a status that is one stays."""
    span = decoded(ending=LEFT, status=200)
    assert (span.status, span.attributes["error.type"]) == ("unset", "client_disconnected")
    assert span.attributes["http.response.status_code"] == 200
    span = decoded(ending=LEFT, status=502)
    assert (span.status, span.attributes["error.type"]) == ("error", "502")


def test_an_end_that_was_not_seen_is_no_error() -> None:
    span = decoded(ending=NOT_SEEN, status=200)
    assert span.status == "unset"
    assert "error.type" not in span.attributes
    assert span.attributes["goinst.end_unseen"] is True
    assert span.attributes["http.response.status_code"] == 200
    assert "http.response.status_code" not in decoded(ending=NOT_SEEN, status=0).attributes


def test_a_hijacked_connection() -> None:
    span = decoded(flags=HIJACKED | TLS, status=0, written=0)
    assert span.attributes["goinst.http.hijacked"] is True
    assert span.attributes["url.scheme"] == "https"
    assert span.status == "unset"
    for name in ("http.response.status_code", "http.response.body.size", "error.type", "goinst.end_unseen"):
        assert name not in span.attributes


def test_sizes_that_are_not_known() -> None:
    attributes = decoded(content_length=-1, written=-1).attributes
    assert "http.request.body.size" not in attributes
    assert "http.response.body.size" not in attributes
    assert decoded(content_length=1 << 40).attributes["http.request.body.size"] == 1 << 40


@pytest.mark.parametrize(
    ("peer", "address", "port"),
    [
        (b"10.1.2.3:80", "10.1.2.3", 80),
        (b"[2001:db8::7]:65535", "2001:db8::7", 65535),
        (b"[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        (b"@", "@", None),
        (b"/run/app.sock", "/run/app.sock", None),
        (b"/run/a:b.sock", "/run/a:b.sock", None),
        (b"pipe", "pipe", None),
        (b"host:\xb2", "host:\ufffd", None),
        (b"", None, None),
    ],
)
def test_peers(peer: bytes, address: str | None, port: int | None) -> None:
    attributes = decoded(peer=peer).attributes
    assert attributes.get("network.peer.address") == address
    assert attributes.get("network.peer.port") == port
    assert attributes.get("client.address") == (address if port else None)
    assert attributes.get("client.port") == port


def test_a_peer_longer_than_its_column() -> None:
    span = decoded(peer=b"[" + b"f" * 56, peer_length=200)
    assert span.attributes["network.peer.address"] == "[" + "f" * 56


@pytest.mark.parametrize(
    ("pattern", "route"),
    [
        (b"/items/{id}", "/items/{id}"),
        (b"GET /items/{id}", "/items/{id}"),
        (b"POST  /a", "/a"),
        (b"example.com/b/", "/b/"),
        (b"GET example.com/b/{rest...}", "/b/{rest...}"),
        (b"/", "/"),
    ],
)
def test_routes(pattern: bytes, route: str) -> None:
    span = decoded(pattern=pattern)
    assert span.attributes["http.route"] == route
    assert span.attributes["url.path"] == "/ping"
    assert span.name == f"GET {route}"
    assert span.truncated == []


def test_a_route_that_is_cut() -> None:
    span = decoded(pattern=b"GET /" + b"r" * 200)
    assert span.attributes["http.route"] == "/" + "r" * 123
    assert span.truncated == ["http.route"]


def test_a_route_that_is_none() -> None:
    assert "http.route" not in decoded(pattern=b"\0\0\0").attributes
    assert decoded(pattern=b"nonsense").name == "GET /ping"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (b"example.com", "example.com"),
        (b"example.com:8080", "example.com"),
        (b"[::1]:8080", "::1"),
        (b"[::1]", "::1"),
        (b"[::1", "::1"),
        (b"  spaced.example  ", "spaced.example"),
        (b"", None),
        (b":80", None),
    ],
)
def test_hosts(host: bytes, address: str | None) -> None:
    span = decoded(b"GET / HTTP/1.1\r\nHOST:" + host + b"\r\nuser-AGENT:\tx \r\n\r\n")
    assert span.attributes.get("server.address") == address
    assert span.attributes["user_agent.original"] == "x"


def test_header_names_inside_values_are_not_headers() -> None:
    span = decoded(b"GET / HTTP/1.1\r\nX-Host: a\r\nReferer: x host: b\r\nX: user-agent: c\r\nHost: right\r\n\r\n")
    assert span.attributes["server.address"] == "right"
    assert "user_agent.original" not in span.attributes


def traced(value: str) -> tuple[int, int]:
    span = decoded(b"GET / HTTP/1.1\r\nTraceparent: " + value.encode() + b"\r\n\r\n")
    return span.trace_id, span.parent_span_id


@pytest.mark.parametrize(
    "value",
    [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"01-{TRACE}-{PARENT}-01", f"01-{TRACE}-{PARENT}-01-x-y"],
)
def test_the_callers_trace_is_taken_over(value: str) -> None:
    assert traced(value) == (int(TRACE, 16), int(PARENT, 16))


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\0",
        f"00_{TRACE}_{PARENT}_01",
        f"00-+{TRACE[1:]}-{PARENT}-01",
    ],
)
def test_a_malformed_trace_is_as_if_it_were_not_there(value: str) -> None:
    assert traced(value) == (0xA1, 0)


def mutated(rng: random.Random, block: bytes) -> bytes:
    data = bytearray(block)
    for _ in range(rng.randint(0, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at:at] = rng.choice([b"\r\n", b"\n", b" ", b"\0", b"\xff", b"\r\n\r\n", b" HTTP/1.1\r\n", b"://"])
            case 1:
                del data[at : at + rng.randint(1, 9)]
            case 2:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case _:
                data[at:at] = bytes(data[: rng.randint(0, 40)])
    return bytes(data)


def test_no_bytes_make_it_fail() -> None:
    """3,000 records of mutated blocks, lies about lengths, and noise: never an exception, never text that can't be
    written, and never an attribute of the wrong type."""
    rng = random.Random(1)
    types = {"http.response.status_code": int, "client.port": int, "url.path": str, "http.request.method": str}
    strange = b"GET http://a@b/c?d HTTP/1.0\r\nTraceparent: 00-\r\n\r\n"
    blocks = [BLOCK, BLOCK * 3, b"CONNECT h:1 HTTP/1.1\r\n\r\n", strange]
    limits = {"uri_length": 32, "method_length": 32, "pattern_length": 32, "status": 16}
    limits |= {"peer_length": 8, "flags": 8}
    for _ in range(3_000):
        block = mutated(rng, rng.choice(blocks)) if rng.random() < 0.9 else rng.randbytes(rng.randrange(512))
        values = request(block)
        for name, bits in limits.items():
            if rng.random() < 0.15:
                values[name] = rng.choice([0, 1, (1 << bits) - 1, rng.getrandbits(bits)])
        if rng.random() < 0.2:
            values |= {"peer": rng.randbytes(57), "peer_length": 57, "pattern": rng.randbytes(128)}
        span, counted = decode(PROTOCOL, "nethttp_request", values, redact=rng.random() < 0.5)
        assert set(counted) <= {"header_unreadable"}
        for name, value in span.attributes.items():
            assert isinstance(value, types.get(name, (str, int, bool))), name
            if isinstance(value, str):
                value.encode()
        span.name.encode()


_EXPRESSION = "(?:(?:[a-z0-9]{1,3}|[a-zA-Z0-9-]*[a-zA-Z0-9])(?:/[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*)*)+"
_LONG = f"/v2/{{name:{_EXPRESSION * 2}}}/blobs/{{digest:[a-z:]+}}"


@pytest.mark.parametrize(
    ("template", "name", "cut"),
    [
        ("/users/{id:[0-9]{3}}/x", "GET /users/{id}/x", False),
        ("/plain:x/{id}", "GET /plain:x/{id}", False),
        ("/open/{id:[0-9", "GET /open/{id", False),
        (_LONG, "GET /v2/{name}/blobs/{digest}", False),
        ("/" + "r" * 600, "GET /" + "r" * 511, True),
    ],
)
def test_a_template_with_regular_expressions(template: str, name: str, cut: bool) -> None:
    """gorilla/mux: the route is what the program wrote, the span's name has the variables only."""
    text = template.encode()
    pieces = [text[start : start + 128] for start in range(0, 512, 128)]
    columns: dict[str, Any] = {"router": 2, "count": len(text) // 128}
    for number, piece in enumerate(pieces):
        columns |= {f"length{number}": len(piece), f"part{number}": piece}
    span, counted = decode(PROTOCOL, "nethttp_route", columns)
    assert counted == []
    assert span.attributes["http.route"] == template[:512]
    assert span.name.endswith(name.removeprefix("GET"))
    assert span.truncated == (["http.route"] if cut else [])


@pytest.mark.parametrize(
    ("header", "name", "trace"),
    [
        (f"b3: {TRACE}-{PARENT}-1", "b3", TRACE),
        (f"B3: {TRACE}-{PARENT}", "b3", TRACE),
        (f"b3: {TRACE[16:]}-{PARENT}-1-{PARENT}", "b3", TRACE[16:]),
        (f"X-B3-TraceId: {TRACE}\r\nX-B3-SpanId: {PARENT}\r\nX-B3-Sampled: 1", "b3", TRACE),
        (f"uber-trace-id: {TRACE}:{PARENT}:0:1", "jaeger", TRACE),
        (f"Uber-Trace-Id: {TRACE.lstrip('0')}%3A{PARENT}%3A0%3A1", "jaeger", TRACE),
    ],
)
def test_contexts_that_are_not_w3cs(header: str, name: str, trace: str) -> None:
    span = decoded(BLOCK.replace(b"Accept: */*", header.encode()))
    assert (span.trace_id, span.parent_span_id) == (int(trace, 16), int(PARENT, 16))
    assert span.attributes["goinst.trace_context"] == name


@pytest.mark.parametrize(
    "header",
    [
        "b3: 0",
        f"b3: {TRACE}",
        f"b3: {TRACE}-{PARENT}x",
        f"b3: {'0' * 32}-{PARENT}-1",
        f"X-B3-TraceId: {TRACE}",
        f"uber-trace-id: {TRACE}:0:0:1",
        f"uber-trace-id: {TRACE}",
        f"x-note: b3: {TRACE}-{PARENT}-1",
    ],
)
def test_contexts_that_make_no_sense(header: str) -> None:
    span = decoded(BLOCK.replace(b"Accept: */*", header.encode()))
    assert (span.trace_id, span.parent_span_id) == (0xA1, 0)
    assert "goinst.trace_context" not in span.attributes


def test_w3cs_context_comes_first_and_its_state_is_kept() -> None:
    fields = f"b3: {'1' * 32}-{'2' * 16}-1\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\nTraceState: vendor=a,other=b"
    span = decoded(BLOCK.replace(b"Accept: */*", fields.encode()))
    assert (span.trace_id, span.parent_span_id) == (int(TRACE, 16), int(PARENT, 16))
    assert span.attributes["goinst.tracestate"] == "vendor=a,other=b"
    assert "goinst.trace_context" not in span.attributes
