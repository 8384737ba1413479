"""The entries of a function that can be meant by a name at an instruction: scopes of Go, as DWARF nests them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from goinst.binary.dwarf.attributes import Unusable, attribute
from goinst.binary.dwarf.locations import covers
from goinst.golang.debug.information import DebugInfo, children, name_of

__all__ = ["Listed", "inlined_body", "listed"]

_DEEPEST = 256  # scopes within each other
_GO_CLOSURE_OFFSET = 0x2907  # DW_AT_go_closure_offset, since Go 1.23


@dataclass(frozen=True, slots=True)
class Listed:
    """A parameter, result or variable: ``place`` has its location, ``named`` its name and type.

    ``depth`` is that of its scope within the function. ``captured`` is the offset in its closure, or 0. ``line`` is
    that of the declaration, 0 when unknown.
    """

    place: Any
    named: Any
    name: str
    parameter: bool
    result: bool
    depth: int
    captured: int
    line: int


def listed(debug: DebugInfo, body: Any, address: int, depth: int = 0) -> Iterator[Listed]:
    """Give what is declared in ``body`` (a function, an inlined one, a block) and in its blocks at ``address``."""
    if depth > _DEEPEST:
        raise Unusable
    for child in children(body):
        if child.tag == "DW_TAG_lexical_block":
            if covers(debug.sections, child, address):
                yield from listed(debug, child, address, depth + 1)
        elif child.tag in ("DW_TAG_formal_parameter", "DW_TAG_variable"):
            named = debug.resolved(child)
            yield Listed(
                child,
                named,
                name_of(named),
                child.tag == "DW_TAG_formal_parameter",
                bool(attribute(named, "DW_AT_variable_parameter", 0)),
                depth,
                int(attribute(child, _GO_CLOSURE_OFFSET, attribute(named, _GO_CLOSURE_OFFSET, 0))),
                int(attribute(child, "DW_AT_decl_line", attribute(named, "DW_AT_decl_line", 0))),
            )


def inlined_body(debug: DebugInfo, body: Any, name: str, address: int, depth: int = 0) -> Any | None:
    """Return the innermost inlined body of the function ``name`` that the instruction at ``address`` belongs to."""
    if depth > _DEEPEST:
        raise Unusable
    found = None
    for child in children(body):
        if child.tag not in ("DW_TAG_inlined_subroutine", "DW_TAG_lexical_block"):
            continue
        if not covers(debug.sections, child, address):
            continue
        found = inlined_body(debug, child, name, address, depth + 1) or found
        if found is None and child.tag == "DW_TAG_inlined_subroutine" and name_of(debug.resolved(child)) == name:
            found = child
    return found
