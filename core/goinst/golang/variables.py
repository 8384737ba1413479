"""Parameters and variables of a function, as DWARF names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from goinst.golang.dwarf import attribute, children, name_of
from goinst.golang.model import Parameter

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["parameters"]

_DICTIONARY = Parameter(".dict", "uintptr", result=False)
_DICTIONARY_BEHIND_RECEIVER = (1, 20)  # cmd/compile/internal/noder/reader.go; before: stencil.go, always the first
_SILENT_ON_RESULTS = (1, 17)  # lists hardly any result that is in a register
_CLOSURE = re.compile(r"(func|gowrap|deferwrap)\d+.*")


def parameters(binary: GoBinary, symbol: str) -> tuple[Parameter, ...] | None:
    """Return the parameters and results of ``symbol`` in Go's order, the receiver first, results last.

    None when the binary has no DWARF for it. Before Go 1.22 unnamed and ``_`` parameters are left out; Go 1.17 for
    amd64 names no results.
    """
    function = binary.function(symbol)
    try:
        entry = binary.debug.subprogram(symbol, function.entry if function else 0)
        return None if entry is None else _parameters(binary, entry)
    except Exception:  # pyelftools raises what it likes on broken entries
        return None


def _parameters(binary: GoBinary, entry: Any) -> tuple[Parameter, ...]:
    inputs: list[Parameter] = []
    results: dict[str, Parameter] = {}  # Go lists some of them twice: again where an inlined body has one of that name
    for child in children(entry):
        if child.tag != "DW_TAG_formal_parameter":
            continue
        named = binary.debug.resolved(child)
        result = bool(attribute(named, "DW_AT_variable_parameter", 0))
        found = Parameter(name_of(named), binary.debug.type_name(named), result)
        if result:
            results.setdefault(found.name, found)
        elif found.name != _DICTIONARY.name:  # Go 1.27 lists it
            inputs.append(found)
    name = name_of(binary.debug.resolved(entry))
    receiver = _receiver(name)
    # Go 1.16 sorts by place, and receivers without a size share theirs with the parameter that follows.
    inputs.sort(key=lambda each: bool(receiver) and each.type_name != receiver)
    if _takes_dictionary(name):
        behind = bool(receiver) and binary.info.version >= _DICTIONARY_BEHIND_RECEIVER
        inputs.insert(int(behind), _DICTIONARY)
    if binary.info.abi == "register" and binary.info.version == _SILENT_ON_RESULTS:
        results.clear()
    return (*inputs, *results.values())


def _parts(name: str) -> list[str]:
    """Split a function's name: package path, type or outer function, method or closure."""
    depth, last, parts = 0, 0, list[str]()
    for at, letter in enumerate(name):
        depth += (letter in "[(") - (letter in "])")
        if letter == "/" and not depth:
            parts.clear()
            last = 0
        elif letter == "." and not depth:
            parts.append(name[last:at])
            last = at + 1
    return [*parts, name[last:]]


def _receiver(name: str) -> str:
    """Return the full name of the receiver's type, when the function can be a method."""
    package, *rest = _parts(name)
    if len(rest) != 2 or _CLOSURE.fullmatch(rest[1]):
        return ""
    kind = rest[0].removeprefix("(").removesuffix(")")
    return f"*{package}.{kind[1:]}" if kind.startswith("*") else f"{package}.{kind}"


def _takes_dictionary(name: str) -> bool:
    """Say whether this is the body of a generic function or method, and not a closure in one."""
    last = _parts(name)[-1]
    return "go.shape." in last if last.endswith("]") else "[go.shape." in _receiver(name)
