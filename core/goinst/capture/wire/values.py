"""Captured bytes as Python values, and values as the text that people read."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["ABSENT", "Absent", "Captured", "Scalar", "go_duration", "go_time", "held", "show"]

Captured = Any
"""None (nil), bool, int, float, str, a list, a dict by field or key, or Absent."""


class Absent(str):
    """Why there is no value, in angle brackets, which no Go value of that place would look like."""

    __slots__ = ()


ABSENT: Mapping[int, Any] = {
    0: None,
    1: Absent("<unreadable>"),
    2: Absent("<no such element>"),
    3: Absent("<another type>"),
    4: Absent("<in a floating-point register>"),
    5: Absent("<not in the part of the map that was searched>"),
}
_FLOATS = {4: struct.Struct("<f"), 8: struct.Struct("<d")}
_SECONDS_TO_1970 = 62135596800  # time/time.go: from year 1
_SECONDS_TO_1885 = 59453308800  # time/time.go: wallToInternal
_HAS_MONOTONIC = 1 << 63
_BYTES_SHOWN = 64


class Scalar:
    """The values that need nothing but their bytes."""

    @staticmethod
    def number(data: bytes, at: int, size: int, *, signed: bool) -> int:
        """A little-endian integer."""
        return int.from_bytes(data[at : at + size], "little", signed=signed)

    @staticmethod
    def real(data: bytes, at: int, size: int) -> float | str:
        """A float of 4 or 8 bytes; ``NaN``, ``+Inf`` and ``-Inf`` as Go writes them, since JSON has none."""
        value: float = _FLOATS[size].unpack_from(data, at)[0]
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"

    @staticmethod
    def complex(data: bytes, at: int, size: int) -> str:
        """A complex number of 8 or 16 bytes: ``(1-2.5i)``, as Go writes it but for an exponent's digits."""
        first, second = (Scalar.real(data, at + part, size // 2) for part in (0, size // 2))
        return f"({_part(first)}{_part(second, sign='+')}i)"

    @staticmethod
    def text(data: bytes, *, cut: bool = False) -> str:
        """UTF-8; what is none is written as \\xff. A rune at whose middle the text was ``cut`` is left out."""
        return (_without_cut_rune(data) if cut else data).decode("utf-8", "backslashreplace")

    @staticmethod
    def binary(data: bytes, *, cut: bool = False) -> str:
        """Bytes as text where they are text, else as hexadecimal digits."""
        text = Scalar.text(data, cut=cut)
        if all(char.isprintable() or char in "\r\n\t" for char in text) and "\\x" not in text:
            return text
        return data.hex()


def _without_cut_rune(data: bytes) -> bytes:
    """Without the beginning of a rune at the end."""
    for behind in range(1, 4):
        first = data[-behind] if len(data) >= behind else 0
        if 0xC2 <= first <= 0xF4:
            length = 2 + (first >= 0xE0) + (first >= 0xF0)
            return data[:-behind] if behind < length else data
        if first < 0x80:
            break
    return data


def _part(number: float | str, sign: str = "") -> str:
    """A part of a complex number."""
    text = str(number).removesuffix(".0")
    return text if text[0] in "+-" else sign + text


def go_duration(ns: int) -> str:
    """As time.Duration's String(): ``1.5s``, ``2m0s``, ``150ms``, ``0s``."""
    sign, rest = ("-", -ns) if ns < 0 else ("", ns)
    if not rest:
        return "0s"
    for size, unit in ((1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")):
        if rest < size:
            return f"{sign}{_decimal(rest, size // 1000)}{unit}"
    minutes, seconds = divmod(rest, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, 10**9)}s"
    if hours:
        text = f"{hours}h{minutes}m{text}"
    elif minutes:
        text = f"{minutes}m{text}"
    return sign + text


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0")


def go_time(wall: int, ext: int) -> str:
    """time.Time's words (time/time.go, type Time) as RFC 3339 in UTC; its location is not looked at."""
    nanoseconds = wall & (1 << 30) - 1
    if wall & _HAS_MONOTONIC:
        seconds = (wall << 1 >> 31 & (1 << 33) - 1) + _SECONDS_TO_1885
    else:
        seconds = ext - (1 << 64) if ext >> 63 else ext
    if not seconds and not nanoseconds:
        return "0001-01-01T00:00:00Z"
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds - _SECONDS_TO_1970)
    except OverflowError:
        return f"<{seconds} s after year 1>"
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return f"{moment.replace(tzinfo=None).isoformat()}{fraction}Z"


_TEXTS = {
    "io/fs.PathError": "{0} {1}{inner}",
    "os.PathError": "{0} {1}{inner}",
    "os.LinkError": "{0} {1}{inner}",
    "os.SyscallError": "{0}{inner}",
    "net/url.Error": '{0} "{1}"{inner}',
    "net.OpError": "{0} {1}{inner}",
    "net.AddrError": "address {1}: {0}",
    "net.DNSError": "lookup {1}: {0}",
    "strconv.NumError": 'strconv.{0}: parsing "{1}"{inner}',
    "os/exec.Error": 'exec: "{0}"{inner}',
    "encoding/json.UnmarshalTypeError": "json: cannot unmarshal {0} into Go value {1}",
}
_OUTERMOST = "{0}"
_KNOWN = {
    "context.deadlineExceededError": "context deadline exceeded",
    "internal/poll.errNetClosing": "use of closed network connection",
}
_WITH_CAUSE = ("github.com/pkg/errors.withMessage",)
_TRANSPARENT = ("github.com/pkg/errors.withStack",)
_INTEGERS, _UNSIGNED = range(2, 7), range(7, 13)
_POINTERS = (18, 19, 21, 22, 26)


def held(parts: list[tuple[str, str, Any, list[Any]]]) -> Captured:
    """What an interface holds; ``parts`` are (type, kind, word, texts) of it and of the errors that it wraps."""
    if not parts or not parts[0][0]:
        return None
    name, number, word, texts = parts[0]
    kind, plain = int(number), name.removeprefix("*")
    if plain in _KNOWN:
        return _KNOWN[plain]
    if texts[0] is not None and kind == 22:
        inner = held(parts[1:])
        if plain in _TRANSPARENT:
            return inner
        behind = f": {inner}" if isinstance(inner, str) else ""
        if plain in _WITH_CAUSE:
            return f"{texts[0]}{behind}"
        return _TEXTS.get(plain, _OUTERMOST).format(texts[0], texts[1] or "", inner=behind)
    if plain in _TRANSPARENT:
        return held(parts[1:])
    if kind == 24:
        return texts[0]
    if plain == "syscall.Errno":
        return os.strerror(word).lower()
    if plain == "time.Duration":
        return go_duration(word - (1 << 64) if word >> 63 else word)
    if kind == 1:
        return bool(word)
    if kind in _INTEGERS:
        bits = {3: 8, 4: 16, 5: 32}.get(kind, 64)
        return word - (1 << bits) if word >> (bits - 1) & 1 else word
    if kind in _UNSIGNED:
        return word
    if kind in (13, 14):
        return Scalar.real(struct.pack("<Q", word), 0, 4 if kind == 13 else 8)
    if kind == 23:
        return Absent(f"<{name} of {word}>")
    return Absent(f"<{name} {word:#x}>" if kind in _POINTERS else f"<{name}>")


def show(value: Captured, *, top: bool = True) -> str:
    """A value in one line: ``GET``, ``{ID:7 Name:"x y"}``, ``[1 2]``, ``nil``."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case Absent():
            return str(value)
        case str():
            plain = top and value and value.isprintable() and not set(value) & set(' "=')
            return value if plain else _quoted(value)
        case dict():
            return "{" + " ".join(f"{key}:{show(each, top=False)}" for key, each in value.items()) + "}"
        case list():
            return "[" + " ".join(show(each, top=False) for each in value) + "]"
    return str(value)


def _quoted(text: str) -> str:
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'
