"""``--where``: a condition on spans, in a small language of its own.

    http.response.status_code >= 500 or duration > 250ms
    kind == server and not name ~ "^GET /health"
    rpc.method and service == "shop"

Names are ``name kind status duration plugin service trace_id span_id parent_span_id``, attributes of the span, and of
its process. A name alone is true when it is there and not empty, false or 0. ``~`` searches a regular expression. What
is not there, or of another type, compares false; ``!=`` with it is true.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from goinst.errors import UsageError
from goinst.sampling import kept
from goinst.spans.span import Span

__all__ = ["compile_where", "filters", "sampler"]

_Value = Callable[[Span], Any]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>-?\d+(?:\.\d+)?)(?P<unit>ns|us|µs|ms|s|m|h)?(?![\w.])
  | (?P<operator>==|!=|<=|>=|<|>|~|\(|\))
  | (?P<word>[A-Za-z_][\w.\-/]*)
)""",
    re.VERBOSE,
)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
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
_DEEPEST = 50


def compile_where(text: str) -> Callable[[Span], bool]:
    """What an expression says of a span. UsageError when it cannot be understood."""
    parser = _Parser(text)
    condition = parser.either(0)
    if parser.at < len(parser.tokens):
        raise parser.wrong("an operator, `and` or `or` expected")
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


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self.tokens: list[tuple[str, Any]] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise UsageError(f"--where {text!r}: cannot be read at {text[position:].strip()[:20]!r}")
            self.tokens.append(_token(found))
            position = found.end()

    def wrong(self, wanted: str) -> UsageError:
        there = f"at {self.tokens[self.at][1]!r}" if self.at < len(self.tokens) else "at the end"
        return UsageError(f"--where {self._text!r}: {wanted} {there}")

    def _take(self, kind: str, *values: str) -> Any:
        if self.at < len(self.tokens):
            found, value = self.tokens[self.at]
            if found == kind and (not values or value in values):
                self.at += 1
                return value
        return None

    def either(self, depth: int) -> _Value:
        if depth > _DEEPEST:
            raise self.wrong("fewer parentheses expected")
        parts = [self._both(depth)]
        while self._take("word", "or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda span: any(part(span) for part in parts)

    def _both(self, depth: int) -> _Value:
        parts = [self._not(depth)]
        while self._take("word", "and"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else lambda span: all(part(span) for part in parts)

    def _not(self, depth: int) -> _Value:
        negate = False
        while self._take("word", "not"):
            negate = not negate
        inner = self._comparison(depth)
        return (lambda span: not inner(span)) if negate else inner

    def _comparison(self, depth: int) -> _Value:
        if self._take("operator", "("):
            inner = self.either(depth + 1)
            if not self._take("operator", ")"):
                raise self.wrong("`)` expected")
            return inner
        left = self._value()
        sign = self._take("operator", "==", "!=", "<", "<=", ">", ">=", "~")
        if sign is None:
            return left
        if sign == "~":
            return self._search(left)
        right = self._value()
        if sign == "==":
            return lambda span: _same(left(span), right(span))
        if sign == "!=":
            return lambda span: not _same(left(span), right(span))
        return _ordered(_COMPARE[sign], left, right)

    def _search(self, left: _Value) -> _Value:
        text = self._take("text")
        if text is None:
            raise self.wrong("a regular expression in quotation marks expected")
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise UsageError(f"--where {self._text!r}: {text!r} is no regular expression: {error}") from error
        return lambda span: isinstance(value := left(span), str) and pattern.search(value) is not None

    def _value(self) -> _Value:
        if self.at >= len(self.tokens):
            raise self.wrong("a name or a value expected")
        kind, value = self.tokens[self.at]
        if kind == "operator" or value in ("and", "or", "not"):
            raise self.wrong("a name or a value expected")
        self.at += 1
        if kind in ("text", "number"):
            return lambda _: value
        if value in ("true", "false"):
            return lambda _: value == "true"
        if value in _MEMBERS:
            return _MEMBERS[value]
        if value in _WORDS:
            return lambda _: value
        return lambda span: span.attributes.get(value, span.resource.attributes.get(value))


def _token(found: re.Match[str]) -> tuple[str, Any]:
    if found["text"]:
        return "text", re.sub(r"\\(.)", r"\1", found["text"][1:-1]) if "\\" in found["text"] else found["text"][1:-1]
    if found["number"]:
        number = float(found["number"])
        return "number", number * _UNITS[found["unit"]] if found["unit"] else number
    return ("operator", found["operator"]) if found["operator"] else ("word", found["word"])


def _same(left: Any, right: Any) -> bool:
    # 1 == True to Python
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _ordered(compare: Callable[[Any, Any], Any], left: _Value, right: _Value) -> _Value:
    def holds(span: Span) -> bool:
        first, second = left(span), right(span)
        numbers = isinstance(first, int | float) and isinstance(second, int | float)
        return (numbers or (isinstance(first, str) and isinstance(second, str))) and bool(compare(first, second))

    return holds
