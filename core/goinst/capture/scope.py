"""The variables of a function by name, where it is entered and where it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from goinst.capture.place import Memory, Place, Words, at_locations, at_pieces
from goinst.capture.resolve import Types, Value
from goinst.errors import BinaryError
from goinst.golang.model import Argument, Function, Parameter, Shape, Site, Variable

__all__ = ["Binary", "entry_scope", "raw_arguments", "result_scope", "signature_of"]

_WORD = Shape("uint64", "uint", 8)
_REGISTERS = {
    "amd64": ("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11"),
    "arm64": tuple(f"regs[{number}]" for number in range(16)),
}
_ON_STACK = 8  # where the first argument is from SP, on the stack ABI
_STACK_WORDS = 10


class Binary(Protocol):
    """What captures ask of a binary: golang.facts.Facts, or its like for other programs."""

    def function(self, symbol: str) -> Function | None:
        """A function by its full name."""

    def sites(self, symbol: str, place: Any, callee: str = "") -> tuple[Site, ...]:
        """Instructions to probe."""

    def parameters(self, symbol: str) -> tuple[Parameter, ...] | None:
        """Parameters and results by name, where the binary says."""

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Where parameters and results are."""

    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        """What can be read at an instruction."""

    def shape(self, reference: str) -> Shape | None:
        """A type."""


def signature_of(parameters: tuple[Parameter, ...]) -> str:
    """Go's parameters and results as text that ``arguments`` takes: unnamed ones get names."""
    texts: list[list[str]] = [[], []]
    seen: set[str] = set()
    for number, each in enumerate(parameters):
        name = (
            each.name if each.name.isidentifier() and each.name not in seen and each.name != "_" else f"unnamed{number}"
        )
        seen.add(name)
        texts[each.result].append(f"{name} {each.type_name}")
    return " -> ".join(", ".join(side) for side in texts) if texts[1] else ", ".join(texts[0])


def _value(argument: Argument, types: Types, name: str) -> Value:
    shape = types.shape(name)
    if shape is None:
        shape = Shape(name, "unknown", max((w.offset + w.size for w in argument.words.values()), default=0))
    place: Place = at_locations(tuple(argument.words.values())) if argument.words else Words(())
    return Value(place, shape)


def entry_scope(
    binary: Binary, symbol: str, site: Site, declared: tuple[tuple[str, str], ...], types: Types
) -> dict[str, Value]:
    """Parameters by name where the function is entered. BinaryError when what was declared does not fit the binary."""
    del site
    if declared:
        full = [(name, types.full_name(written)) for name, written in declared]
        named = tuple(Parameter(name, type_, result=False) for name, type_ in full)
        places, _ = binary.arguments(signature_of(named))
        return {
            name: _value(place, types, type_) for place, (name, type_) in zip(places, full, strict=True) if name != "_"
        }
    return _by_abi(binary, symbol, types, result=False)


def _by_abi(binary: Binary, symbol: str, types: Types, *, result: bool) -> dict[str, Value]:
    named = binary.parameters(symbol)
    if named is None:
        return {}
    chosen = [each for each in named if each.result == result]
    places = binary.arguments(signature_of(named))[result]
    return {each.name: _value(place, types, each.type_name) for each, place in zip(chosen, places, strict=True)}


def result_scope(
    binary: Binary, symbol: str, site: Site, declared: tuple[tuple[str, str], ...], types: Types
) -> dict[str, Value]:
    """Results by name where the function returns; ``err`` is also what an only result of type error is called."""
    del site
    if declared:
        return {}
    found = _by_abi(binary, symbol, types, result=True)
    values = list(found.values())
    found.update({f"ret{number}": value for number, value in enumerate(values)})
    errors = [value for value in values if value.shape.name == "error"]
    if len(errors) == 1:
        found.setdefault("err", errors[0])
    return found


def from_variable(variable: Variable, types: Types) -> Value:
    """A variable where it can be read."""
    shape = types.shape(variable.type)
    if shape is None:
        size = max(piece.offset + piece.size for piece in variable.pieces)
        shape = Shape(variable.type, "unknown", size)
    place = at_pieces(variable.pieces)
    if not variable.indirect:
        return Value(place, shape)
    if isinstance(place, Memory):
        return Value(Memory(f"capture_hop({place.address}, {place.offset})"), shape)
    return Value(Memory(place.pieces[0][2]), shape)


def raw_arguments(arch: str, abi: str) -> Mapping[str, Value]:
    """arg1, arg2, …: the words in which arguments are, whatever they are."""
    if abi == "stack":
        words = [f"goinst_stack_word(hit, {_ON_STACK + 8 * number})" for number in range(_STACK_WORDS)]
    else:
        words = [f"((u64)ctx->{register})" for register in _REGISTERS[arch]]
    return {f"arg{number}": Value(Words(((0, 8, text),)), _WORD) for number, text in enumerate(words, 1)}


__all__ += ["BinaryError", "from_variable"]
