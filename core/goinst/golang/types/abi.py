"""Where arguments and results are when a Go function starts and returns, computed from their types.

The rules are those of Go's src/cmd/compile/abi-internal.md and of cmd/compile/internal/abi/abiutils.go; the
older stack layout (ABI0) is amd64's before Go 1.17 and arm64's before Go 1.18.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from goinst.binary.model import Argument, Location, Piece
from goinst.binary.registers import ARGUMENTS, FLOATS
from goinst.errors import BinaryError
from goinst.golang.types.notation import BUILTIN, Expression, Parameter, parse_signature, parse_type

if TYPE_CHECKING:
    from goinst.golang.types.descriptors import GoType

__all__ = ["Abi", "Arch", "Layout", "Places", "Types", "Word", "argument_size", "assign", "locate", "within"]

Arch = Literal["amd64", "arm64"]
Abi = Literal["register", "stack", "c"]

_INTEGERS, _FLOATS = ARGUMENTS["register"], FLOATS["register"]
# At the first instruction SP+0 holds the return address on amd64, and is the callee's slot for the link
# register on arm64.
_FIRST_ON_STACK = 8
_WORD = 8
_MAX_WORDS = 512  # of one argument
_MAX_SIZE = 1 << 30  # bytes of one argument: Go's own limit for a frame
_MAX_DEPTH = 64
_MAX_TYPES = 4096  # looked at for one argument

_PARTS = {"string": ("ptr", "len"), "slice": ("ptr", "len", "cap"), "interface": ("type", "data")}
_SCALARS = {
    **dict.fromkeys(("bool", "int8", "uint8"), 1),
    **dict.fromkeys(("int16", "uint16"), 2),
    **dict.fromkeys(("int32", "uint32"), 4),
    **dict.fromkeys(("int", "int64", "uint", "uint64", "uintptr"), 8),
    **dict.fromkeys(("ptr", "map", "chan", "func", "unsafe.Pointer"), 8),
}


class Types(Protocol):
    """Where named types are looked up: a GoBinary."""

    def type(self, name: str) -> GoType | None:
        """Return the type called ``name``, or None."""

    def type_at(self, address: int) -> GoType:
        """Return the type whose descriptor is at ``address``."""


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a value that takes one register: its name within the value, offset and size in bytes.

    Blank fields take registers too, but nothing can be meant by their name.
    """

    path: str
    offset: int
    size: int
    floating: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A value in memory, and whether it may be in registers at all (an array of several elements may not)."""

    size: int
    align: int
    words: tuple[Word, ...]
    splits: bool = True


@dataclass(frozen=True, slots=True)
class Places:
    """Where values are: each parameter's and result's pieces, in order.

    ``size`` in bytes is that of their area on the stack, with the room to save the parameters' registers to.
    """

    parameters: tuple[tuple[Piece, ...], ...]
    results: tuple[tuple[Piece, ...], ...]
    size: int


@dataclass(slots=True)
class _Place:
    """What has been given out: registers by count, and the next free byte of the stack's argument area."""

    arch: str
    integers: int
    floats: int
    stack: int = 0

    def take(self, layout: Layout) -> tuple[int | None, dict[Word, str]]:
        """Assign a value: wholly to registers (by word), or else wholly to the stack (bytes from SP)."""
        floats = sum(word.floating for word in layout.words)
        integers = len(layout.words) - floats
        fits = integers <= self.integers and floats <= self.floats
        if not (layout.size and layout.splits and fits):
            start = _aligned(self.stack, layout.align)
            self.stack = start + layout.size
            return _FIRST_ON_STACK + start, {}
        found: dict[Word, str] = {}
        for word in layout.words:
            if word.floating:
                found[word] = _FLOATS[self.arch][-self.floats]
                self.floats -= 1
            else:
                found[word] = _INTEGERS[self.arch][-self.integers]
                self.integers -= 1
        return None, found


def assign(parameters: Sequence[Layout], results: Sequence[Layout], *, arch: Arch, abi: Abi) -> Places:
    """Return where values of these layouts are: parameters at the first instruction, results at each RET."""
    integers, floats = (len(_INTEGERS[arch]), len(_FLOATS[arch])) if abi == "register" else (0, 0)
    place = _Place(arch, integers, floats)
    spilled = 0
    sides: list[tuple[tuple[Piece, ...], ...]] = []
    for side in (parameters, results):
        found: list[tuple[Piece, ...]] = []
        for layout in side:
            stack, registers = place.take(layout)
            if stack is not None:
                found.append((Piece(0, layout.size, stack=stack),) if layout.size else ())
                continue
            found.append(tuple(Piece(word.offset, word.size, register) for word, register in registers.items()))
            if side is parameters:
                spilled = _aligned(spilled, layout.align) + layout.size
        sides.append(tuple(found))
        place = _Place(arch, integers, floats, _aligned(place.stack, _WORD))
    return Places(sides[0], sides[1], place.stack + _aligned(spilled, _WORD))


def locate(signature: str, *, arch: Arch, abi: Abi, types: Types) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
    """Return where the parameters (at the first instruction) and the results (at each RET) are.

    ``signature`` is ``"name Type, name Type -> name Type"``, the receiver first. BinaryError says which part
    of it cannot be read or which named type the binary does not have.
    """
    parsed = parse_signature(signature)
    integers, floats = (len(_INTEGERS[arch]), len(_FLOATS[arch])) if abi == "register" else (0, 0)
    place = _Place(arch, integers, floats)
    parameters = tuple(_argument(each, place, types, abi) for each in parsed.parameters)
    place = _Place(arch, integers, floats, _aligned(place.stack, _WORD))
    results = tuple(_argument(each, place, types, abi) for each in parsed.results)
    return parameters, results


def argument_size(signature: str, *, arch: Arch, abi: Abi, types: Types) -> int:
    """Return how many bytes of stack the arguments of a signature take, with the room to save registers to.

    BinaryError as ``locate``.
    """
    parsed = parse_signature(signature)
    sides = [
        [_Measure(types, []).expression(each.type) for each in side] for side in (parsed.parameters, parsed.results)
    ]
    return assign(sides[0], sides[1], arch=arch, abi=abi).size


def _argument(parameter: Parameter, place: _Place, types: Types, abi: Abi) -> Argument:
    sources: list[str] = []
    layout = _Measure(types, sources).expression(parameter.type)
    source = "; ".join([f"{abi} ABI, {place.arch}, type as declared", *dict.fromkeys(sources)])
    stack, registers = place.take(layout)
    if stack is None:
        words = {
            word.path: Location(register, None, word.size, word.offset)
            for word, register in registers.items()
            if not word.blank
        }
    else:
        words = {
            word.path: Location(None, stack + word.offset, word.size, word.offset)
            for word in layout.words
            if not word.blank
        }
    return Argument(parameter.name, parameter.type.text, words, source)


class _Measure:
    """Computes layouts; ``sources`` collects where named types came from."""

    def __init__(self, types: Types, sources: list[str]) -> None:
        self._types = types
        self._sources = sources
        self._depth = 0
        self._left = _MAX_TYPES

    def expression(self, expression: Expression) -> Layout:
        """Measure a type as written."""
        self._enter(expression.text)
        layout = self._expression(expression)
        self._depth -= 1
        return self._checked(layout, expression.text)

    def _found(self, found: GoType) -> Layout:
        self._enter(found.name)
        layout = self._kind(found)
        self._depth -= 1
        return self._checked(layout, found.name)

    def _expression(self, expression: Expression) -> Layout:
        match expression.kind:
            case "int" | "pointer":
                return self._scalar(expression.size)
            case "float":
                return self._scalar(expression.size, floating=True)
            case "complex":
                return self._complex(expression.size)
            case "string" | "slice" | "interface":
                return self._parts(expression.kind)
            case "array" if expression.elem is not None:
                return self._array(expression.length, self.expression(expression.elem))
            case "struct":
                return self._struct(expression)
        found = self._types.type(expression.text)
        if found is None:
            raise BinaryError(
                f"type {expression.text}: is neither in the binary's type metadata nor in DWARF, so its "
                "layout is unknown; declare what it is made of (struct{a T; b U}) instead of its name"
            )
        where = "type metadata" if found.address else "DWARF"
        at = f" at {found.address:#x}" if found.address else ""
        self._sources.append(f"{where}, {found.name}{at}")
        return self._found(found)

    def _kind(self, found: GoType) -> Layout:
        if found.kind in _SCALARS:
            return self._scalar(_SCALARS[found.kind])
        match found.kind:
            case "float32" | "float64":
                return self._scalar(BUILTIN[found.kind][1], floating=True)
            case "complex64" | "complex128":
                return self._complex(BUILTIN[found.kind][1])
            case "string" | "slice" | "interface":
                return self._parts(found.kind)
            case "array" if found.elem is not None:
                return self._array(found.length, self._found(self._types.type_at(found.elem)))
            case "struct":
                return self._record(found)
        raise BinaryError(f"type {found.name}: is a {found.kind}, which no argument can be; use another type")

    def _record(self, found: GoType) -> Layout:
        """Measure a struct whose field offsets are known."""
        align, splits, words = 1, True, list[Word]()
        for member in found.fields:
            if member.type_address:
                inner = self._found(self._types.type_at(member.type_address))
            else:
                inner = self.expression(parse_type(member.type_name))
            if member.offset < 0 or member.offset + inner.size > found.size:
                raise BinaryError(
                    f"type {found.name}: field {member.name} ends behind its struct's {found.size} bytes; "
                    "its metadata is not usable"
                )
            align, splits = max(align, inner.align), splits and inner.splits
            words += within(member.name, member.offset, inner)
        return Layout(found.size, align, tuple(words), splits)

    def _struct(self, expression: Expression) -> Layout:
        """Measure ``struct{...}`` as written: fields in order at their natural alignment."""
        at, align, splits, words, last = 0, 1, True, list[Word](), 1
        for name, kept in expression.fields:
            inner = self.expression(kept)
            at = _aligned(at, inner.align)
            words += within(name, at, inner)
            at += inner.size
            align, splits, last = max(align, inner.align), splits and inner.splits, inner.size
        if at and not last:  # so that a pointer to a last field of size 0 stays within: types.CalcStructSize
            at += 1
        return Layout(_aligned(at, align), align, tuple(words), splits)

    def _array(self, length: int, elem: Layout) -> Layout:
        size = length * elem.size
        if length == 1:
            return Layout(size, elem.align, tuple(within("0", 0, elem)), elem.splits)
        words = (Word("", 0, size),) if size else ()
        return Layout(size, elem.align, words, splits=length == 0)

    def _scalar(self, size: int, *, floating: bool = False) -> Layout:
        return Layout(size, size, (Word("", 0, size, floating),))

    def _complex(self, size: int) -> Layout:
        half = size // 2
        return Layout(size, half, (Word("real", 0, half, True), Word("imag", half, half, True)))

    def _parts(self, kind: str) -> Layout:
        names = _PARTS[kind]
        words = tuple(Word(name, number * _WORD, _WORD) for number, name in enumerate(names))
        return Layout(len(names) * _WORD, _WORD, words)

    def _enter(self, text: str) -> None:
        """Bound what types within each other can ask for: corrupt metadata may have a type within itself."""
        self._depth += 1
        self._left -= 1
        if self._depth > _MAX_DEPTH or not self._left:
            raise BinaryError(f"type {text[:200]}: is nested too deep to be an argument; its metadata is not usable")

    def _checked(self, layout: Layout, text: str) -> Layout:
        if len(layout.words) > _MAX_WORDS or layout.size > _MAX_SIZE:
            size = f"{len(layout.words)} words and {layout.size} bytes"
            raise BinaryError(f"type {text[:200]}: has {size}, too many for an argument; pass a pointer to it")
        return layout


def within(name: str, offset: int, inner: Layout) -> Iterator[Word]:
    """Give the words of a field or element: of a layout that is at ``offset`` of another one."""
    for word in inner.words:
        path = f"{name}_{word.path}" if word.path else name
        yield Word(path, offset + word.offset, word.size, word.floating, word.blank or name == "_")


def _aligned(value: int, align: int) -> int:
    return (value + align - 1) // align * align
