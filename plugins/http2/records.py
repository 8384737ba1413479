"""What the C text and the decoder of header blocks share: the record's columns, and the numbers in it."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, NamedTuple

from goinst import u8, u16, u32, u64

__all__ = ["Flag", "Headers", "Limit", "Pseudo"]


class Flag(IntFlag):
    """Of a header block. ``CUT``: it has more fields than there was room for."""

    END_STREAM = 1
    CUT = 4


class Pseudo(IntEnum):
    """Pseudo-headers by a number instead of a name; no name of a field has one below 32. ``QUERY`` is the target's."""

    METHOD = 1
    AUTHORITY = 2
    SCHEME = 3
    PATH = 4
    QUERY = 5


class Limit(IntEnum):
    """``VALUE``: bytes of a field's value; a length of this says that there may be more."""

    VALUE = 254


class Headers(NamedTuple):
    """A header block, read or written: of each field two lengths, its name and its value."""

    at: u64
    parent: u64
    trace_high: u64
    trace_low: u64
    connection: u64
    stream: u32
    status: u16
    length: u16
    out: u8
    flags: u8
    data: Annotated[bytes, 2048]
