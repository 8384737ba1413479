"""What the C text and the decoder of connect-go's RPCs share: the record's columns, and the numbers in it."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NamedTuple

from goinst import u8, u16, u32

__all__ = ["Code", "Rpc", "Wire"]


class Wire(IntEnum):
    """What goes over the wire: Connect's own protocol, gRPC's or gRPC-Web's."""

    CONNECT = 0
    GRPC = 1
    WEB = 2


class Code(IntEnum):
    """Codes that are not an error's own. ``UNKNOWN``: of an error that is none of connect-go's; ``UNCLEAR``: nobody can
    tell."""

    UNKNOWN = 2
    UNCLEAR = 0xFFFFFFFF


class Rpc(NamedTuple):
    """What an RPC was and what came of it."""

    code: u32
    message_length: u32
    procedure_length: u16
    message_copied: u16
    protocol: u8
    kind: u8
    procedure: Annotated[bytes, 128]
    message: Annotated[bytes, 256]
