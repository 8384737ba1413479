"""A condition as a C expression: what is not true of a call never leaves the kernel."""

from __future__ import annotations

from goinst.capture.language.syntax import Call, Compare, Condition, Expression, Literal, Logic, Not
from goinst.capture.place import Memory, Text, number, word
from goinst.capture.resolve import Resolver, Value
from goinst.capture.wire.maps import text_is
from goinst.errors import BinaryError

__all__ = ["write_condition"]

_NUMBERS = ("int", "uint", "bool")
_NILABLE = ("pointer", "map", "chan", "func", "interface", "slice")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def write_condition(out: Text, resolver: Resolver, condition: Condition) -> str:
    """Write what the condition needs, and return it as a C expression. BinaryError says what cannot be compared.

    What cannot be read, or is behind a nil, is equal to nothing, and not unequal, less or more either.
    """
    match condition:
        case Logic(operator, terms):
            return "(" + f" {operator} ".join(write_condition(out, resolver, term) for term in terms) + ")"
        case Not(term):
            return f"!({write_condition(out, resolver, term)})"
        case Compare(operator, left, right):
            return _compare(out, resolver, operator, left, right)


def _compare(out: Text, resolver: Resolver, operator: str, left: Expression, right: Expression) -> str:
    if isinstance(left, Literal):
        if isinstance(right, Literal):
            raise BinaryError("a comparison of two constants is always the same; compare a variable")
        left, right, operator = right, left, _TURNED.get(operator, operator)
    if isinstance(left, Call) and left.function == "hasPrefix":
        value, prefix = resolver.value(left.arguments[0]), left.arguments[1]
        if not isinstance(prefix, Literal) or not isinstance(prefix.value, str):
            raise BinaryError("hasPrefix: its second argument is a text in quotes")
        return _text(out, value, prefix.value, whole=False)
    value = resolver.value(left)
    if not isinstance(right, Literal):
        return _two(out, value, operator, resolver.value(right))
    match right.value:
        case None:
            return _nil(out, value, operator)
        case str(text):
            if operator not in ("==", "!="):
                raise BinaryError(f"{operator}: texts are compared by == and !=, and by hasPrefix")
            same, there = _text(out, value, text, whole=True), "1"
            if isinstance(value.place, Memory):  # behind a nil there is no empty text either
                there = f"({value.place.address} >= CAPTURE_OK)"
            return f"({there} && {same})" if operator == "==" else f"({there} && !({same}))"
        case bool(flag):
            return _number(out, value, operator, int(flag))
        case int(wanted):
            if value.shape.kind in _NILABLE and wanted == 0:
                return _nil(out, value, operator)  # a bare `if x`
            return _number(out, value, operator, wanted)
    raise AssertionError


def _text(out: Text, value: Value, text: str, *, whole: bool) -> str:
    if value.shape.kind not in ("string", "slice"):
        raise BinaryError(f"a value of type {value.shape.name} is no text; {text!r} is")
    if len(text.encode()) > 64:
        raise BinaryError(f"{text[:20]!r}…: texts of at most 64 bytes can be compared")
    return text_is(out, word(out, value.place), word(out, value.place, 8), text, whole=whole)


def _nil(out: Text, value: Value, operator: str) -> str:
    if value.shape.kind not in _NILABLE or operator not in ("==", "!="):
        raise BinaryError(f"a value of type {value.shape.name} cannot be compared with nil by {operator}")
    begin = word(out, value.place)
    return f"({begin} == 0)" if operator == "==" else f"({begin} >= CAPTURE_OK)"


def _number(out: Text, value: Value, operator: str, wanted: int) -> str:
    if value.shape.kind not in _NUMBERS or value.shape.size > 8:
        raise BinaryError(f"a value of type {value.shape.name} cannot be compared with {wanted}")
    if not -(1 << 63) <= wanted < 1 << 64:
        raise BinaryError(f"{wanted}: has more than 64 bits")
    there = out.temporary("1")
    text = number(out, value.place, value.shape.size, signed=value.shape.kind == "int", there=there)
    literal = f"{wanted}L" if wanted < 1 << 63 else f"{wanted}UL"
    return f"({there} && {text} {operator} {literal})"


def _two(out: Text, left: Value, operator: str, right: Value) -> str:
    for value in (left, right):
        if value.shape.kind not in _NUMBERS or value.shape.size > 8:
            raise BinaryError(f"a value of type {value.shape.name} can only be compared with a constant")
    there = out.temporary("1")
    signed = left.shape.kind == "int" or right.shape.kind == "int"
    texts = [number(out, v.place, v.shape.size, signed=v.shape.kind == "int", there=there) for v in (left, right)]
    cast = "(s64)" if signed else ""
    return f"({there} && {cast}{texts[0]} {operator} {cast}{texts[1]})"
