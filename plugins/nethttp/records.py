"""What net/http's C text and its decoders share: the columns of each record, and the numbers in them."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, NamedTuple

from goinst import i64, u8, u16, u32, u64

__all__ = [
    "Call",
    "CallFlag",
    "Ending",
    "ErrorKind",
    "Failure",
    "Flag",
    "Headers",
    "Limit",
    "Line",
    "Request",
    "Route",
    "Router",
    "Secured",
    "Stream",
]


class Flag(IntFlag):
    """Of a request that is served. ``XNET``: a stream of golang.org/x/net/http2; ``LINE_SENT``: there is no block, and
    a Line has what counts of it."""

    TLS = 1
    HIJACKED = 2
    BLOCK_CUT = 8
    LINE_SENT = 16
    XNET = 32


class CallFlag(IntFlag):
    """Of a request that is sent. ``ESCAPED``: the path is URL.RawPath; ``USER``: the URL holds credentials, which are
    not read; ``REUSED``: the connection was used before."""

    ESCAPED = 16
    USER = 32
    REUSED = 64
    CONNECTED = 128


class Ending(IntEnum):
    """How a handler ended. ``EXITED``: by runtime.Goexit; ``ABORTED``: it panicked with http.ErrAbortHandler, which
    net/http takes for "drop the connection"; ``LEFT``: the same, when the client had left before; ``NOT_SEEN``: it may
    have returned, only nobody saw it."""

    RETURNED = 0
    PANICKED = 1
    EXITED = 2
    ABORTED = 3
    LEFT = 4
    NOT_SEEN = 5


class ErrorKind(IntEnum):
    """Why there was no response. ``ERRNO_ERROR``: by a number of the system's; ``TEXT_ERROR``: of errors.New."""

    OTHER_ERROR = 0
    ERRNO_ERROR = 1
    TEXT_ERROR = 2
    DNS_ERROR = 3
    TIMEOUT_ERROR = 4
    TLS_ERROR = 5
    CANCELED_ERROR = 6


class Router(IntEnum):
    """Whose a template is. ``ONE_ROUTER``: of a router that has it in one string, gin or echo."""

    ONE_ROUTER = 0
    CHI_ROUTER = 1
    GORILLA_ROUTER = 2


class Limit(IntEnum):
    """``VALUE``: bytes of a header's value; a length of this says that there may be more."""

    VALUE = 254


class Request(NamedTuple):
    """A request over HTTP/1. ``block`` is its header as it came."""

    conn: u64
    tls: u64
    response: u64
    request: u64
    target: u64
    copy: u64
    content_length: i64
    written: i64
    method_length: u32
    uri_length: u32
    pattern_length: u32
    block_length: u32
    status: u16
    local_port: u16
    flags: u8
    ending: u8
    drained: u8
    peer_length: u8
    content_type_length: u8
    peer: Annotated[bytes, 57]
    content_type: Annotated[bytes, 48]
    pattern: Annotated[bytes, 128]
    block: Annotated[bytes, "header_bytes"]


class Stream(NamedTuple):
    """A request over HTTP/2."""

    state: u64
    request: u64
    target: u64
    copy: u64
    connection: u64
    content_length: i64
    written: i64
    stream: u32
    uri_length: u32
    uri_copied: u32
    pattern_length: u32
    status: u16
    local_port: u16
    flags: u8
    ending: u8
    method_length: u8
    host_length: u8
    peer_length: u8
    agent_length: u8
    parent_length: u8
    content_type_length: u8
    method: Annotated[bytes, 24]
    host: Annotated[bytes, 128]
    peer: Annotated[bytes, 57]
    agent: Annotated[bytes, 192]
    parent: Annotated[bytes, 64]
    content_type: Annotated[bytes, 48]
    pattern: Annotated[bytes, 128]
    uri: Annotated[bytes, "header_bytes"]


class Call(NamedTuple):
    """A round trip of a client."""

    header: u64
    content_length: i64
    response_length: i64
    path_length: u32
    path_copied: u32
    query_length: u32
    frame: u32
    inner: u32
    attempts: u32
    status: u16
    peer_port: u16
    major: u8
    minor: u8
    context: u8
    flags: u8
    method_length: u8
    scheme_length: u8
    host_length: u8
    peer_length: u8
    content_type_length: u8
    method: Annotated[bytes, 24]
    scheme: Annotated[bytes, 8]
    host: Annotated[bytes, 128]
    peer: Annotated[bytes, 16]
    content_type: Annotated[bytes, 48]
    query: Annotated[bytes, 256]
    path: Annotated[bytes, "header_bytes"]


class Failure(NamedTuple):
    """Why a round trip failed."""

    errno: u32
    kind: u8
    op_length: u8
    text_length: u8
    op: Annotated[bytes, 16]
    text: Annotated[bytes, 128]


class Line(NamedTuple):
    """What a request's block does not have."""

    uri_length: u32
    uri_copied: u32
    minor: u8
    method_length: u8
    host_length: u8
    agent_length: u8
    parent_length: u8
    method: Annotated[bytes, 24]
    host: Annotated[bytes, 128]
    agent: Annotated[bytes, 192]
    parent: Annotated[bytes, 64]
    uri: Annotated[bytes, "header_bytes"]


class Headers(NamedTuple):
    """All headers of a request or a response: of each two lengths, its name and its first value."""

    response: u8
    cut: u8
    length: u16
    data: Annotated[bytes, 2048]


class Route(NamedTuple):
    """The template that a router matched, in parts."""

    router: u8
    count: u8  # type: ignore[assignment]  # hides a tuple's own, which nobody needs here
    length0: u8
    length1: u8
    length2: u8
    length3: u8
    part0: Annotated[bytes, 128]
    part1: Annotated[bytes, 128]
    part2: Annotated[bytes, 128]
    part3: Annotated[bytes, 128]


class Secured(NamedTuple):
    """What was negotiated for a connection."""

    version: u16
    cipher: u16
    name_length: u8
    name: Annotated[bytes, 128]
