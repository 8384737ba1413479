"""connectrpc's decoder, from the bytes that its program sends."""

from __future__ import annotations

import random
from typing import Any

import pytest
from goinst.plugins.connectrpc import PROTOCOL

from goinst import Span
from wire import decode

PROCEDURE = b"/acme.v1.Shop/Order"


def rpc(procedure: bytes = PROCEDURE, message: bytes = b"", **more: Any) -> Span:
    values = {
        "procedure_length": len(procedure),
        "procedure": procedure[:128],
        "message_length": len(message),
        "message_copied": len(message[:256]),
        "message": message[:256],
        **more,
    }
    span, counted = decode(PROTOCOL, "connectrpc_rpc", values)
    assert counted == []
    return span


@pytest.mark.parametrize(("protocol", "system"), [(0, "connectrpc"), (1, "grpc"), (2, "grpc"), (99, "grpc")])
def test_name_and_system(protocol: int, system: str) -> None:
    span = rpc(protocol=protocol, kind=3)
    a = span.attributes
    assert (span.name, a["rpc.service"], a["rpc.method"]) == ("acme.v1.Shop/Order", "acme.v1.Shop", "Order")
    assert a["rpc.system.name"] == system
    assert a["goinst.connectrpc.kind"] == "bidi_stream"
    assert a.get("rpc.grpc.status_code") == (0 if protocol else None)


@pytest.mark.parametrize(
    ("code", "name", "error"), [(5, "not_found", False), (13, "internal", True), (99, "code_99", False)]
)
def test_what_came_of_it(code: int, name: str, error: bool) -> None:
    span = rpc(code=code, message=b"told")
    assert span.attributes["rpc.connect_rpc.error_code"] == name
    assert span.attributes["goinst.connectrpc.status_message"] == "told"
    assert (span.status == "error") == error
    assert rpc(code=code, protocol=2).attributes["rpc.grpc.status_code"] == code


def test_an_error_of_an_unknown_kind_has_no_code() -> None:
    span = rpc(code=0xFFFFFFFF, protocol=1)
    assert span.status == "error"
    assert "rpc.grpc.status_code" not in span.attributes


def test_what_is_cut_says_so() -> None:
    assert rpc(procedure=b"/" + b"s" * 200, message=b"m" * 300, code=2).truncated == [
        "rpc.method",
        "goinst.connectrpc.status_message",
    ]


def test_odd_bytes() -> None:
    source = random.Random(6)
    for _ in range(500):
        numbers = {
            name: source.getrandbits(bits)
            for name, bits in [("procedure_length", 16), ("message_copied", 16), ("code", 32), ("kind", 8)]
        }
        span = rpc(source.randbytes(128), source.randbytes(256), protocol=source.getrandbits(8), **numbers)
        assert all(isinstance(value, (str, int)) for value in span.attributes.values())
