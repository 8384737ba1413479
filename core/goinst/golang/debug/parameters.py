"""Parameters and results of Go functions, from DWARF: their order, and where the ABI puts them.

DWARF's own word is not enough. Its location lists do not cover every parameter at a function's start, are wrong for
some before Go 1.22, and have nothing for results at a RET. So places come from the types, by the ABI, whenever the size
of its arguments, which the function table has for each function, proves that DWARF lists them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from goinst.binary.dwarf.locations import place_at
from goinst.binary.model import Argument, Function, Location, Parameter, Piece
from goinst.errors import BinaryError
from goinst.golang.debug.information import name_of
from goinst.golang.debug.layouts import Layouts
from goinst.golang.debug.scopes import Listed, listed
from goinst.golang.releases import DICTIONARY_BEHIND_RECEIVER, RESULTS_NOT_LISTED
from goinst.golang.symbols import receiver, takes_dictionary
from goinst.golang.types.abi import Layout, Word, argument_size, assign, locate

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["DICTIONARY", "Interface", "parameters", "takes"]

DICTIONARY = ".dict"
_POINTER = Layout(8, 8, (Word("", 0, 8),))


def parameters(binary: GoBinary, symbol: str) -> tuple[Parameter, ...] | None:
    """Return the parameters and results of ``symbol`` in Go's order, the receiver first, results last.

    None when the binary has no DWARF for it. Before Go 1.22 unnamed and ``_`` parameters are left out; Go 1.17 for
    amd64 names no results.
    """
    function = binary.function(symbol)
    try:
        entry = binary.debug.subprogram(symbol, function.entry if function else 0)
        return None if entry is None else Interface(binary, entry).parameters()
    except Exception:  # pyelftools raises what it likes on broken entries
        return None


def takes(binary: GoBinary, symbol: str, signature: str) -> bool:
    """Say whether nothing speaks against a function's having what ``signature`` says, which may leave out the last.

    By DWARF, where that lists all that the function has: then each parameter and result of the signature has to be in
    the same words. Else by how many bytes its arguments take, which is at least what the signature does.
    """
    info, function = binary.info, binary.function(symbol)
    if function is None or not signature:
        return True
    room = binary.functions.argument_bytes(function)
    try:
        if argument_size(signature, arch=info.arch, abi=info.abi, types=binary) > room >= 0:
            return False
        listed_ = parameters(binary, symbol)
        if listed_ is None:
            return True
        sides = [[each.type_name for each in listed_ if each.result is result] for result in (False, True)]
        text = " -> ".join(
            ", ".join(f"p{side}{at} {kind}" for at, kind in enumerate(kinds)) for side, kinds in enumerate(sides)
        )
        if argument_size(text, arch=info.arch, abi=info.abi, types=binary) != room:
            return True
        wanted, actual = (locate(each, arch=info.arch, abi=info.abi, types=binary) for each in (signature, text))
    except BinaryError:
        return False
    return all(
        len(declared) <= len(there) and all(_words(a) == _words(b) for a, b in zip(declared, there, strict=False))
        for declared, there in zip(wanted, actual, strict=True)
    )


def _words(argument: Argument) -> list[Location]:
    return list(argument.words.values())


class Interface:
    """What goes into a function and comes out of it. Unusable, or what pyelftools raises, on broken DWARF."""

    def __init__(self, binary: GoBinary, entry: Any) -> None:
        self._binary = binary
        self._entry = entry
        info = binary.info
        name = name_of(binary.debug.resolved(entry))
        found = [each for each in listed(binary.debug, entry, -1) if each.parameter and each.name != DICTIONARY]
        owner = receiver(name)
        # Go 1.16 sorts by place, and receivers without a size share theirs with the parameter that follows.
        inputs = [each for each in found if not each.result]
        inputs.sort(key=lambda each: bool(owner) and binary.debug.type_name(each.named) != owner)
        self.inputs = inputs
        # Go lists some results twice: again where an inlined body has one of that name.
        results = list({each.name: each for each in reversed(found) if each.result}.values())[::-1]
        self.results = [] if info.abi == "register" and RESULTS_NOT_LISTED.holds(info.version) else results
        self._dictionary = None
        if takes_dictionary(name):
            self._dictionary = int(bool(owner) and DICTIONARY_BEHIND_RECEIVER.holds(info.version))

    def parameters(self) -> tuple[Parameter, ...]:
        """Return them by name and type, in Go's order."""
        debug = self._binary.debug
        inputs = [Parameter(each.name, debug.type_name(each.named), result=False) for each in self.inputs]
        if self._dictionary is not None:
            inputs.insert(self._dictionary, Parameter(DICTIONARY, "uintptr", result=False))
        results = [Parameter(each.name, debug.type_name(each.named), result=True) for each in self.results]
        return (*inputs, *results)

    def places(self, function: Function, layouts: Layouts) -> dict[Listed, tuple[Piece, ...]]:
        """Return where parameters are when ``function`` starts and results are at each RET; without those that are not
        certain.
        """
        debug, info = self._binary.debug, self._binary.info
        layout = {each: layouts.of(debug.referred(each.named)) for each in (*self.inputs, *self.results)}
        inputs = [layout[each] for each in self.inputs]
        if self._dictionary is not None:
            inputs.insert(self._dictionary, _POINTER)
        assigned = assign(inputs, [layout[each] for each in self.results], arch=info.arch, abi=info.abi)
        placed = list(assigned.parameters)
        if self._dictionary is not None:
            placed.pop(self._dictionary)
        results = dict(zip(self.results, assigned.results, strict=True))
        if assigned.size == self._binary.functions.argument_bytes(function):
            return dict(zip(self.inputs, placed, strict=True)) | results
        found = {each: pieces for each, pieces in results.items() if all(piece.register for piece in pieces)}
        for each in self.inputs:
            place = place_at(debug.sections, each.place, function.entry, layout[each].size, info.arch)
            if not place.indirect and _believable(place.pieces, layout[each], info.abi):
                found[each] = place.pieces
        return found


def _believable(pieces: tuple[Piece, ...], layout: Layout, abi: str) -> bool:
    """Say whether DWARF's word on a parameter at the function's start can be true.

    What is in registers is sometimes said to be where it will be saved to, or twice in the same register.
    """
    if sum(piece.size for piece in pieces) != layout.size:
        return False
    if abi == "register" and layout.splits:
        registers = [piece.register for piece in pieces if piece.register]
        words = [(word.offset, word.size) for word in layout.words]
        same = [(piece.offset, piece.size) for piece in pieces] == words
        return same and len(registers) == len(set(registers)) == len(pieces)
    return all(piece.stack is not None for piece in pieces)
