"""Where a variable is at an instruction, and which instructions a block has, from DWARF's lists (DWARF 5, 2.6)."""

from __future__ import annotations

from typing import Any

from elftools.dwarf.dwarf_expr import DWARFExprParser

from goinst.binary.dwarf.attributes import attribute
from goinst.binary.dwarf.expressions import AWAY, Place, evaluated
from goinst.binary.dwarf.sections import DebugSections

__all__ = ["covers", "extents", "place_at"]

_POINTER = 8


def place_at(sections: DebugSections, entry: Any, address: int, size: int, arch: str) -> Place:
    """Return where the ``size`` bytes of the variable ``entry`` are at ``address``.

    Pieces may leave gaps: what they do not cover has no place there. CFA-relative places assume that the frame base is
    the CFA, as Go has it.
    """
    found = entry.attributes.get("DW_AT_location")
    if found is None:
        return Place(missing="optimised away everywhere")
    listed = isinstance(found.value, int)  # an offset in the section of lists
    expression = _listed(sections, entry, found.value, address) if listed else found.value
    if expression is None:
        return Place(missing=AWAY)
    parsed = DWARFExprParser(entry.cu.structs).parse_expr(expression)
    if parsed and parsed[-1].op_name == "DW_OP_deref":
        return evaluated(parsed[:-1], entry, _POINTER, arch)._replace(indirect=True)
    return evaluated(parsed, entry, size, arch)


def covers(sections: DebugSections, entry: Any, address: int) -> bool:
    """Say whether the code of a block, function or inlined body includes ``address``."""
    return any(start <= address < end for start, end in extents(sections, entry))


def extents(sections: DebugSections, entry: Any) -> list[tuple[int, int]]:
    """Return the ranges of code of a block, function or inlined body: (start, end) addresses."""
    if "DW_AT_ranges" not in entry.attributes:
        low = int(attribute(entry, "DW_AT_low_pc", 0))
        high = entry.attributes.get("DW_AT_high_pc")
        if not low or high is None:
            return []
        return [(low, int(high.value) + (0 if high.form == "DW_FORM_addr" else low))]
    base, found = _unit_base(entry), list[tuple[int, int]]()
    for each in sections.ranges(entry, attribute(entry, "DW_AT_ranges")):
        if hasattr(each, "base_address"):
            base = each.base_address
        else:
            start = 0 if each.is_absolute else base
            found.append((start + each.begin_offset, start + each.end_offset))
    return found


def _listed(sections: DebugSections, entry: Any, offset: int, address: int) -> Any | None:
    """Return the expression of the location list that is for ``address``."""
    base = _unit_base(entry)
    for each in sections.locations(entry, offset):
        if hasattr(each, "base_address"):
            base = each.base_address
            continue
        start = 0 if each.is_absolute else base
        if start + each.begin_offset <= address < start + each.end_offset:
            return each.loc_expr
    return None


def _unit_base(entry: Any) -> int:
    return int(attribute(entry.cu.get_top_DIE(), "DW_AT_low_pc", 0))
