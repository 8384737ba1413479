"""What an expression means in a binary: from variables by name to a typed value and the C that gets at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from goinst.binary.model import Member, Shape
from goinst.capture.language.syntax import Assert, Call, Deref, Expression, Index, Literal, Name, Select, Slice
from goinst.capture.place import Memory, Place, Text, Words, moved, number, word
from goinst.capture.wire.maps import MapLayout, find_entry
from goinst.errors import BinaryError

__all__ = ["CHAR", "Resolver", "Types", "Value", "align_of"]

CHAR = Shape("char", "int", 1)
_WORD = Shape("uint64", "uint", 8)
_TEXT = Shape("string", "string", 16)
_BYTES = Shape("[]uint8", "slice", 24, elem="uint8")
_EMBEDDED_DEPTH = 8
_DIRECT = ("pointer", "map", "chan", "func")


@dataclass(frozen=True, slots=True)
class Value:
    """A typed value somewhere. ``most``: how many elements or bytes are wanted; ``after``: what is done with it when it
    has been decoded. ``why`` says that it is in no place that can be read, and why."""

    place: Place
    shape: Shape
    most: int | None = None
    after: Callable[[Any], Any] | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Types:
    """What is asked of a binary: types by reference, full names of types as they are written, hashes."""

    shape: Callable[[str], Shape | None]
    full_name: Callable[[str], str]
    hash: Callable[[str], int | None]
    maps: MapLayout | None


class Resolver:
    """Resolves the expressions of one program; what several of them go through is fetched once.

    ``scope`` has the variables by name; BinaryError, which begins with the expression, says what is wrong.
    """

    def __init__(self, types: Types, scope: Mapping[str, Value], out: Text) -> None:
        self._types = types
        self._scope = scope
        self._out = out
        self._known: dict[Expression, Value] = {}

    def value(self, expression: Expression) -> Value:
        """The value that an expression stands for."""
        found = self._known.get(expression)
        if found is None:
            found = self._known[expression] = self._value(expression)
        return found

    def _value(self, expression: Expression) -> Value:
        match expression:
            case Name(name):
                if name not in self._scope:
                    raise BinaryError(_unknown(name, self._scope))
                found = self._scope[name]
                if found.why:
                    raise BinaryError(f"{name}: {found.why}")
                return found
            case Select(base, field):
                return self._field(self.value(base), field)
            case Index(base, key):
                return self._element(self.value(base), key)
            case Slice(base, high):
                return replace(self.value(base), most=high)
            case Deref(base):
                value = self.value(base)
                if value.shape.kind != "pointer":
                    _wrong(value, "is no pointer, so there is nothing behind it")
                return self._behind(value)
            case Assert(base, name):
                return self._asserted(self.value(base), name)
            case Call(function, arguments):
                return self._call(function, [self.value(each) for each in arguments])
            case Literal(value):
                if not isinstance(value, int):
                    raise BinaryError(f"{value!r}: a constant need not be captured")
                return Value(Words(((0, 8, f"{value & (1 << 64) - 1:#x}UL"),)), _WORD)

    def shape(self, reference: str) -> Shape | None:
        """A type by reference."""
        return CHAR if reference == "char" else self._types.shape(reference)

    def _behind(self, value: Value) -> Value:
        elem = self.shape(value.shape.elem) if value.shape.elem else None
        if elem is None:
            _wrong(value, "points to a type that the binary does not describe")
        return Value(Memory(word(self._out, value.place)), elem)

    def _field(self, value: Value, name: str) -> Value:
        if value.shape.kind == "pointer":
            value = self._behind(value)
        if value.shape.kind == "interface":
            _wrong(value, f"is an interface: say what it holds, as in x.(*pkg.Type).{name}")
        if value.shape.kind not in ("struct", "union"):
            _wrong(value, f"is a {value.shape.kind} and has no field {name}")
        found = self._member(value, name)
        if found is None:
            known = ", ".join(member.name for member in value.shape.fields[:20])
            _wrong(value, f"has no field {name}; it has {known or 'none that is known'}")
        return found

    def _member(self, value: Value, name: str) -> Value | None:
        """A field, or one promoted from an embedded struct, the shallowest (Go specification, Selectors)."""
        level = [value]
        for _ in range(_EMBEDDED_DEPTH):
            below: list[Value] = []
            for each in level:
                for member in each.shape.fields:
                    if member.name == name:
                        return self._part(each, member)
                below += [self._part(each, member) for member in each.shape.fields if member.embedded]
            level = []
            for inner in below:
                one = inner
                if one.shape.kind == "pointer" and one.shape.elem:
                    elem = self.shape(one.shape.elem)
                    if elem is None or not self._has(elem, name, 0):
                        continue
                    one = self._behind(one)
                if one.shape.kind == "struct":
                    level.append(one)
        return None

    def _has(self, shape: Shape, name: str, depth: int) -> bool:
        """Whether a field of the name is in a struct or one that is embedded in it: so that nothing is fetched in
        vain."""
        if any(member.name == name for member in shape.fields):
            return True
        if depth > _EMBEDDED_DEPTH:
            return False
        for member in shape.fields:
            inner = self.shape(member.type) if member.embedded else None
            if inner is not None and inner.kind == "pointer":
                inner = self.shape(inner.elem)
            if inner is not None and self._has(inner, name, depth + 1):
                return True
        return False

    def _part(self, value: Value, member: Member) -> Value:
        inner = self.shape(member.type)
        if inner is None:
            _wrong(value, f"has a field {member.name} of a type that the binary does not describe")
        return Value(moved(value.place, member.offset, inner.size), inner)

    def _element(self, value: Value, key: int | str) -> Value:
        out, shape = self._out, value.shape
        if shape.kind == "pointer":
            value = self._behind(value)
            shape = value.shape
        elem = self.shape(shape.elem) if shape.elem else None
        if shape.kind == "map":
            keys = self.shape(shape.key) if shape.key else None
            if elem is None or keys is None or self._types.maps is None:
                _wrong(value, "is a map whose types the binary does not describe")
            if isinstance(key, str) != (keys.kind == "string") or keys.kind not in ("string", "int", "uint"):
                _wrong(value, f"has keys of type {keys.name}; {key!r} is none")
            map_ = word(out, value.place)
            return Value(find_entry(out, map_, self._types.maps, keys, elem, key), elem)
        if isinstance(key, str):
            _wrong(value, f"is no map; {key!r} is no index")
        if elem is None or shape.kind not in ("slice", "array"):
            _wrong(value, f"is a {shape.kind}: it has no elements that are known")
        if shape.kind == "array":
            at = key + shape.length if key < 0 else key
            if not 0 <= at < shape.length:
                _wrong(value, f"has {shape.length} elements; there is no {key}")
            return Value(moved(value.place, at * elem.size, elem.size), elem)
        begin, length = word(out, value.place), word(out, value.place, 8)
        where = f"({length} + {key})" if key < 0 else str(key)
        text = f"{begin} < CAPTURE_OK ? {begin} : (u64){where} < {length} ? {begin} + {where} * {elem.size}"
        return Value(Memory(out.temporary(f"{text} : CAPTURE_NO_ITEM")), elem)

    def _asserted(self, value: Value, written: str) -> Value:
        if value.shape.kind != "interface":
            _wrong(value, "is no interface")
        name = self._types.full_name(written)
        shape, number_ = self._types.shape(name), self._types.hash(name)
        if shape is None or not number_:
            raise BinaryError(f"type {name}: no interface of this program can hold it: it has no type descriptor")
        kind, data = word(self._out, value.place), word(self._out, value.place, 8)
        held = self._out.temporary(f"capture_assert({kind}, {data}, {number_:#x})")
        return Value(Words(((0, 8, held),)) if shape.kind in _DIRECT else Memory(held), shape)

    def _call(self, function: str, arguments: list[Value]) -> Value:
        out, value = self._out, arguments[0]
        match function:
            case "len" | "cap":
                return self._length(value, function)
            case "str" if len(arguments) == 2:
                return Value(Words(((0, 8, self.number(value)), (8, 8, self.number(arguments[1])))), _TEXT)
            case "bytes" if len(arguments) == 2:
                pieces = ((0, 8, self.number(value)), (8, 8, self.number(arguments[1])), (16, 8, "0"))
                return Value(Words(pieces), _BYTES)
            case "str" | "bytes":
                if value.shape.kind in ("string", "slice"):
                    begin, length = word(out, value.place), word(out, value.place, 8)
                    return Value(Words(((0, 8, begin), (8, 8, length))), _TEXT, value.most)
                return Value(
                    Words(((0, 8, self.number(value)),)), Shape("*char", "pointer", 8, elem="char"), value.most
                )
            case "hex":
                return Value(Words(((0, 8, self.number(value)),)), _WORD, after=_hexadecimal)
            case "type":
                if value.shape.kind != "interface":
                    _wrong(value, "is no interface; its type is known")
                return replace(value, shape=replace(value.shape, kind="typename"))
        size = int(function.lstrip("uint")) // 8
        kind = "uint" if function.startswith("u") else "int"
        return Value(Words(((0, size, self.number(value)),)), Shape(function, kind, size))

    def _length(self, value: Value, function: str) -> Value:
        out, shape = self._out, value.shape
        if shape.kind in ("slice", "string") and not (function == "cap" and shape.kind == "string"):
            text = word(out, value.place, 16 if function == "cap" else 8)
        elif shape.kind in ("map", "chan"):
            text = out.temporary(f"capture_hop({word(out, value.place)}, {8 if function == 'cap' else 0})")
        elif shape.kind == "array":
            text = str(shape.length)
        else:
            _wrong(value, f"is a {shape.kind}, which has no {function}")
        return Value(Words(((0, 8, text),)), Shape("int", "int", 8))

    def number(self, value: Value) -> str:
        """A value as a number of 64 bits, in a C variable; 0 when it cannot be read."""
        if value.shape.kind not in ("int", "uint", "bool", "pointer", "map", "chan", "func") or value.shape.size > 8:
            _wrong(value, f"is a {value.shape.kind}, not a number")
        there = self._out.temporary("1")
        return number(self._out, value.place, value.shape.size, signed=value.shape.kind == "int", there=there)


def align_of(shape: Callable[[str], Shape | None]) -> Callable[[Shape], int]:
    """How a type of a 64-bit Go program is aligned, in bytes."""

    def align(one: Shape) -> int:
        if one.kind in ("struct", "array"):
            parts = [shape(member.type) for member in one.fields] if one.kind == "struct" else [shape(one.elem)]
            return max((align(part) for part in parts if part is not None), default=1)
        if one.kind == "complex":
            return one.size // 2
        return min(one.size, 8) or 1

    return align


def _unknown(name: str, scope: Mapping[str, Value]) -> str:
    known = ", ".join(each for each in scope if each not in ("goid", "duration") and not each.startswith("arg"))
    if known:
        return f"{name}: is no variable here; known are {known}, and goid"
    return (
        f"{name}: the binary does not say what the parameters are called: name them all, in order, with their types,"
        f" as in 'main.f(w http.ResponseWriter, {name} *http.Request, …)'; or arg1, arg2, … for plain words"
    )


def _hexadecimal(value: Any) -> Any:
    return f"{value:#x}" if isinstance(value, int) else value


def _wrong(value: Value, words: str) -> NoReturn:
    raise BinaryError(f"a value of type {value.shape.name} {words}")
