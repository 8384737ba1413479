"""grpc's decoders, from the bytes that its programs send."""

from __future__ import annotations

import random
from typing import Any

import pytest
from goinst.plugins.grpc import PROTOCOL
from goinst.plugins.grpc.decode import CODES

from goinst import Span
from wire import decode

METHOD = b"/pkg.Service/Method"
NONE, STATUS, TEXT, DEADLINE, OTHER = range(5)


def values(method: bytes = METHOD, message: bytes = b"", **more: Any) -> dict[str, Any]:
    return {
        "method_length": len(method),
        "method": method[:128],
        "message_length": len(message),
        "message_copied": len(message[:256]),
        "tail": message[:256],
        **more,
    }


def served(**more: Any) -> Span:
    span, counted = decode(PROTOCOL, "grpc_server", values(**more))
    assert counted == []
    return span


def made(**more: Any) -> Span:
    span, counted = decode(PROTOCOL, "grpc_client", values(**more))
    assert counted == []
    return span


@pytest.mark.parametrize(
    ("method", "name", "service"),
    [
        (b"/pkg.Service/Method", "pkg.Service/Method", "pkg.Service"),
        (b"/a/b/c", "a/b/c", "a/b"),
        (b"no-slash", "no-slash", None),
        (b"", "grpc", None),
    ],
)
def test_method(method: bytes, name: str, service: str | None) -> None:
    span = served(method=method)
    assert span.name == name
    assert span.attributes.get("rpc.service") == service
    assert span.attributes["rpc.system.name"] == "grpc"


def test_a_long_method_says_that_it_is_cut() -> None:
    span = served(method=b"/" + b"s" * 200 + b"/M")
    assert span.truncated == ["rpc.method"]


@pytest.mark.parametrize("code", range(17))
def test_codes_by_name_and_number(code: int) -> None:
    ours, theirs = served(code=code, message=b"why"), made(error=STATUS, code=code, message=b"why")
    for span in (ours, theirs):
        assert span.attributes["rpc.grpc.status_code"] == code
        assert span.attributes["goinst.grpc.status"] == CODES[code]
    assert (theirs.status == "error") == (code != 0)
    # semantic conventions for gRPC: what is the server's fault
    assert (ours.status == "error") == (CODES[code] in {
        "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    })  # fmt: skip


def test_a_code_that_grpc_does_not_define() -> None:
    assert served(code=99).attributes["goinst.grpc.status"] == "CODE(99)"


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (NONE, b"", 0),
        (TEXT, b"EOF", 0),
        (TEXT, b"context canceled", 1),
        (TEXT, b"other", 2),
        (DEADLINE, b"", 4),
        (OTHER, b"", 2),
    ],
)
def test_what_the_callers_error_means(error: int, text: bytes, code: int) -> None:
    assert made(error=error, message=text).attributes["rpc.grpc.status_code"] == code


@pytest.mark.parametrize(
    ("address", "shown", "family"),
    [
        (bytes([10, 0, 0, 7]), "10.0.0.7", "ipv4"),
        (bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 7]), "10.0.0.7", "ipv4"),
        (bytes(15) + b"\1", "::1", "ipv6"),
    ],
)
def test_tcp_addresses(address: bytes, shown: str, family: str) -> None:
    a = served(peer_kind=1, peer=address, peer_length=len(address), peer_port=4711).attributes
    assert a["network.peer.address"] == a["client.address"] == shown
    assert a["network.peer.port"] == a["client.port"] == 4711
    assert a["network.type"] == family
    assert a["network.transport"] == "tcp"


def test_unix_and_unknown_addresses() -> None:
    a = made(peer_kind=2, peer=b"/run/s", peer_length=6).attributes
    assert (a["network.transport"], a["network.peer.address"]) == ("unix", "/run/s")
    assert not [key for key in made().attributes if key.startswith("network.")]
    cut = made(peer_kind=2, peer=b"p" * 64, peer_length=64)
    assert cut.truncated == ["network.peer.address"]


@pytest.mark.parametrize(
    ("authority", "host", "port"),
    [(b"api:443", "api", 443), (b"api", "api", None), (b"[::1]:80", "::1", 80), (b"::1", "::1", None)],
)
def test_the_server_that_is_called(authority: bytes, host: str, port: int | None) -> None:
    a = made(authority=authority, authority_length=len(authority)).attributes
    assert a["server.address"] == host
    assert a.get("server.port") == port


def test_deadlines() -> None:
    """new_span begins at 1.7e18 ns. With the monotonic bit, wall counts from 1885; without it, ext from year 1."""
    seconds = 1_700_000_002
    monotonic = 1 << 63 | (seconds - 59_453_308_800 + 62_135_596_800) << 30 | 500
    for wall, ext in ((monotonic, 5), (500, seconds + 62_135_596_800)):
        span = made(flags=8, deadline_wall=wall, deadline_ext=ext)
        assert span.attributes["goinst.grpc.timeout_ns"] == 2_000_000_500
    assert "goinst.grpc.timeout_ns" not in made(flags=8, deadline_wall=0, deadline_ext=0).attributes
    assert "goinst.grpc.timeout_ns" not in made(deadline_wall=monotonic).attributes


@pytest.mark.parametrize(("flags", "kind"), [(2, "panic"), (64, "goexit")])
def test_a_handler_that_did_not_return(flags: int, kind: str) -> None:
    span = served(flags=flags)
    assert span.status == "error"
    assert span.attributes["error.type"] == kind
    assert "rpc.grpc.status_code" not in span.attributes


def test_trace_context() -> None:
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    span = served(context=parent, context_length=len(parent))
    assert (span.trace_id, span.parent_span_id) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    for bad in (parent[:-1], parent.replace(b"00-", b"ff-", 1), parent.replace(b"a", b"g"), b"", b"-" * 55):
        assert served(context=bad, context_length=len(bad)).trace_id == 0xA1


def test_metadata_is_what_was_asked_for() -> None:
    def entry(key: bytes, value: bytes, *, redact: bool = True) -> Span:
        record = {
            "key": key, "key_length": len(key), "value": value[:256], "value_length": len(value[:256]),
            "value_whole": len(value),
        }  # fmt: skip
        options = {"capture_metadata": "x-tenant, Authorization"}
        return decode(PROTOCOL, "grpc_metadata", record, options=options, redact=redact)[0]

    assert entry(b"x-tenant", b"blue").attributes == {"rpc.grpc.request.metadata.x-tenant": ["blue"]}
    assert entry(b"x-other", b"blue").attributes == {}
    secret = "rpc.grpc.request.metadata.authorization"
    assert entry(b"authorization", b"Bearer s").attributes == {secret: ["REDACTED"]}
    assert entry(b"authorization", b"Bearer s", redact=False).attributes == {secret: ["Bearer s"]}
    assert entry(b"x-tenant", b"v" * 300).truncated == ["rpc.grpc.request.metadata.x-tenant"]


def test_damaged_records_do_no_harm() -> None:
    """Every column at random: a span comes out, with a name, and no exception."""
    dice = random.Random(6)
    for record in PROTOCOL.records:
        for _ in range(500):
            damaged: dict[str, Any] = {}
            for column in record.columns:
                if column.type == "bytes":
                    damaged[column.name] = dice.randbytes(int(column.size))
                else:
                    bits = int(column.type[1:])
                    low = -(1 << bits - 1) if column.type[0] == "i" else 0
                    damaged[column.name] = dice.choice([0, dice.randrange(low, low + (1 << bits))])
            span, _ = decode(PROTOCOL, record.name, damaged)
            assert span.name


def test_messages_are_there_when_they_are_asked_for() -> None:
    record = values(sent=2, received=1, sent_bytes=300, received_bytes=7, first_response=1000, kind=4 | 2)
    for name in ("grpc_server", "grpc_client"):
        span, _ = decode(PROTOCOL, name, record, options={"messages": True})
        assert {key: value for key, value in span.attributes.items() if "sent" in key or "received" in key} == {
            "goinst.grpc.messages.sent": 2,
            "goinst.grpc.messages.received": 1,
            "goinst.grpc.bytes.sent": 300,
            "goinst.grpc.bytes.received": 7,
        }
        assert span.attributes["goinst.grpc.first_response_ns"] == 1000
        assert span.attributes["goinst.grpc.kind"] == "server_stream"
    assert not any("messages" in key for key in served(sent=2).attributes)
    assert "goinst.grpc.kind" not in served(kind=0).attributes


def test_encoding_of_the_response() -> None:
    assert served(answer=b"gzip", answer_length=4).attributes["goinst.grpc.response_encoding"] == "gzip"
    assert "goinst.grpc.response_encoding" not in served().attributes
