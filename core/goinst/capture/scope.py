"""The variables of a function by name, where it is entered and where it returns."""

from __future__ import annotations

from collections.abc import Mapping

from goinst.binary.facts import Facts
from goinst.binary.model import Argument, Parameter, Shape, Site, Variable
from goinst.binary.registers import ARGUMENTS
from goinst.capture.place import Memory, Place, Words, at_locations, at_pieces
from goinst.capture.resolve import Types, Value

__all__ = ["entry_scope", "from_variable", "raw_arguments", "result_scope", "signature_of"]

_WORD = Shape("uint64", "uint", 8)
_ON_STACK = 8  # where the first argument is from SP, on the stack ABI
_STACK_WORDS = 10
_AT_ENTRY = ("parameter", "captured")


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
    binary: Facts, symbol: str, site: Site, declared: tuple[tuple[str, str], ...], types: Types
) -> dict[str, Value]:
    """Parameters by name where the function is entered. BinaryError when what was declared does not fit the binary."""
    if declared:
        full = [(name, types.full_name(written)) for name, written in declared]
        named = tuple(Parameter(name, type_, result=False) for name, type_ in full)
        places, _ = binary.arguments(signature_of(named))
        return {
            name: _value(place, types, type_) for place, (name, type_) in zip(places, full, strict=True) if name != "_"
        }
    variables = binary.variables(symbol, site.address)
    return {each.name: from_variable(each, types) for each in variables if each.role in _AT_ENTRY and each.name != "_"}


def result_scope(
    binary: Facts,
    symbol: str,
    site: Site,
    declared: tuple[tuple[str, str], ...],
    returned: tuple[tuple[str, str], ...],
    types: Types,
) -> dict[str, Value]:
    """Results by name where the function returns; ``err`` is also what an only result of type error is called."""
    if returned:
        named = [Parameter(name, types.full_name(type_), result=False) for name, type_ in declared]
        if not declared:  # results on the stack lie behind them
            named = [each for each in binary.parameters(symbol) or () if not each.result]
        inputs = len(named)
        named += [Parameter(name, types.full_name(type_), result=True) for name, type_ in returned]
        _, places = binary.arguments(signature_of(tuple(named)))
        outputs = named[inputs:]
        return {each.name: _value(place, types, each.type_name) for each, place in zip(outputs, places, strict=True)}
    results = [each for each in binary.variables(symbol, site.address) if each.role == "result"]
    if not results and binary.info.native and binary.parameters(symbol) is None:
        return {each.name: _value(each, types, each.type) for each in binary.arguments("")[1]}
    found = {each.name: from_variable(each, types) for each in results}
    found.update({f"ret{number}": value for number, value in enumerate(list(found.values()))})
    errors = [from_variable(each, types) for each in results if each.type == "error"]
    if len(errors) == 1:
        found.setdefault("err", errors[0])
    return found


def from_variable(variable: Variable, types: Types) -> Value:
    """A variable where it can be read, or why it cannot."""
    shape = types.shape(variable.type)
    if not variable.pieces:
        size = shape.size if shape is not None else -1
        why = "" if size == 0 and not variable.why else variable.why or "is not kept anywhere"
        return Value(Words(()), shape or Shape(variable.type, "unknown", 0), why=why)
    if shape is None:
        shape = Shape(variable.type, "unknown", max(piece.offset + piece.size for piece in variable.pieces))
    place = at_pieces(variable.pieces)
    if not variable.indirect:
        return Value(place, shape)
    if isinstance(place, Memory):
        return Value(Memory(f"capture_hop({place.address}, {place.offset})"), shape)
    assert isinstance(place, Words)
    return Value(Memory(place.pieces[0][2]), shape)


def raw_arguments(arch: str, abi: str) -> Mapping[str, Value]:
    """arg1, arg2, …: the words in which arguments are, whatever they are."""
    if abi == "stack":
        words = [f"goinst_stack_word(hit, {_ON_STACK + 8 * number})" for number in range(_STACK_WORDS)]
    else:
        words = [f"((u64)ctx->{register})" for register in ARGUMENTS[abi][arch]]
    return {f"arg{number}": Value(Words(((0, 8, text),)), _WORD) for number, text in enumerate(words, 1)}
