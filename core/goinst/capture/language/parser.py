"""``main.ping(req.Method, req.URL.Path) -> err if err != nil``: the text of a SPEC, parsed.

::

    spec      = target [ "(" [ item { "," item } ] ")" ] [ "->" item { "," item } ] [ "if" condition ]
    item      = [ label "=" ] expression          what to capture
              | name Type                         what a parameter is, where the binary does not tell
    condition = comparison, "&&", "||", "!", parentheses

Without parentheses behind the target every parameter is captured, with empty ones none. A target with
parentheses or blanks of its own stands between double quotes: ``"shop::add(int, int)"(a, b)``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from goinst.capture.language.syntax import (
    Assert,
    Call,
    Compare,
    Condition,
    Deref,
    Expression,
    Index,
    Literal,
    Logic,
    Name,
    Not,
    Select,
    Slice,
)
from goinst.capture.language.tokens import Token, number, token_at, unquoted
from goinst.errors import UsageError

__all__ = ["FUNCTIONS", "LINE", "Item", "Spec", "parse_condition", "parse_expression", "parse_spec"]

FUNCTIONS = {
    "len": (1, 1),
    "cap": (1, 1),
    "str": (1, 2),
    "bytes": (1, 2),
    "hex": (1, 1),
    "type": (1, 1),
    "hasPrefix": (2, 2),
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), (1, 1)),
}
"""The functions of the language, with how many arguments they take."""

_LONGEST = 4096
_DEEPEST = 32
LINE = re.compile(r"[^\s():]+\.[A-Za-z]+:\d+(?=$|[\s(])")


@dataclass(frozen=True, slots=True)
class Item:
    """Something to capture under ``label``."""

    label: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed SPEC. ``regex``: the target is a regular expression; else ``*`` in it stands for anything.

    ``items`` is None when nothing was said: all parameters. ``declared`` are (name, type) of parameters,
    in order, ``returned`` of results.
    """

    text: str
    target: str
    regex: bool = False
    items: tuple[Item, ...] | None = None
    declared: tuple[tuple[str, str], ...] = ()
    results: tuple[Item, ...] = ()
    condition: Condition | None = None
    returned: tuple[tuple[str, str], ...] = ()


def parse_spec(text: str) -> Spec:
    """Parse a SPEC; UsageError says at which character it goes wrong."""
    target, regex, behind = _target(text)
    return _Parser(text, behind).spec(target, regex=regex)


def parse_expression(text: str) -> Expression:
    """Parse one expression; UsageError says at which character it goes wrong."""
    parser = _Parser(text, 0)
    found = parser.expression()
    parser.end()
    return found


def parse_condition(text: str) -> Condition:
    """Parse what stands behind ``if``."""
    parser = _Parser(text, 0)
    found = parser.condition()
    parser.end()
    return found


def _target(text: str) -> tuple[str, bool, int]:
    """What stands before the arguments, whether it is a regular expression, and where it ends."""
    if len(text) > _LONGEST:
        raise UsageError(f"{text[:40]!r}…: is {len(text)} characters long; a SPEC has at most {_LONGEST}")
    start = len(text) - len(text.lstrip())
    if text.startswith("re:/", start):
        end = text.find("/", start + 4)
        while end > 0 and text[end - 1] == "\\":
            end = text.find("/", end + 1)
        if end < 0:
            raise UsageError(f"{text!r}: the regular expression does not end; write re:/…/")
        return text[start + 4 : end], True, end + 1
    if line := LINE.match(text, start):
        return line[0], False, line.end()
    if text[start : start + 1] in ('"', "`"):  # a C++ function with its parameters
        end = text.find(text[start], start + 1)
        if end <= start + 1:
            raise UsageError(f"{text!r}: the name does not end; write it between two {text[start]}")
        return text[start + 1 : end], False, end + 1
    at, depth = start, 0
    while at < len(text):
        char = text[at]
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == "(" and not depth:
            # the parenthesis of a receiver, (*T) or (*T[...]), or C++ parameters; not that of the arguments
            if not text.startswith("(*", at) or text[at - 1 : at] not in (".", ""):
                break
            closing = text.find(")", at)
            if closing < 0:
                break
            at = closing
        elif not depth and (char.isspace() or text.startswith("->", at)):
            break
        at += 1
    if at == start:
        raise UsageError(f"{text!r}: begin with a function, as in 'main.ping(req.Method)'")
    return text[start:at], False, at


class _Parser:
    """Recursive descent over the tokens behind the target."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._depth = 0

    def spec(self, target: str, *, regex: bool) -> Spec:
        items, declared = self._arguments() if self._take("(") else (None, ())
        results: list[Item] = []
        returned: list[tuple[str, str]] = []
        if self._take("->"):
            self._either(results, returned)
            while self._take(","):
                self._either(results, returned)
            if not results:
                results = [Item(name, Name(name)) for name, _ in returned if name != "_"]
        condition = self.condition() if self._take("if") else None
        self.end()
        return Spec(
            self._text.strip(), target, regex, items, declared, tuple(results), condition, tuple(returned)
        )  # fmt: skip

    def _either(self, items: list[Item], declared: list[tuple[str, str]]) -> None:
        declaration = self._declaration()
        if declaration is not None:
            declared.append(declaration)
        else:
            items.append(self._item())

    def _arguments(self) -> tuple[tuple[Item, ...] | None, tuple[tuple[str, str], ...]]:
        items: list[Item] = []
        declared: list[tuple[str, str]] = []
        empty = self._peek().text == ")"
        while self._peek().text != ")":
            self._either(items, declared)
            if not self._take(","):
                break
        self._expect(")")
        return (tuple(items) if items or empty else None), tuple(declared)

    def _declaration(self) -> tuple[str, str] | None:
        """``name Type``: a name, a space, and then what no operator begins."""
        name = self._peek()
        if name.kind != "name" or not self._text[name.end : name.end + 1].isspace():
            return None
        rest = self._text[name.end :].lstrip()
        if not re.match(r"(?!if\b)(?:[\w*\[(]|<-)", rest):
            return None
        start = at = len(self._text) - len(rest)
        depth = 0
        while at < len(self._text) and not (depth == 0 and re.match(r"[,)]|->|\s+if\s", self._text[at:])):
            depth += self._text[at] in "([{"
            depth -= self._text[at] in ")]}"
            at += 1
        self._at = at
        return name.text, self._text[start:at].strip()

    def _item(self) -> Item:
        start, label = self._peek(), ""
        if start.kind == "name":
            mark = self._at
            self._next()
            if self._take("="):
                label = start.text
            else:
                self._at = mark
        first = self._peek().start
        expression = self.expression()
        return Item(label or self._text[first : self._at].strip(), expression)

    # Conditions

    def condition(self) -> Condition:
        return self._logic("||", lambda: self._logic("&&", self._comparison))

    def _logic(self, operator: str, term: object) -> Condition:
        assert callable(term)
        self._enter()
        terms: list[Condition] = [term()]
        while self._take(operator):
            terms.append(term())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else Logic(operator, tuple(terms))

    def _comparison(self) -> Condition:
        if self._take("!"):
            self._enter()
            term = self._comparison()
            self._depth -= 1
            return Not(term)
        if self._take("("):
            inner = self.condition()
            self._expect(")")
            return inner
        left = self.expression()
        operator = self._peek().text
        if operator in ("==", "!=", "<", "<=", ">", ">="):
            self._next()
            return Compare(operator, left, self.expression())
        return Compare("!=", left, Literal(0))

    # Expressions

    def expression(self) -> Expression:
        self._enter()
        found = self._operand()
        while True:
            if self._take("."):
                if self._take("("):
                    found = Assert(found, self._type())
                else:
                    field = self._next()
                    if field.kind not in ("name", "number"):
                        self._fail("a field's name", field)
                    found = Select(found, field.text)
            elif self._peek().text == "->" and self._touches() and self._field_behind():
                self._next()
                found = Select(found, self._next().text)
            elif self._take("["):
                found = self._subscript(found)
            else:
                break
        self._depth -= 1
        return found

    def _operand(self) -> Expression:
        token = self._next()
        if token.text == "*":
            self._enter()
            found = Deref(self.expression())
            self._depth -= 1
            return found
        if token.text == "(":
            inner = self.expression()
            self._expect(")")
            return inner
        if token.text == "-" and self._peek().kind == "number":
            literal = number(self._next())
            assert isinstance(literal.value, int)
            return Literal(-literal.value)
        if token.kind == "number":
            return number(token)
        if token.kind == "text":
            return Literal(unquoted(token.text))
        if token.kind != "name":
            self._fail("a variable", token)
        if token.text in ("true", "false", "nil"):
            return Literal({"true": True, "false": False, "nil": None}[token.text])
        if self._peek().text == "(":
            return self._call(token)
        return Name(token.text)

    def _call(self, name: Token) -> Call:
        if name.text not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            self._fail(f"a function of goinst ({known}; the program's own are never called)", name)
        self._expect("(")
        arguments: list[Expression] = []
        while self._peek().text != ")":
            arguments.append(self.expression())
            if not self._take(","):
                break
        self._expect(")")
        fewest, most = FUNCTIONS[name.text]
        if not fewest <= len(arguments) <= most:
            count = str(fewest) if fewest == most else f"{fewest} or {most}"
            raise UsageError(f"{self._text!r}: {name.text} takes {count} arguments, not {len(arguments)}")
        return Call(name.text, tuple(arguments))

    def _subscript(self, base: Expression) -> Expression:
        if self._take(":"):
            high = self._next()
            self._expect("]")
            return Slice(base, self._whole(high))
        token = self._next()
        if token.kind == "text":
            key: int | str = unquoted(token.text)
        else:
            negative = token.text == "-"
            key = self._whole(self._next() if negative else token) * (-1 if negative else 1)
        if self._take(":"):
            if key:
                self._fail("a slice from the beginning, as x[:8]", token)
            high = self._next()
            self._expect("]")
            return Slice(base, self._whole(high))
        self._expect("]")
        return Index(base, key)

    def _whole(self, token: Token) -> int:
        if token.kind != "number":
            self._fail("a number", token)
        value = number(token).value
        if not isinstance(value, int):
            self._fail("a whole number", token)
        return value

    def _type(self) -> str:
        """The text up to the parenthesis that closes an assertion."""
        start, depth = self._at, 0
        while self._at < len(self._text) and not (depth == 0 and self._text[self._at] == ")"):
            depth += self._text[self._at] in "([{"
            depth -= self._text[self._at] in ")]}"
            self._at += 1
        text = self._text[start : self._at].strip()
        self._expect(")")
        if not text:
            self._fail("a type", self._peek())
        return text

    # Tokens

    def end(self) -> None:
        if self._peek().kind != "end":
            self._fail("the end", self._peek())

    def _peek(self) -> Token:
        return token_at(self._text, self._at)

    def _next(self) -> Token:
        token = self._peek()
        self._at = token.end
        return token

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.text != text or token.kind not in ("sign", "name"):
            return False
        self._at = token.end
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(repr(text), self._peek())

    def _touches(self) -> bool:
        return not self._text[self._at : self._at + 1].isspace()

    def _field_behind(self) -> bool:
        """Whether ``->`` is C's, as in ``p->field``: Go's arrow of results has a space before it."""
        return self._text[self._at + 2 : self._at + 3].isidentifier()

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST * 4:
            raise UsageError(f"{self._text[:60]!r}…: is nested too deep; make it simpler")

    def _fail(self, wanted: str, token: Token) -> NoReturn:
        found = f"not {self._text[token.start : token.start + 12]!r}" if token.kind != "end" else "not its end"
        raise UsageError(f"{self._text!r}: {wanted} is expected at character {token.start + 1}, {found}")
