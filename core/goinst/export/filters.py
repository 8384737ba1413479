"""``--where``: a condition on spans.

    http.response.status_code >= 500 or duration > 250ms
    kind == server and not name ~ "^GET /health"
    rpc.method and service == "shop"

Names are ``name kind status duration plugin service trace_id span_id parent_span_id``, attributes of the span, and of
its process. A name alone is true when it is there and not empty, false or 0. ``~`` searches a regular expression. What
is not there, or of another type, compares false; ``!=`` with it is true. The grammar is that of goinst.conditions.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from goinst.conditions import ConditionParser, Token, number, pattern, unquoted, words
from goinst.errors import UsageError
from goinst.sampling import kept
from goinst.spans.span import Span

__all__ = ["compile_where", "filters", "sampler"]

_Value = Callable[[Span], Any]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MEMBERS: dict[str, _Value] = {
    "name": lambda span: span.name,
    "kind": lambda span: span.kind,
    "status": lambda span: span.status,
    "duration": lambda span: span.duration_ns,
    "plugin": lambda span: span.plugin,
    "service": lambda span: span.resource.attributes.get("service.name"),
    "trace_id": lambda span: f"{span.trace_id:032x}",
    "span_id": lambda span: f"{span.span_id:016x}",
    "parent_span_id": lambda span: f"{span.parent_span_id:016x}" if span.parent_span_id else None,
}
# words that are values of these, and need no quotation marks
_WORDS = frozenset({"server", "client", "internal", "producer", "consumer", "unset", "ok", "error"})


def compile_where(text: str) -> Callable[[Span], bool]:
    """What an expression says of a span. UsageError when it cannot be understood."""
    parser = _Parser(text)
    condition = parser.condition()
    if (rest := parser.peek()).kind != "end":
        parser.fail("an operator, `and` or `or`", rest)
    return lambda span: bool(condition(span))


def sampler(share: float) -> Callable[[Span], bool]:
    """Keeps about this share of traces, each as a whole: the same on every machine, and as the kernel does it."""
    if not 0 <= share <= 1:
        raise UsageError(f"--sample {share:g}: a share from 0 to 1 expected")
    return lambda span: kept(span.trace_id, share)


def filters(where: str, sample: float) -> dict[str, Callable[[Span], bool]]:
    """What spans must pass, by the name under which those are counted that do not."""
    wanted: dict[str, Callable[[Span], bool]] = {}
    if where:
        wanted["where.left_out"] = compile_where(where)
    if sample != 1:
        wanted["sample.left_out"] = sampler(sample)
    return wanted


class _Parser(ConditionParser[_Value, _Value]):
    tokens = words(r"[A-Za-z_][\w.\-/]*")
    deepest = 100
    reserved = True

    def operand(self) -> _Value:
        token = self.next()
        if token.kind == "text":
            text = unquoted(token.text)
            return lambda _: text
        minus = token.text == "-" and token.kind == "sign"
        if minus:
            token = self.next()
        if token.kind == "number":
            value = number(token) * (-1 if minus else 1)
            return lambda _: value
        name = token.text
        if minus or token.kind != "name" or name in ("and", "or", "not"):
            self.fail("a name or a value", token)
        if name in ("true", "false"):
            return lambda _: name == "true"
        if name in _MEMBERS:
            return _MEMBERS[name]
        if name in _WORDS:
            return lambda _: name
        return lambda span: span.attributes.get(name, span.resource.attributes.get(name))

    def alone(self, operand: _Value) -> _Value:
        return operand

    def compared(self, sign: str, left: _Value, right: _Value) -> _Value:
        if sign == "==":
            return lambda span: _same(left(span), right(span))
        if sign == "!=":
            return lambda span: not _same(left(span), right(span))
        return _ordered(_COMPARE[sign], left, right)

    def searched(self, operand: _Value, sign: Token) -> _Value:  # noqa: ARG002
        token = self.next()
        if token.kind != "text":
            self.fail("a regular expression in quotation marks", token)
        text = pattern(token.text)
        try:
            search = re.compile(text).search
        except re.error as error:
            raise UsageError(f"--where {self.text!r}: {text!r} is no regular expression: {error}") from error
        return lambda span: isinstance(value := operand(span), str) and search(value) is not None

    def joined(self, sign: str, terms: Sequence[_Value]) -> _Value:
        decide = all if sign == "&&" else any
        return lambda span: decide(term(span) for term in terms)

    def negated(self, term: _Value) -> _Value:
        return lambda span: not term(span)

    def expect(self, text: str) -> None:
        if not self.take(text):
            self.fail(f"`{text}`", self.peek())

    def fail(self, wanted: str, token: Token) -> NoReturn:
        if token.kind == "other":
            raise UsageError(f"--where {self.text!r}: cannot be read at {self.text[token.start :].strip()[:20]!r}")
        there = f"at {token.text!r}" if token.kind != "end" else "at the end"
        raise UsageError(f"--where {self.text!r}: {wanted} expected {there}")

    def too_deep(self) -> NoReturn:
        self.fail("fewer parentheses", self.peek())


def _same(left: Any, right: Any) -> bool:
    # 1 == True to Python
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _ordered(compare: Callable[[Any, Any], Any], left: _Value, right: _Value) -> _Value:
    def holds(span: Span) -> bool:
        first, second = left(span), right(span)
        numbers = isinstance(first, int | float) and isinstance(second, int | float)
        return (numbers or (isinstance(first, str) and isinstance(second, str))) and bool(compare(first, second))

    return holds
