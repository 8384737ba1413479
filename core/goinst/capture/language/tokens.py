"""The words of a SPEC: numbers, names, texts and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from goinst.capture.language.syntax import Literal
from goinst.errors import UsageError

__all__ = ["Token", "number", "token_at", "unquoted"]

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?P<unit>ns|us|µs|ms|s|m|h)?(?![\w.]))
    |(?P<name>[^\W\d]\w*|~r\d+|\$\w+)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    |(?P<sign>->|==|!=|<=|>=|&&|\|\||[-=<>!()\[\].,:*&]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: number, name, text, sign, end, or other for what is none."""

    kind: str
    text: str
    start: int
    end: int


def token_at(text: str, at: int) -> Token:
    """The token that comes next."""
    match = _TOKEN.match(text, at)
    if match is None:
        rest = text[at:].strip()
        start = len(text) - len(text[at:].lstrip())
        return Token("other" if rest else "end", rest[:1], start, min(start + 1, len(text)))
    kind = match.lastgroup if match.lastgroup != "unit" else "number"
    assert kind is not None
    return Token(kind, match[kind], match.start(kind), match.end())


def number(token: Token) -> Literal:
    """A number's value; of a duration in ns. UsageError for a fraction."""
    match = _TOKEN.match(token.text)
    unit = match["unit"] if match else None
    digits = token.text.removesuffix(unit) if unit else token.text
    if digits[:2] in ("0x", "0X"):
        return Literal(int(digits, 16))
    if unit:
        return Literal(int(float(digits) * _UNITS[unit]))
    if "." in digits:
        raise UsageError(f"{digits}: numbers with a fraction cannot be compared in the kernel; use whole ones")
    return Literal(int(digits))


def unquoted(text: str) -> str:
    """A text without its quotes."""
    inner = text[1:-1]
    if text[0] == "`":
        return inner
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), inner)
