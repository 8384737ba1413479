"""The parameters, results and variables of a Go function that can be read at an instruction, and where they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from goinst.binary.dwarf.expressions import Place
from goinst.binary.dwarf.locations import place_at
from goinst.binary.model import Function, Piece, Variable
from goinst.binary.sites import find_sites, start_of
from goinst.errors import BinaryError
from goinst.golang.debug.closures import Load, captured_at, loads
from goinst.golang.debug.layouts import Layouts
from goinst.golang.debug.parameters import DICTIONARY, Interface
from goinst.golang.debug.scopes import Listed, inlined_body, listed
from goinst.golang.releases import CLOSURE_OFFSETS, SPILLS_CLAIMED, UNNAMED_LISTED
from goinst.golang.symbols import is_closure

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["variables"]

_CONTEXT = {"amd64": "dx", "arm64": "regs[26]"}  # what a closure finds its variables by: cmd/compile/abi-internal.md
_POINTER = 8


def variables(binary: GoBinary, symbol: str, address: int) -> tuple[Variable, ...]:
    """Return what ``symbol``'s names mean at ``address``, each once; none when there is no DWARF for it.

    ``address`` is in the function, in a body of it that was inlined into another function, or a call of it.
    """
    own, called = binary.containing(address), binary.function(symbol)
    try:
        if own is not None and own.name == symbol:
            return _Names(binary, own, address).own()
        if called is not None and called.entry <= address < called.end:
            return _Names(binary, called, address).own()
        found = None if own is None else _Names(binary, own, address).inlined(symbol)
        if found is None and called is not None:
            return _Names(binary, called, called.entry).own()
    except BinaryError:
        raise
    except Exception:  # pyelftools raises what it likes on broken entries
        return ()
    return found or ()


class _Names:
    """What names mean at an instruction of a function. Raises what pyelftools does when its DWARF is broken."""

    def __init__(self, binary: GoBinary, function: Function, address: int) -> None:
        self._binary = binary
        self._debug = binary.debug
        self._function = function
        self._address = address
        self._layouts = Layouts(binary.debug)
        self._entry = binary.debug.subprogram(function.name, function.entry)
        self._loads: tuple[Load, ...] | None = None
        self._line = next((line for _, _, line in binary.lines.symbolise(address)[-1:]), 0)

    def own(self) -> tuple[Variable, ...]:
        """Return the function's own."""
        if self._entry is None:
            return ()
        interface = Interface(self._binary, self._entry)
        places = interface.places(self._function, self._layouts)
        starts, returns = self._starts(), self._returns()
        chosen: dict[str, tuple[Listed, Variable]] = {}
        for each in listed(self._debug, self._entry, self._address):
            if each.name == DICTIONARY or (each.result and each not in interface.results):
                continue
            if starts:
                variable = self._at_start(each, places.get(each))
            elif returns and each.result:
                variable = self._at_return(each, places.get(each))
            else:
                variable = self._here(each, places.get(each))
            _keep(chosen, each, variable, prefer_results=returns)
        return tuple(variable for _, variable in chosen.values())

    def inlined(self, symbol: str) -> tuple[Variable, ...] | None:
        """Return those of an inlined body of ``symbol``; None when the instruction is in none."""
        body = None
        if self._entry is not None:
            body = inlined_body(self._debug, self._entry, symbol, self._address)
        if body is None:
            return None
        self._line = self._binary.lines.symbolise(self._address)[0][2]
        chosen: dict[str, tuple[Listed, Variable]] = {}
        for each in listed(self._debug, body, self._address):
            _keep(chosen, each, self._here(each), prefer_results=False)
        # A body lists what is left of it; its function lists all parameters.
        for each in listed(self._debug, self._debug.resolved(body), -1):
            if each.parameter and each.name not in chosen:
                chosen[each.name] = each, self._here(each)
        return tuple(variable for _, variable in chosen.values())

    # One variable

    def _at_start(self, each: Listed, pieces: tuple[Piece, ...] | None) -> Variable:
        if not each.parameter and not each.captured:
            each = replace(each, captured=self._captured(each))
        if each.captured:
            context = (_CONTEXT[self._binary.info.arch], each.captured)
            size = _POINTER if each.name.startswith("&") else self._size(each)
            return self._variable(each, Place((Piece(0, size, based=context),) if size else ()))
        if each.result or not each.parameter:
            return self._variable(each, Place(missing="has no value yet where the function starts"))
        if pieces is None:
            return self._variable(each, Place(missing=self._uncertain()))
        return self._variable(each, Place(pieces), direct=True)

    def _captured(self, each: Listed) -> int:
        """Return where in its closure a variable is, by the code, where DWARF does not say; 0 when it is none."""
        info = self._binary.info
        if CLOSURE_OFFSETS.holds(info.version) or not is_closure(self._function.name):
            return 0
        if self._loads is None:
            self._loads = loads(start_of(self._binary, self._function), info.arch)
        size = _POINTER if each.name.startswith("&") else self._size(each)

        def pieces_at(address: int) -> tuple[Piece, ...]:
            return place_at(self._debug.sections, each.place, address, size, info.arch).pieces

        return captured_at(self._loads, pieces_at)

    def _at_return(self, each: Listed, pieces: tuple[Piece, ...] | None) -> Variable:
        if pieces is None:
            return self._variable(each, Place(missing=self._uncertain()))
        return self._variable(each, Place(pieces), direct=True)

    def _here(self, each: Listed, by_abi: tuple[Piece, ...] | None = None) -> Variable:
        if each.parameter and each.name.startswith("~p"):  # Go 1.27 gives them a place that is not theirs
            return self._variable(each, Place(missing="has no name, and so is not kept"))
        size = _POINTER if each.name.startswith("&") else self._size(each)
        if not each.parameter and not each.captured and each.line >= self._line > 0 and _everywhere(each.place):
            return self._variable(each, Place(missing="is declared here or below, and has no value yet"))
        info = self._binary.info
        place = place_at(self._debug.sections, each.place, self._address, size, info.arch)
        if (
            info.abi == "register"
            and SPILLS_CLAIMED.holds(info.version)
            and each.parameter
            and not _everywhere(each.place)
        ):
            start = place_at(self._debug.sections, each.place, self._function.entry, size, info.arch)
            passed = any(piece.stack is not None for piece in by_abi or ())
            if not passed and start == place and any(piece.stack is not None for piece in place.pieces):
                place = Place(missing="Go 1.17 does not say from when on it is on the stack")
        return self._variable(each, place)

    def _variable(self, each: Listed, place: Place, *, direct: bool = False) -> Variable:
        """``direct``: the place is that of the value, also where a pointer to the variable is what has the name."""
        escaped = each.name.startswith("&")
        kind = self._debug.type_name(each.named)
        role: Literal["parameter", "result", "local", "captured"] = "local"
        if each.captured:
            role = "captured"
        elif each.parameter:
            role = "result" if each.result else "parameter"
        return Variable(
            each.name.removeprefix("&"),
            kind.removeprefix("*") if escaped else kind,
            role,
            place.pieces,
            place.missing,
            place.indirect or (escaped and not direct),
        )

    def _size(self, each: Listed) -> int:
        return self._layouts.of(self._debug.referred(each.named)).size

    # The instruction

    def _starts(self) -> bool:
        """Say whether every argument is still where the caller put it."""
        if self._address == self._function.entry:
            return True
        # Of bodies with one name only the first can be searched, and probed.
        if self._binary.function(self._function.name) != self._function:
            return False
        return any(site.address == self._address for site in find_sites(self._binary, self._function.name, "entry"))

    def _returns(self) -> bool:
        if self._binary.info.arch == "amd64":
            return self._binary.image.read(self._address, 1) == b"\xc3"
        return self._binary.image.read(self._address, 4) == b"\xc0\x03\x5f\xd6"

    def _uncertain(self) -> str:
        left_out = (
            ""
            if UNNAMED_LISTED.holds(self._binary.info.version)
            else " (Go before 1.22 does not list those without a name)"
        )
        return f"its place is not certain: DWARF does not list all parameters of the function{left_out}"


def _everywhere(entry: Any) -> bool:
    """Say whether a variable has one place in all of the function, as in one that is not optimised."""
    location = entry.attributes.get("DW_AT_location")
    return location is not None and not isinstance(location.value, int)


def _keep(chosen: dict[str, tuple[Listed, Variable]], new: Listed, variable: Variable, *, prefer_results: bool) -> None:
    """Let a name mean the innermost variable, of two in one scope the one that lives; a result at a RET."""
    known = chosen.get(variable.name)
    if known is not None:
        old, kept = known
        if prefer_results and new.result != old.result:
            better = new.result
        elif new.depth != old.depth:
            better = new.depth > old.depth
        else:
            better = bool(variable.pieces) or not kept.pieces
        if not better:
            return
    chosen[variable.name] = new, variable
