"""What the C text and the decoders of grpc-go's RPCs share: the columns of each record, and the numbers in them."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, NamedTuple

from goinst import i64, u8, u16, u32, u64

__all__ = ["Address", "Called", "ErrorKind", "Flag", "Kind", "Metadata", "Served"]


class Flag(IntFlag):
    """Of an RPC. ``CRASHED``: its handler's panic ended the process; ``EXITED``: it left by runtime.Goexit;
    ``SERVED_BY_HTTP``: over net/http; ``HAS_STATUS``: what came of it is known."""

    TLS = 1
    CRASHED = 2
    METADATA_CUT = 4
    DEADLINE = 8
    SERVED_BY_HTTP = 16
    HAS_STATUS = 32
    EXITED = 64


class Address(IntEnum):
    """What an address is; 0: unknown. ``TEXT``: as net.Addr says it."""

    TCP = 1
    UNIX = 2
    TEXT = 3


class ErrorKind(IntEnum):
    """What the error of a finished call is. ``TEXT_ERROR``: of errors.New."""

    NO_ERROR = 0
    STATUS_ERROR = 1
    TEXT_ERROR = 2
    DEADLINE_ERROR = 3
    OTHER_ERROR = 4


class Kind(IntFlag):
    """Beside the kind of a stream, whose bits are Go's: whether it is known. A server's has nothing else that tells
    unary from unknown."""

    KIND_KNOWN = 4


class Served(NamedTuple):
    """An RPC that a server handles."""

    stream: u64
    metadata: u64
    sent_bytes: u64
    received_bytes: u64
    first_response: u64
    sent: u32
    received: u32
    deadline_wall: u64
    deadline_ext: i64
    code: u32
    message_length: u32
    message_copied: u32
    stream_id: u32
    method_length: u16
    flags: u8
    authority_length: u8
    encoding_length: u8
    answer_length: u8
    agent_length: u8
    context_length: u8
    kind: u8
    peer_kind: u8
    peer_length: u8
    local_kind: u8
    local_length: u8
    peer_port: u16
    local_port: u16
    peer: Annotated[bytes, 64]
    local: Annotated[bytes, 64]
    authority: Annotated[bytes, 64]
    encoding: Annotated[bytes, 16]
    answer: Annotated[bytes, 16]
    agent: Annotated[bytes, 64]
    context: Annotated[bytes, 56]
    method: Annotated[bytes, 128]
    tail: Annotated[bytes, 336]


class Called(NamedTuple):
    """An RPC that a client makes."""

    sent_bytes: u64
    received_bytes: u64
    first_response: u64
    sent: u32
    received: u32
    attempts: u32
    context: u8
    error: u8
    kind: u8
    deadline_wall: u64
    deadline_ext: i64
    code: u32
    message_length: u32
    message_copied: u32
    stream_id: u32
    method_length: u16
    flags: u8
    authority_length: u8
    encoding_length: u8
    answer_length: u8
    agent_length: u8
    context_length: u8
    peer_kind: u8
    peer_length: u8
    local_kind: u8
    local_length: u8
    peer_port: u16
    local_port: u16
    peer: Annotated[bytes, 64]
    local: Annotated[bytes, 64]
    authority: Annotated[bytes, 64]
    encoding: Annotated[bytes, 16]
    answer: Annotated[bytes, 16]
    method: Annotated[bytes, 128]
    tail: Annotated[bytes, 256]


class Metadata(NamedTuple):
    """An entry of the incoming metadata."""

    value_whole: u32
    value_length: u16
    key_length: u8
    key: Annotated[bytes, 64]
    value: Annotated[bytes, 256]
