"""Text of a target, made safe for whoever shows it: a request must not drive a terminal or a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["defused", "escaped", "escaped_json", "printable", "shortened", "width_of"]

# C0 and C1 control characters, and what turns the direction of text around (Trojan Source, CVE-2021-42574)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_IN_UTF_8 = re.compile(b"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
# what a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def printable(text: str) -> str:
    """For a terminal: nothing that is not shown as what it is."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "replace").decode("ascii") for char in text
    )


def escaped(text: str) -> str:
    """For formats that are text: control characters as ``\\x1b``, all else as it is."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escaped_json(data: bytes) -> bytes:
    """JSON for a terminal: the same value. Its encoder leaves DEL, C1 and direction as they are."""
    return _IN_UTF_8.sub(lambda match: b"\\u%04x" % ord(match[0].decode()), data)


def defused(text: str) -> str:
    """For a cell of a table: what would be a formula has an apostrophe in front, as spreadsheets have it for text."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def width_of(text: str) -> int:
    """How many columns of a terminal it takes: two for each wide character (Unicode TR 11), none for those that combine
    with the one before."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shortened(text: str, columns: int) -> str:
    """As much of it as fits, with ``…`` for the rest."""
    if width_of(text) <= columns:
        return text
    kept, left = [], columns - 1
    for char in text:
        left -= _columns(char)
        if left < 0:
            break
        kept.append(char)
    return "".join((*kept, "…")) if columns > 0 else ""
