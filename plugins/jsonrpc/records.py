"""What the C texts and the decoders of JSON-RPC share: the columns of each record, and the numbers in them."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, NamedTuple

from goinst import u8, u16, u32, u64

__all__ = [
    "BodyPiece",
    "Direction",
    "EventPiece",
    "Mark",
    "RequestBody",
    "RequestSource",
    "ResponseBody",
    "ResponseSource",
    "StreamPiece",
    "StreamSource",
]


class RequestSource(IntEnum):
    """What the bytes of a request are. ``AT_START``: buf[r:w] when the handler started; ``AT_END``: buf[:w] when it
    ended: what is left of a body that came later; ``READ``: what (*body).Read returned first; ``POSTED``: what a client
    sends; ``PART``: as AT_START, of a chunked body that may come whole as READ."""

    AT_START = 0
    AT_END = 1
    READ = 2
    POSTED = 3
    PART = 4


class ResponseSource(IntEnum):
    """And of a response. ``WRITER``: of the response's own buffer: the body; ``WIRE``: of the connection's: the header
    block, then the body as it goes over the wire; ``WRITTEN``: nothing, its pieces were caught when they were written;
    ``EVENTS``: nothing, it was an event stream, which was caught so; ``CHUNKED``: what a client got: the body as it
    came over the wire, in chunks."""

    WRITER = 0
    WIRE = 1
    WRITTEN = 2
    EVENTS = 3
    CHUNKED = 4


class Mark(IntFlag):
    """Added to a response's source. ``BY_LIBRARY``: what the server asks or tells its client is shown by its library,
    to jsonstream."""

    BY_LIBRARY = 128


class StreamSource(IntEnum):
    """What a stream is."""

    STDIO = 0
    WEBSOCKET = 1
    LIBRARY = 2
    SOCKET = 3
    PIPE = 4


class Direction(IntEnum):
    """Which way a piece of a stream went."""

    IN = 0
    OUT = 1


class BodyPiece(NamedTuple):
    """A later part of a body."""

    offset: u32
    length: u32
    reply: u8
    data: Annotated[bytes, 4096]


class RequestBody(NamedTuple):
    """The header block and the beginning of a body that was POSTed."""

    length: u64
    head_length: u32
    body_length: u32
    source: u8
    chunked: u8
    head: Annotated[bytes, 512]
    body: Annotated[bytes, 1024]


class ResponseBody(NamedTuple):
    """The beginning of a response's body."""

    length: u64
    body_length: u32
    status: u16
    query_length: u16
    source: u8
    query: Annotated[bytes, 64]
    body: Annotated[bytes, 1024]


class EventPiece(NamedTuple):
    """A part of an event stream."""

    time: u64
    stream: u64
    request: u64
    length: u64
    offset: u32
    copied: u32
    begins: u8
    told: u8
    last: u8
    data: Annotated[bytes, 4096]


class StreamPiece(NamedTuple):
    """A part of what was read from a stream or written to it."""

    time: u64
    stream: u64
    length: u64
    trace_high: u64
    trace_low: u64
    parent: u64
    offset: u32
    copied: u32
    source: u8
    direction: u8
    final: u8
    last: u8
    tail_length: u8
    tail: Annotated[bytes, 64]
    data: Annotated[bytes, 1024]
