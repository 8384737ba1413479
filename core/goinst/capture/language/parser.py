"""``main.ping(req.Method, req.URL.Path) -> err if err != nil``: the text of a SPEC, parsed.

::

    spec      = target [ "(" [ item { "," item } ] ")" ] [ "->" item { "," item } ] [ "if" condition ]
    item      = [ label "=" ] expression          what to capture
              | name Type                         what a parameter is, where the binary does not tell
    condition = that of goinst.conditions, of expressions

Without parentheses behind the target every parameter is captured, with empty ones none. A target with
parentheses or blanks of its own stands between double quotes: ``"shop::add(int, int)"(a, b)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from goinst.conditions import ConditionParser, Token, number, unquoted, words
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


class _Parser(ConditionParser[Expression, Condition]):
    """Recursive descent over the tokens behind the target."""

    tokens = words(r"[^\W\d]\w*|~r\d+|\$\w+")
    deepest = 128

    def spec(self, target: str, *, regex: bool) -> Spec:
        items, declared = self._arguments() if self.take("(") else (None, ())
        results: list[Item] = []
        returned: list[tuple[str, str]] = []
        if self.take("->"):
            self._either(results, returned)
            while self.take(","):
                self._either(results, returned)
            if not results:
                results = [Item(name, Name(name)) for name, _ in returned if name != "_"]
        condition = self.condition() if self.take("if") else None
        self.end()
        return Spec(
            self.text.strip(), target, regex, items, declared, tuple(results), condition, tuple(returned)
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
        empty = self.peek().text == ")"
        while self.peek().text != ")":
            self._either(items, declared)
            if not self.take(","):
                break
        self.expect(")")
        return (tuple(items) if items or empty else None), tuple(declared)

    def _declaration(self) -> tuple[str, str] | None:
        """``name Type``: a name, a space, and then what no operator begins."""
        name = self.peek()
        if name.kind != "name" or not self.text[name.end : name.end + 1].isspace():
            return None
        rest = self.text[name.end :].lstrip()
        if not re.match(r"(?!if\b)(?:[\w*\[(]|<-)", rest):
            return None
        start = at = len(self.text) - len(rest)
        depth = 0
        while at < len(self.text) and not (depth == 0 and re.match(r"[,)]|->|\s+if\s", self.text[at:])):
            depth += self.text[at] in "([{"
            depth -= self.text[at] in ")]}"
            at += 1
        self.at = at
        return name.text, self.text[start:at].strip()

    def _item(self) -> Item:
        start, label = self.peek(), ""
        if start.kind == "name":
            mark = self.at
            self.next()
            if self.take("="):
                label = start.text
            else:
                self.at = mark
        first = self.peek().start
        expression = self.expression()
        return Item(label or self.text[first : self.at].strip(), expression)

    # Conditions

    def operand(self) -> Expression:
        return self.expression()

    def alone(self, operand: Expression) -> Condition:
        return Compare("!=", operand, Literal(0))

    def compared(self, sign: str, left: Expression, right: Expression) -> Condition:
        return Compare(sign, left, right)

    def searched(self, operand: Expression, sign: Token) -> NoReturn:  # noqa: ARG002
        self.fail("what the kernel can decide (a regular expression it cannot; hasPrefix(x, …) it can)", sign)

    def joined(self, sign: str, terms: Sequence[Condition]) -> Condition:
        return Logic(sign, tuple(terms))

    def negated(self, term: Condition) -> Condition:
        return Not(term)

    # Expressions

    def expression(self) -> Expression:
        self.enter()
        found = self._primary()
        while True:
            if self.take("."):
                if self.take("("):
                    found = Assert(found, self._type())
                else:
                    field = self.next()
                    if field.kind not in ("name", "number"):
                        self.fail("a field's name", field)
                    found = Select(found, field.text)
            elif self.peek().text == "->" and self._touches() and self._field_behind():
                self.next()
                found = Select(found, self.next().text)
            elif self.take("["):
                found = self._subscript(found)
            else:
                break
        self.leave()
        return found

    def _primary(self) -> Expression:
        token = self.next()
        if token.text == "*":
            self.enter()
            found = Deref(self.expression())
            self.leave()
            return found
        if token.text == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if token.text == "-" and self.peek().kind == "number":
            literal = _constant(self.next())
            assert isinstance(literal.value, int)
            return Literal(-literal.value)
        if token.kind == "number":
            return _constant(token)
        if token.kind == "text":
            return Literal(unquoted(token.text))
        if token.kind != "name":
            self.fail("a variable", token)
        if token.text in ("true", "false", "nil"):
            return Literal({"true": True, "false": False, "nil": None}[token.text])
        if self.peek().text == "(":
            return self._call(token)
        return Name(token.text)

    def _call(self, name: Token) -> Call:
        if name.text not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            self.fail(f"a function of goinst ({known}; the program's own are never called)", name)
        self.expect("(")
        arguments: list[Expression] = []
        while self.peek().text != ")":
            arguments.append(self.expression())
            if not self.take(","):
                break
        self.expect(")")
        fewest, most = FUNCTIONS[name.text]
        if not fewest <= len(arguments) <= most:
            count = str(fewest) if fewest == most else f"{fewest} or {most}"
            raise UsageError(f"{self.text!r}: {name.text} takes {count} arguments, not {len(arguments)}")
        return Call(name.text, tuple(arguments))

    def _subscript(self, base: Expression) -> Expression:
        if self.take(":"):
            high = self.next()
            self.expect("]")
            return Slice(base, self._whole(high))
        token = self.next()
        if token.kind == "text":
            key: int | str = unquoted(token.text)
        else:
            negative = token.text == "-"
            key = self._whole(self.next() if negative else token) * (-1 if negative else 1)
        if self.take(":"):
            if key:
                self.fail("a slice from the beginning, as x[:8]", token)
            high = self.next()
            self.expect("]")
            return Slice(base, self._whole(high))
        self.expect("]")
        return Index(base, key)

    def _whole(self, token: Token) -> int:
        if token.kind != "number":
            self.fail("a number", token)
        value = _constant(token).value
        if not isinstance(value, int):
            self.fail("a whole number", token)
        return value

    def _type(self) -> str:
        """The text up to the parenthesis that closes an assertion."""
        start, depth = self.at, 0
        while self.at < len(self.text) and not (depth == 0 and self.text[self.at] == ")"):
            depth += self.text[self.at] in "([{"
            depth -= self.text[self.at] in ")]}"
            self.at += 1
        text = self.text[start : self.at].strip()
        self.expect(")")
        if not text:
            self.fail("a type", self.peek())
        return text

    # Tokens

    def end(self) -> None:
        if self.peek().kind != "end":
            self.fail("the end", self.peek())

    def _touches(self) -> bool:
        return not self.text[self.at : self.at + 1].isspace()

    def _field_behind(self) -> bool:
        """Whether ``->`` is C's, as in ``p->field``: Go's arrow of results has a space before it."""
        return self.text[self.at + 2 : self.at + 3].isidentifier()

    def too_deep(self) -> NoReturn:
        raise UsageError(f"{self.text[:60]!r}…: is nested too deep; make it simpler")

    def fail(self, wanted: str, token: Token) -> NoReturn:
        found = f"not {self.text[token.start : token.start + 12]!r}" if token.kind != "end" else "not its end"
        raise UsageError(f"{self.text!r}: {wanted} is expected at character {token.start + 1}, {found}")


def _constant(token: Token) -> Literal:
    value = number(token)
    if isinstance(value, float):
        raise UsageError(f"{token.text}: numbers with a fraction cannot be compared in the kernel; use whole ones")
    return Literal(value)
