"""From a type to the wire of its values: how deep, how many, how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from goinst.binary.model import Shape
from goinst.capture.wire.interfaces import Dynamic, Errors
from goinst.capture.wire.maps import Entries, MapLayout
from goinst.capture.wire.nodes import Bytes, CString, Elements, Follow, Pointee, Raw, Reader
from goinst.capture.wire.values import ABSENT, Absent, Captured, Scalar, go_duration, go_time

__all__ = ["Limits", "Nodes", "smaller_limits"]

Decode = Callable[[Reader, int, Mapping[int, Captured]], Captured]
_LARGEST = 1024  # bytes of a value that are copied in one piece
_NODES = 600
_ARRAY_BYTES = 64
_WRAPPED = 4  # errors inside each other that are looked at: url.Error, net.OpError, os.SyscallError, syscall.Errno
_FEW = 4  # elements are given up before depth down to so many


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is taken: bytes of a text, elements, pointers behind each other, bytes in all."""

    text: int = 128
    items: int = 8
    depth: int = 1
    size: int = 3072


class TooLargeError(Exception):
    """The wire of a value would have more parts than a program can fetch."""


class Nodes:
    """Makes the wire of values of one binary. ``shape`` answers references, ``errors`` are its error types."""

    def __init__(
        self, shape: Callable[[str], Shape | None], errors: Errors, maps: MapLayout | None, limits: Limits
    ) -> None:
        self._shape = shape
        self._errors = errors
        self._maps = maps
        self._limits = limits
        self._left = _NODES

    def make(self, shape: Shape) -> tuple[Raw, Limits]:
        """The wire of a value, with what it had to be limited to so that it is not too large."""
        limits = self._limits
        while True:
            self._left = _NODES
            try:
                made = Nodes(self._shape, self._errors, self._maps, limits)._raw(shape, limits.depth, root=True)
                if made.size <= limits.size or limits == (smaller := smaller_limits(limits)):
                    return made, limits
            except TooLargeError:
                smaller = smaller_limits(limits)
                if smaller == limits:
                    raise
            limits = smaller

    def _raw(self, shape: Shape, depth: int, *, root: bool = False) -> Raw:
        self._left -= 1
        if self._left < 0:
            raise TooLargeError
        follows: list[tuple[int, Follow]] = []
        if shape.size > _LARGEST:
            shape = replace(shape, size=_LARGEST)
        decode = self._decode(shape, 0, depth, follows, root=root)
        return Raw(shape, lambda reader, at, _, found: decode(reader, at, found), follows)

    def _decode(
        self, shape: Shape, base: int, depth: int, follows: list[tuple[int, Follow]], *, root: bool = False
    ) -> Decode:
        """The decoder of a value at ``base`` of a copied one; what it leads to is appended to ``follows``."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeError
        size = shape.size
        match shape.kind:
            case "bool":
                return lambda reader, at, found: bool(reader.buffer[at + base])
            case "int" | "uint":
                return _number(shape, base)
            case "float" if size in (4, 8):
                return lambda reader, at, found: Scalar.real(reader.buffer, at + base, size)
            case "complex":
                return lambda reader, at, found: Scalar.complex(reader.buffer, at + base, size)
            case "string":
                return _followed(follows, base, Bytes(self._limits.text if root else min(self._limits.text, 64)))
            case "slice":
                return self._slice(shape, base, depth, follows, root=root)
            case "array":
                return self._array(shape, base, depth, follows)
            case "struct" | "union":
                return self._struct(shape, base, depth, follows)
            case "pointer":
                return self._pointer(shape, base, depth, follows, root=root)
            case "interface":
                if depth > 0 or root:
                    itab = shape.name not in ("interface {}", "any")
                    levels = _WRAPPED if shape.name == "error" else 1
                    return _followed(follows, base, Dynamic(itab, levels, self._errors))
                name = shape.name
                return lambda reader, at, found: Absent(f"<{name}>") if _word(reader, at + base) else None
            case "map":
                return self._map(shape, base, depth, follows, root=root)
            case "chan":
                pair = Shape("hchan", "array", 16, elem="uint64", length=2)
                follow = Pointee(Raw(pair, lambda reader, at, _, found: _channel(reader, at)))
                return _followed(follows, base, follow)
            case "func":
                code = Pointee(
                    Raw(Shape("code", "uint", 8), lambda reader, at, _, found: reader.symbol(_word(reader, at)))
                )
                return _followed(follows, base, code)
        name = shape.name
        return lambda reader, at, found: Absent(f"<{name}>")

    def _slice(self, shape: Shape, base: int, depth: int, follows: list[tuple[int, Follow]], *, root: bool) -> Decode:
        elem = self._shape(shape.elem) if shape.elem else None
        if elem is not None and elem.kind == "uint" and elem.size == 1:
            most = self._limits.text if root else min(self._limits.text, 64)
            return _followed(follows, base, Bytes(most, binary=True))
        if elem is None or not (depth > 0 or root):
            name = shape.name
            return lambda reader, at, found: _counted(name, _word(reader, at + base + 8), _word(reader, at + base))
        value = self._raw(elem, depth if root else depth - 1)
        inner = _followed(follows, base, Elements(value, self._limits.items))
        return lambda reader, at, found: inner(reader, at, found) if _word(reader, at + base) else None

    def _array(self, shape: Shape, base: int, depth: int, follows: list[tuple[int, Follow]]) -> Decode:
        elem = self._shape(shape.elem) if shape.elem else None
        if elem is None:
            return lambda reader, at, found: Absent(f"<{shape.name}>")
        if elem.size == 1 and elem.kind in ("uint", "int"):
            most = min(shape.length, _ARRAY_BYTES, max(_LARGEST - base, 0))
            text = elem.name == "char"

            def characters(reader: Reader, at: int, found: Mapping[int, Captured]) -> Captured:
                data = bytes(reader.buffer[at + base : at + base + most])
                reader.cut |= shape.length > most
                return Scalar.text(data.partition(b"\0")[0]) if text else data.hex()

            return characters
        fits = max(_LARGEST - base, 0) // max(elem.size, 1)
        count = min(shape.length, max(self._limits.items, 4), fits)
        decoders = [self._decode(elem, base + i * elem.size, depth, follows) for i in range(count)]

        def elements(reader: Reader, at: int, found: Mapping[int, Captured]) -> Captured:
            reader.cut |= count < shape.length
            return [decode(reader, at, found) for decode in decoders]

        return elements

    def _struct(self, shape: Shape, base: int, depth: int, follows: list[tuple[int, Follow]]) -> Decode:
        if shape.name == "time.Time" and shape.size == 24:
            return lambda reader, at, found: go_time(_word(reader, at + base), _word(reader, at + base + 8))
        decoders: list[tuple[str, Decode]] = []
        left_out = False
        for member in shape.fields:
            inner = self._shape(member.type)
            if inner is None or base + member.offset + inner.size > _LARGEST:
                left_out = True
            elif member.name != "_":
                decoders.append((member.name, self._decode(inner, base + member.offset, depth, follows)))

        def fields(reader: Reader, at: int, found: Mapping[int, Captured]) -> Captured:
            reader.cut |= left_out
            return {name: decode(reader, at, found) for name, decode in decoders}

        return fields

    def _pointer(self, shape: Shape, base: int, depth: int, follows: list[tuple[int, Follow]], *, root: bool) -> Decode:
        elem = self._shape(shape.elem) if shape.elem else None
        if elem is not None and elem.name == "char":
            return _followed(follows, base, CString(self._limits.text))
        if elem is None or not elem.size or elem.kind == "void" or not (depth > 0 or root):
            return lambda reader, at, found: _address(_word(reader, at + base))
        value = self._raw(elem, depth if root else depth - 1)
        return _followed(follows, base, Pointee(value))

    def _map(self, shape: Shape, base: int, depth: int, follows: list[tuple[int, Follow]], *, root: bool) -> Decode:
        key = self._shape(shape.key) if shape.key else None
        elem = self._shape(shape.elem) if shape.elem else None
        if key is None or elem is None or self._maps is None or not (depth > 0 or root):
            # both kinds of maps begin with the number of their entries (runtime/map.go, internal/runtime/maps/map.go)
            name = shape.name
            count = Raw(Shape("count", "uint", 8), lambda reader, at, _, found: _counted(name, _word(reader, at), 1))
            return _followed(follows, base, Pointee(count))
        keys, values = self._raw(key, 0), self._raw(elem, depth if root else depth - 1)
        return _followed(follows, base, Entries(self._maps, keys, values, self._limits.items))


def smaller_limits(limits: Limits) -> Limits:
    """The next less: many elements first, then pointers, elements and bytes; the same when there is no less."""
    if limits.depth > 0 and limits.items > _FEW:
        return replace(limits, items=max(limits.items // 2, _FEW))
    if limits.depth > 0:
        return replace(limits, depth=limits.depth - 1)
    if limits.items > 2:
        return replace(limits, items=limits.items // 2)
    if limits.text > 32:
        return replace(limits, text=limits.text // 2)
    return limits


def _followed(follows: list[tuple[int, Follow]], base: int, follow: Follow) -> Decode:
    follows.append((base, follow))
    return lambda reader, at, found: found.get(base)


def _word(reader: Reader, at: int) -> int:
    return int.from_bytes(reader.buffer[at : at + 8], "little")


def _number(shape: Shape, base: int) -> Decode:
    size, signed, values = shape.size, shape.kind == "int", shape.values
    if shape.name == "time.Duration":
        return lambda reader, at, found: go_duration(Scalar.number(reader.buffer, at + base, 8, signed=True))
    if shape.name == "char":
        return lambda reader, at, found: chr(reader.buffer[at + base])
    if values:

        def named(reader: Reader, at: int, found: Mapping[int, Captured]) -> Captured:
            value = Scalar.number(reader.buffer, at + base, size, signed=signed)
            return values.get(value, value)

        return named
    return lambda reader, at, found: Scalar.number(reader.buffer, at + base, size, signed=signed)


def _address(value: int) -> Captured:
    return Absent(f"{value:#x}") if value else None


def _counted(name: str, count: int, there: int) -> Captured:
    return Absent(f"<{name} of {count}>") if there else None


def _channel(reader: Reader, at: int) -> Captured:
    """runtime.hchan begins with qcount and dataqsiz (runtime/chan.go)."""
    return {"len": _word(reader, at), "cap": _word(reader, at + 8)}


assert ABSENT[0] is None
