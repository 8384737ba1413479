"""Conditions, as users write them: one grammar for ``--where`` and for SPECs, each with operands of its own.

::

    condition = both { ( "||" | "or" ) both }
    both      = no { ( "&&" | "and" ) no }
    no        = ( "!" | "not" ) no | "(" condition ")" | operand [ sign operand ] | operand "~" text
    sign      = "==" | "!=" | "<" | "<=" | ">" | ">="
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

__all__ = ["ConditionParser", "Token", "number", "pattern", "unquoted", "words"]

_Operand = TypeVar("_Operand")
_Condition = TypeVar("_Condition")

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
_AND, _OR = ("&&", "and"), ("||", "or")
# what can follow a `not` that negates; else it is a variable of this name
_BEGINS = ("!", "(", "*", "-")


def words(name: str) -> re.Pattern[str]:
    """What finds the next token of a text in which names are ``name``, a regular expression."""
    return re.compile(
        r"""\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?P<unit>ns|us|µs|ms|s|m|h)?(?![\w.]))
        |(?P<name>"""
        + name
        + r""")
        |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
        |(?P<sign>->|==|!=|<=|>=|&&|\|\||[-=<>!()\[\].,:*&~]))""",
        re.VERBOSE,
    )


_NUMBER = re.compile(r"(?P<digits>.*?)(?P<unit>ns|us|µs|ms|s|m|h)?")


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: number, name, text, sign, end, or other for what is none."""

    kind: str
    text: str
    start: int
    end: int


def number(token: Token) -> int | float:
    """A number's value; of a duration in ns."""
    if token.text[:2] in ("0x", "0X"):
        return int(token.text, 16)
    match = _NUMBER.fullmatch(token.text)
    assert match is not None
    digits, unit = match["digits"], match["unit"]
    if unit:
        return int(float(digits) * _UNITS[unit])
    return float(digits) if "." in digits else int(digits)


def unquoted(text: str) -> str:
    """A text without its quotes."""
    inner = text[1:-1]
    if text[0] == "`":
        return inner
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), inner)


def pattern(text: str) -> str:
    """A regular expression without its quotes: a backslash is one unless it stands before another or a quote."""
    return text[1:-1] if text[0] == "`" else re.sub(r"\\([\\\"'])", r"\1", text[1:-1])


class ConditionParser(ABC, Generic[_Operand, _Condition]):
    """Recursive descent over the tokens of a text, from ``start`` on.

    Subclasses say what operands are, what comes of their comparisons, and how errors read.
    """

    tokens: re.Pattern[str]
    """By ``words``."""
    deepest: int
    """So many levels, of which parentheses take two."""
    reserved = False
    """Whether no operand is called ``and``, ``or`` or ``not``."""

    def __init__(self, text: str, start: int = 0) -> None:
        self.text = text
        self.at = start
        self._depth = 0

    # What a language says for itself

    @abstractmethod
    def operand(self) -> _Operand:
        """Read one side of a comparison."""

    @abstractmethod
    def alone(self, operand: _Operand) -> _Condition:
        """What is true when an operand is not compared with anything."""

    @abstractmethod
    def compared(self, sign: str, left: _Operand, right: _Operand) -> _Condition:
        """``left sign right``"""

    @abstractmethod
    def searched(self, operand: _Operand, sign: Token) -> _Condition:
        """``operand ~``, and what is to be read behind it."""

    @abstractmethod
    def joined(self, sign: str, terms: Sequence[_Condition]) -> _Condition:
        """Two conditions or more, all of which (``&&``) or one of which (``||``) is true."""

    @abstractmethod
    def negated(self, term: _Condition) -> _Condition:
        """``!term``"""

    @abstractmethod
    def fail(self, wanted: str, token: Token) -> NoReturn:
        """Raise the UsageError that says what is expected instead of a token."""

    @abstractmethod
    def too_deep(self) -> NoReturn:
        """Raise the UsageError that says so."""

    # Conditions

    def condition(self) -> _Condition:
        """Read a condition; what stands behind it is not looked at."""
        return self._terms(_OR)

    def _terms(self, signs: tuple[str, str]) -> _Condition:
        self.enter()
        terms = [self._terms(_AND) if signs is _OR else self._term()]
        while self.take(*signs):
            terms.append(self._terms(_AND) if signs is _OR else self._term())
        self.leave()
        return terms[0] if len(terms) == 1 else self.joined(signs[0], terms)

    def _term(self) -> _Condition:
        if self._take_not():
            self.enter()
            term = self._term()
            self.leave()
            return self.negated(term)
        if self.take("("):
            inner = self.condition()
            self.expect(")")
            return inner
        left = self.operand()
        sign = self.peek()
        if sign.kind == "sign" and sign.text in _COMPARE:
            self.next()
            return self.compared(sign.text, left, self.operand())
        if self.take("~"):
            return self.searched(left, sign)
        return self.alone(left)

    def _take_not(self) -> bool:
        if self.take("!"):
            return True
        word = self.peek()
        if word.kind != "name" or word.text != "not":
            return False
        behind = self.token(word.end)
        begins = behind.text in _BEGINS if behind.kind == "sign" else behind.kind in ("name", "number", "text")
        if not self.reserved and (not begins or behind.text in ("and", "or")):
            return False
        self.next()
        return True

    # Tokens

    def token(self, at: int) -> Token:
        """The token that comes next behind a place in the text."""
        match = self.tokens.match(self.text, at)
        if match is None:
            rest = self.text[at:].strip()
            start = len(self.text) - len(self.text[at:].lstrip())
            return Token("other" if rest else "end", rest[:1], start, min(start + 1, len(self.text)))
        kind = match.lastgroup if match.lastgroup != "unit" else "number"
        assert kind is not None
        return Token(kind, match[kind], match.start(kind), match.end())

    def peek(self) -> Token:
        """The token that comes next."""
        return self.token(self.at)

    def next(self) -> Token:
        """Take the token that comes next."""
        token = self.peek()
        self.at = token.end
        return token

    def take(self, *texts: str) -> bool:
        """Take a sign or a word if it comes next."""
        token = self.peek()
        if token.text not in texts or token.kind not in ("sign", "name"):
            return False
        self.at = token.end
        return True

    def expect(self, text: str) -> None:
        """Take a sign, which must come next."""
        if not self.take(text):
            self.fail(repr(text), self.peek())

    def enter(self) -> None:
        """One level deeper."""
        self._depth += 1
        if self._depth > self.deepest:
            self.too_deep()

    def leave(self) -> None:
        """One level back."""
        self._depth -= 1
