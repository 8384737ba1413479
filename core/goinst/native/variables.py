"""Parameters and results of a native function: what they are called, their types, and where they are.

Where a function starts that is what the location list says for that instruction (optimised code has one), else what
the ABI says for the types; where it returns, the ABI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from elftools.dwarf.die import DIE
from elftools.dwarf.dwarf_expr import DWARFExprParser

from goinst.binary.dwarf.attributes import Unusable
from goinst.binary.dwarf.entries import Dwarf, children, name_of, referred
from goinst.binary.dwarf.expressions import evaluated
from goinst.binary.model import Parameter, Piece, Variable
from goinst.native.abi import RESULT, Places
from goinst.native.classes import classify, scalars

if TYPE_CHECKING:
    from goinst.native.binary import NativeBinary

__all__ = ["parameters_of", "variables_of"]

_TWO = 16
_CLONED = (".isra", ".constprop", ".part")


def parameters_of(binary: NativeBinary, symbol: str) -> tuple[Parameter, ...] | None:
    """Names and types, as shown, of a function's parameters and of what it returns; None without DWARF for it."""
    found = _entry(binary, symbol)
    if found is None:
        return None
    shapes = binary.shapes
    named = []
    try:
        for number, child in enumerate(_formal(found)):
            kind = shapes.shape(shapes.reference(referred(_origin(child))))
            named.append(Parameter(name_of(child) or f"~p{number}", kind.name if kind else "?", result=False))
        result = shapes.reference(referred(_typed(found)))
        if result != "void":
            kind = shapes.shape(result)
            named.append(Parameter(RESULT, kind.name if kind else "?", result=True))
    except Exception:  # Unusable; and pyelftools raises what it likes on broken entries
        return None
    return tuple(named)


def variables_of(binary: NativeBinary, symbol: str, address: int, returns: frozenset[int]) -> tuple[Variable, ...]:
    """The parameters at an instruction where the function starts, or what it returns at one of ``returns``."""
    found = _entry(binary, symbol)
    if found is None or binary.dwarf is None:
        return ()
    try:
        if address in returns:
            return tuple(_result(binary, found))
        return tuple(_parameters(binary, binary.dwarf, found, symbol, address))
    except Exception:  # as above
        return ()


def _entry(binary: NativeBinary, symbol: str) -> DIE | None:
    function = binary.function(symbol)
    if function is None or binary.dwarf is None:
        return None
    try:
        return binary.dwarf.function(function.entry)
    except Exception:  # as above
        return None


def _formal(entry: DIE) -> Iterator[DIE]:
    return (child for child in children(entry) if child.tag == "DW_TAG_formal_parameter")


def _origin(entry: DIE) -> DIE:
    """Where an instance's type is said."""
    for _ in range(4):
        if "DW_AT_type" in entry.attributes:
            return entry
        origin = referred(entry, "DW_AT_abstract_origin") or referred(entry, "DW_AT_specification")
        if origin is None:
            return entry
        entry = origin
    return entry


_typed = _origin


def _result(binary: NativeBinary, entry: DIE) -> Iterator[Variable]:
    kind = referred(_typed(entry))
    reference = binary.shapes.reference(kind)
    if reference == "void":
        return
    arch = binary.image.arch
    value = classify(kind, arch)
    if value.parts:
        pieces, _ = Places(arch, results=True).take(value)
        yield Variable(RESULT, reference, "result", pieces)
    elif arch == "amd64":  # the caller's memory, whose address is returned, too
        yield Variable(RESULT, reference, "result", (Piece(0, 8, register="ax"),), indirect=True)
    else:
        yield Variable(RESULT, reference, "result", why="it is in memory whose address is not kept")


def _parameters(binary: NativeBinary, dwarf: Dwarf, entry: DIE, symbol: str, address: int) -> Iterator[Variable]:
    arch = binary.image.arch
    places: Places | None = Places(arch)
    result = referred(_typed(entry))
    try:
        value = classify(result, arch)
        if places is not None and value.size and not value.parts:
            places.skip()
    except Unusable:
        places = None
    if any(mark in symbol for mark in _CLONED) or _changed(binary, entry):
        places = None  # the compiler has given it other parameters
    for number, child in enumerate(_formal(entry)):
        name = name_of(child) or f"~p{number}"
        kind = referred(_origin(child))
        reference = binary.shapes.reference(kind)
        taken: tuple[tuple[Piece, ...], bool] = ((), False)
        size = 8
        try:
            value = classify(kind, arch)
            size = value.size
            if places is not None:
                taken = places.take(value)
        except Unusable:
            places = None  # nor is it known where those behind it are
        listed = _listed(dwarf, child, address, arch, size)
        if listed and not _whole(listed, kind):
            yield Variable(name, reference, "parameter", why="the compiler has kept only a part of it")
        elif listed:
            yield Variable(name, reference, "parameter", listed)
        elif taken[0]:
            yield Variable(name, reference, "parameter", taken[0], indirect=taken[1])
        else:
            yield Variable(
                name, reference, "parameter", why="the compiler has left it out, or has not said where it is"
            )


def _whole(pieces: tuple[Piece, ...], kind: DIE | None) -> bool:
    """Whether all that a value is made of is in one of the pieces."""
    held = [(piece.offset, piece.offset + piece.size) for piece in pieces]
    return all(any(low <= at and at + size <= high for low, high in held) for at, size in scalars(kind))


def _changed(binary: NativeBinary, entry: DIE) -> bool:
    """Whether the function's parameters may be others than its source says. LLVM leaves out and splits those of
    functions that nothing else can call, when it optimises; GCC gives what it changes another name."""
    producer = entry.cu.get_top_DIE().attributes.get("DW_AT_producer")
    if producer is not None and bytes(producer.value).startswith(b"GNU"):
        return False
    optimised = not all(_expressed(child) for child in _formal(entry))
    low = entry.attributes.get("DW_AT_low_pc")
    return optimised and not (low is not None and binary.symbols.exported(low.value))


def _expressed(entry: DIE) -> bool:
    """Whether a parameter's place is one expression, for all of the function."""
    found = entry.attributes.get("DW_AT_location")
    return found is not None and ("block" in found.form or found.form == "DW_FORM_exprloc")


def _listed(dwarf: Dwarf, entry: DIE, address: int, arch: str, size: int) -> tuple[Piece, ...]:
    """Where a location list says it is; nothing when there is none for the instruction, or no place."""
    if "DW_AT_location" not in entry.attributes:
        return ()
    try:
        rows = dwarf.locations(entry, "DW_AT_location")
        if isinstance(rows, bytes):
            return ()  # code that is not optimised: it counts behind the prologue
        for low, high, expression in rows:
            if low <= address < high:
                parsed = DWARFExprParser(entry.cu.structs).parse_expr(list(expression))
                return evaluated(parsed, entry, size, arch, unchanged=True).pieces
    except Exception:  # pyelftools raises what it likes on broken expressions
        return ()
    return ()
