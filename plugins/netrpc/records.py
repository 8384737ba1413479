"""What the C text and the decoders of net/rpc's calls share: the columns of a record, and the numbers in it."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, NamedTuple

from goinst import u8, u16, u32, u64

__all__ = ["Call", "Codec", "Flag"]


class Codec(IntEnum):
    """What a call is written in."""

    GOB = 0
    JSON = 1
    OTHER = 2


class Flag(IntFlag):
    """Of a call. ``UNKNOWN_METHOD``: no method was called; ``FAILED``: there is an error, even when its text is empty
    or no string."""

    UNKNOWN_METHOD = 1
    FAILED = 2


class Call(NamedTuple):
    """A call that was served, or made."""

    sequence: u64
    method_length: u32
    error_length: u32
    method_copied: u16
    error_copied: u16
    id_length: u32
    codec: u8
    flags: u8
    id: Annotated[bytes, 62]
    method: Annotated[bytes, 128]
    error: Annotated[bytes, 128]
