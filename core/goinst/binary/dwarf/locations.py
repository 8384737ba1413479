"""Where a value is, from DWARF location expressions and lists: as pieces that a probe can read.

DWARF 5, 2.5 and 2.6; the register numbers are those of the System V ABI supplements for x86-64 and AArch64.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from elftools.dwarf.dwarf_expr import DWARFExprOp, DWARFExprParser

from goinst.binary.dwarf.attributes import attribute
from goinst.binary.dwarf.sections import DebugSections
from goinst.binary.model import Piece

__all__ = ["REGISTERS", "Place", "covers", "extents", "place_at"]

REGISTERS: dict[str, dict[int, str]] = {
    "amd64": {
        **dict(enumerate(("ax", "dx", "cx", "bx", "si", "di", "bp", "sp"))),
        **{number: f"r{number}" for number in range(8, 16)},
        **{17 + number: f"xmm{number}" for number in range(16)},
    },
    "arm64": {
        **{number: f"regs[{number}]" for number in range(31)},
        31: "sp",
        **{64 + number: f"f{number}" for number in range(32)},
    },
}
"""The kernel's name of each DWARF register."""

_FRAME = {"amd64": 8, "arm64": 0}  # CFA less SP at the function's first instruction: amd64 has the return address there
_POINTER = 8
_MOST_PIECES = 512
_AWAY = "optimised away at this instruction"


class Place(NamedTuple):
    """Where a variable is: its pieces, what is missing of it in words, and whether they hold its address instead."""

    pieces: tuple[Piece, ...] = ()
    missing: str = ""
    indirect: bool = False


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
        return Place(missing=_AWAY)
    parsed = DWARFExprParser(entry.cu.structs).parse_expr(expression)
    if parsed and parsed[-1].op_name == "DW_OP_deref":
        return _pieces(parsed[:-1], entry, _POINTER, arch)._replace(indirect=True)
    return _pieces(parsed, entry, size, arch)


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


def _pieces(parsed: list[DWARFExprOp], entry: Any, size: int, arch: str) -> Place:
    found: list[Piece] = []
    offset = 0
    missing = ""
    for ops, length in _split(parsed, size):
        length = min(length, size - offset)
        if length <= 0:
            break
        piece = _simple(ops, entry, offset, length, arch)
        if isinstance(piece, Piece):
            found.append(piece)
        else:
            missing = missing or piece
        offset += length
    if not found:
        return Place(missing=_AWAY if not missing or missing.endswith(_AWAY) else missing)
    if _overlap(found):  # Go 1.16 says so of many arguments of several words, Go 1.17 to 1.21 of some
        return Place(missing="DWARF has two of its parts at one place")
    if not missing and offset < size:
        missing = f"bytes {offset} to {size - 1} {_AWAY}"
    return Place(tuple(found), missing)


def _split(parsed: list[DWARFExprOp], size: int) -> list[tuple[list[DWARFExprOp], int]]:
    """Return the operations of each piece and its size in bytes."""
    found: list[tuple[list[DWARFExprOp], int]] = []
    ops: list[DWARFExprOp] = []
    for op in parsed:
        if op.op_name != "DW_OP_piece":
            ops.append(op)
            continue
        found.append((ops, op.args[0]))
        ops = []
        if len(found) > _MOST_PIECES:
            return []
    if not found and ops:
        return [(ops, size)]
    # Go before 1.22 lists the pieces of some variables twice, one behind the other.
    plain = [([(op.op, op.args) for op in ops], length) for ops, length in found]
    twice = sum(length for _, length in found) == 2 * size and plain[::2] == plain[1::2]
    return found[::2] if twice else found


def _overlap(pieces: list[Piece]) -> bool:
    """Say whether two pieces are in the same register or the same memory of the stack."""
    registers = [piece.register for piece in pieces if piece.register]
    places = sorted((piece.stack, piece.size) for piece in pieces if piece.stack is not None)
    return len(registers) != len(set(registers)) or any(one + size > two for (one, size), (two, _) in pairwise(places))


def _simple(ops: list[DWARFExprOp], entry: Any, offset: int, size: int, arch: str) -> Piece | str:
    """Return one piece, or in words why it cannot be read."""
    if not ops:
        return f"bytes {offset} to {offset + size - 1} {_AWAY}"
    registers, frame = REGISTERS[arch], _FRAME[arch]
    name, args = ops[0].op_name, ops[0].args
    rest = [op.op_name for op in ops[1:]]
    number = name.removeprefix("DW_OP_reg").removeprefix("DW_OP_breg")
    if name == "DW_OP_regx" or (name.startswith("DW_OP_reg") and number.isdecimal()):
        known = registers.get(args[0] if args else int(number))
        if known and not rest:
            return Piece(offset, size, register=known)
    elif name in ("DW_OP_fbreg", "DW_OP_call_frame_cfa"):
        at = _sum(ops)
        if at is not None:
            return Piece(offset, size, stack=at + frame)
    elif name in ("DW_OP_addr", "DW_OP_addrx") and not rest:
        address = args[0] if name == "DW_OP_addr" else entry.dwarfinfo.get_addr(entry.cu, args[0])
        return Piece(offset, size, address=int(address))
    elif name == "DW_OP_bregx" or number.isdecimal():
        known = registers.get(args[0] if name == "DW_OP_bregx" else int(number))
        if known and not rest:
            return Piece(offset, size, based=(known, int(args[-1])))
    elif rest in ([], ["DW_OP_stack_value"]) and (name.startswith(("DW_OP_const", "DW_OP_lit"))):
        value = args[0] if args else int(name.removeprefix("DW_OP_lit"))
        return Piece(offset, size, constant=int(value))
    elif name == "DW_OP_implicit_value" and not rest and size <= 8:
        return Piece(offset, size, constant=int.from_bytes(bytes(args[0][:size]), "little"))
    return f"is computed in a way that goinst does not ({', '.join(op.op_name for op in ops[:4])})"


def _sum(ops: list[DWARFExprOp]) -> int | None:
    """Return what is added to the frame base: as Go writes it, or as one offset."""
    names = [op.op_name for op in ops]
    if names == ["DW_OP_fbreg"]:
        return int(ops[0].args[0])
    if names == ["DW_OP_call_frame_cfa"]:
        return 0
    if names in (["DW_OP_call_frame_cfa", "DW_OP_consts", "DW_OP_plus"], ["DW_OP_call_frame_cfa", "DW_OP_plus_uconst"]):
        return int(ops[1].args[0])
    return None
