"""Go type expressions and signatures as text, parsed: what a plugin declares and what type metadata names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, NoReturn

from goinst.errors import BinaryError

__all__ = ["BUILTIN", "Expression", "Kind", "Parameter", "Signature", "parse_signature", "parse_type"]

Kind = Literal["int", "float", "complex", "pointer", "string", "slice", "interface", "array", "struct", "named"]

_MAX_TEXT = 1 << 16
_MAX_DEPTH = 64
_MAX_LENGTH = 1 << 47  # of an array: more than the address space holds

BUILTIN: Mapping[str, tuple[Kind, int]] = MappingProxyType(
    {
        **dict.fromkeys(("bool", "byte", "int8", "uint8"), ("int", 1)),
        **dict.fromkeys(("int16", "uint16"), ("int", 2)),
        **dict.fromkeys(("int32", "uint32", "rune"), ("int", 4)),
        **dict.fromkeys(("int", "uint", "int64", "uint64", "uintptr"), ("int", 8)),
        "float32": ("float", 4),
        "float64": ("float", 8),
        "complex64": ("complex", 8),
        "complex128": ("complex", 16),
        "unsafe.Pointer": ("pointer", 8),
        "string": ("string", 16),
        "any": ("interface", 16),
        "error": ("interface", 16),
    }
)
"""Predeclared types by name: kind and size in bytes on a 64-bit machine."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A type as written. ``text`` is its source text, for a named type the full name.

    ``size`` in bytes is set for every kind but array, struct and named. ``pointer`` stands for everything
    that is one pointer-shaped word: pointers, maps, channels, funcs. ``elem``/``length`` belong to arrays,
    ``fields`` (name, type) to structs.
    """

    kind: Kind
    text: str
    size: int = 0
    elem: Expression | None = None
    length: int = 0
    fields: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One ``name Type`` of a signature."""

    name: str
    type: Expression


@dataclass(frozen=True, slots=True)
class Signature:
    """``name Type, name Type -> name Type``; a method's receiver is its first parameter."""

    parameters: tuple[Parameter, ...]
    results: tuple[Parameter, ...]


@lru_cache(maxsize=4096)
def parse_type(text: str) -> Expression:
    """Parse a Go type expression with full package paths; BinaryError says where it goes wrong."""
    parser = _Parser(text, "type")
    expression = parser.type()
    parser.end()
    return expression


@lru_cache(maxsize=1024)
def parse_signature(text: str) -> Signature:
    """Parse ``"name Type, name Type -> name Type"``; BinaryError says where it goes wrong."""
    return _Parser(text, "signature").signature()


# A word is a name with its package path; `-` belongs to paths (`go-kit/log.Logger`), `->` does not.
_TOKEN = re.compile(
    r'\s*(?P<token>\.\.\.|->|<-|[\[\]{}(),;*]|"(?:[^"\\]|\\.)*"|`[^`]*`|(?:[\w./~%+@$!·]|-(?!>))+)|(?P<rest>\s*\S)'
)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_STOP = frozenset([",", ";", ")", "]", "}", "->", ""])


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what
        self._at = 0
        self._depth = 0
        if len(text) > _MAX_TEXT:
            raise BinaryError(f"{what} {text[:40]!r}…: is {len(text)} characters long; at most {_MAX_TEXT} are read")
        self._tokens: list[_Token] = []
        for match in _TOKEN.finditer(text.rstrip()):
            if match["token"] is None:
                self._fail("a type", match.end("rest") - 1)
            self._tokens.append(_Token(match["token"], match.start("token"), match.end("token")))
        self._tokens.append(_Token("", len(text), len(text)))

    def end(self) -> None:
        if self._peek():
            self._fail("the end")

    def signature(self) -> Signature:
        parameters = self._parameters()
        results = self._parameters() if self._accept("->") else ()
        self.end()
        names = [each.name for each in parameters + results if each.name != "_"]
        if len(names) != len(set(names)):
            raise BinaryError(f"signature {self._text!r}: a name occurs twice; give each a name of its own or _")
        return Signature(parameters, results)

    def type(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"a type nested at most {_MAX_DEPTH} deep")
        first = self._at
        expression = self._type(self._next(), first)
        self._depth -= 1
        return expression

    def _parameters(self) -> tuple[Parameter, ...]:
        found: list[Parameter] = []
        while self._peek() not in ("", "->") or found:
            name = self._next()
            if not _IDENTIFIER.fullmatch(name):
                self._at -= 1
                self._fail("a name and its type")
            first = self._at
            if self._accept("..."):  # a variadic parameter is a slice
                self.type()
                found.append(Parameter(name, Expression("slice", self._since(first), 24)))
            else:
                found.append(Parameter(name, self.type()))
            if not self._accept(","):
                break
        return tuple(found)

    def _type(self, token: str, first: int) -> Expression:
        match token:
            case "*" | "map" | "chan" | "<-" | "func":
                self._pointer_shaped(token)
                return Expression("pointer", self._since(first), 8)
            case "(":
                inner = self.type()
                self._expect(")")
                return inner
            case "[":
                return self._slice_or_array(first)
            case "interface":
                self._expect("{")
                self._skip("{")
                return Expression("interface", self._since(first), 16)
            case "struct":
                fields = self._fields()
                return Expression("struct", self._since(first), fields=fields)
        if token in BUILTIN:
            kind, size = BUILTIN[token]
            return Expression(kind, token, size)
        if "." not in token.strip(".") or not re.match(r"[^\W\d]", token):
            self._at = first
            self._fail("a type with its full package path")
        self._type_arguments()
        return Expression("named", self._since(first))

    def _pointer_shaped(self, word: str) -> None:
        if word == "*":
            self.type()
        elif word == "map":
            self._expect("[")
            self.type()
            self._expect("]")
            self.type()
        elif word == "func":
            self._expect("(")
            self._skip("(")
            if self._accept("("):
                self._skip("(")
            elif self._peek() not in _STOP and self._peek()[0] not in '"`':
                self.type()
        else:
            if word == "<-":
                self._expect("chan")
            else:
                self._accept("<-")
            self.type()

    def _slice_or_array(self, first: int) -> Expression:
        if self._accept("]"):
            self.type()
            return Expression("slice", self._since(first), 24)
        length = self._next()
        if not (length.isascii() and length.isdecimal() and len(length) < 16 and int(length) <= _MAX_LENGTH):
            self._at -= 1
            self._fail("an array length")
        self._expect("]")
        elem = self.type()
        return Expression("array", self._since(first), elem=elem, length=int(length))

    def _fields(self) -> tuple[tuple[str, Expression], ...]:
        fields: list[tuple[str, Expression]] = []
        self._expect("{")
        while not self._accept("}"):
            fields += self._field()
            if self._peek()[:1] in ('"', "`"):
                self._at += 1  # the tag
            if self._peek() != "}":
                self._expect(";")
        return tuple(fields)

    def _field(self) -> list[tuple[str, Expression]]:
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)].text
        embedded = following in (";", "}") or following[:1] in ('"', "`") or "." in self._peek().strip(".")
        if self._peek() == "*" or embedded:
            kept = self.type()
            # The name of an embedded field is that of its type, without package path and type arguments.
            return [(kept.text.lstrip("*").partition("[")[0].rpartition(".")[2], kept)]
        names = [self._next()]
        while self._accept(","):
            names.append(self._next())
        for name in names:
            if not _IDENTIFIER.fullmatch(name):
                self._at -= 1
                self._fail("a field's name and its type")
        kept = self.type()
        return [(name, kept) for name in names]

    def _type_arguments(self) -> None:
        """Take ``[...]`` that touches the name, and a suffix like ``·1`` that touches it (a local type)."""
        if self._peek() == "[" and self._touches():
            self._at += 1
            self._skip("[")
            if self._touches() and self._peek()[:1] == "·":
                self._at += 1

    def _skip(self, opening: str) -> None:
        """Go behind the bracket that closes ``opening``, which was just taken."""
        wanted = [_CLOSING[opening]]
        while wanted:
            token = self._next()
            if token in _CLOSING:
                wanted.append(_CLOSING[token])
            elif token == wanted[-1]:
                wanted.pop()
            elif token in (")", "]", "}", ""):
                self._at -= 1
                self._fail(repr(wanted[-1]))

    def _touches(self) -> bool:
        return self._tokens[self._at].start == self._tokens[self._at - 1].end

    def _since(self, first: int) -> str:
        return self._text[self._tokens[first].start : self._tokens[self._at - 1].end]

    def _peek(self) -> str:
        return self._tokens[self._at].text

    def _next(self) -> str:
        token = self._tokens[self._at].text
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _accept(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            self._fail(repr(token))

    def _fail(self, wanted: str, at: int | None = None) -> NoReturn:
        column = at if at is not None else self._tokens[self._at].start
        found = repr(self._text[column : column + 20]) if column < len(self._text) else "its end"
        shown = self._text if len(self._text) <= 200 else f"{self._text[:200]}…"
        raise BinaryError(
            f"{self._what} {shown!r}: {wanted} is expected at character {column + 1}, not {found}; correct it"
        )
