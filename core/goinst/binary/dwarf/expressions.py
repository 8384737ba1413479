"""DWARF location expressions (DWARF 5, 2.5 and 2.6): where a value is, as pieces that a probe can read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from elftools.dwarf.dwarf_expr import DWARFExprOp

from goinst.binary.model import Piece
from goinst.binary.registers import CFA, DWARF

__all__ = ["AWAY", "Place", "evaluated"]

_MOST_PIECES = 512
AWAY = "optimised away at this instruction"


class Place(NamedTuple):
    """Where a variable is: its pieces, what is missing of it in words, and whether they hold its address instead."""

    pieces: tuple[Piece, ...] = ()
    missing: str = ""
    indirect: bool = False


def evaluated(parsed: Sequence[DWARFExprOp], entry: Any, size: int, arch: str, *, unchanged: bool = False) -> Place:
    """Return where the ``size`` bytes of the variable ``entry`` are by an expression.

    Pieces may leave gaps: what they do not cover has no place there. CFA-relative places assume that the frame base is
    the CFA, as Go has it. ``unchanged``: registers are as they were when the function was called.
    """
    found: list[Piece] = []
    offset = 0
    missing = ""
    for ops, length in _split(parsed, size):
        length = min(length, size - offset)
        if length <= 0:
            break
        piece = _simple(_entry_value(ops) if unchanged else ops, entry, offset, length, arch)
        if isinstance(piece, Piece):
            found.append(piece)
        else:
            missing = missing or piece
        offset += length
    if not found:
        return Place(missing=AWAY if not missing or missing.endswith(AWAY) else missing)
    if _overlap(found):  # Go 1.16 says so of many arguments of several words, Go 1.17 to 1.21 of some
        return Place(missing="DWARF has two of its parts at one place")
    if not missing and offset < size:
        missing = f"bytes {offset} to {size - 1} {AWAY}"
    return Place(tuple(found), missing)


def _split(parsed: Sequence[DWARFExprOp], size: int) -> list[tuple[list[DWARFExprOp], int]]:
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
        return f"bytes {offset} to {offset + size - 1} {AWAY}"
    registers, frame = DWARF[arch], CFA[arch]
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


def _entry_value(ops: list[DWARFExprOp]) -> list[DWARFExprOp]:
    """Return the register itself for what it held at the call, where that is the same."""
    if len(ops) != 1 or ops[0].op_name not in ("DW_OP_entry_value", "DW_OP_GNU_entry_value"):
        return ops
    inner = list(ops[0].args[0])
    return inner if len(inner) == 1 and inner[0].op_name.startswith("DW_OP_reg") else ops
