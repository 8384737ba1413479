"""Where a closure keeps what it captured, for Go before 1.23: proven by the loads that the function starts with.

Later DWARF says so itself (DW_AT_go_closure_offset).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from goinst.binary.machine.instruction import Instruction
from goinst.binary.model import Piece

__all__ = ["Load", "captured_at", "loads"]

_MOST = 64  # instructions looked at
_LOADS = {
    "amd64": re.compile(r"(?P<to>\w+), (?:\w+ ptr )?\[rdx \+ (?P<offset>0x[0-9a-f]+|\d+)\]"),
    "arm64": re.compile(r"(?P<to>\w+)(?:, (?P<second>x\d+))?, \[x26, #(?P<offset>0x[0-9a-f]+|\d+)\]"),
}
_CONTEXT = {"amd64": ("rdx", "edx", "dx", "dl"), "arm64": ("x26", "w26")}
_JUMPS = {"amd64": re.compile(r"call|jmp|ret"), "arm64": re.compile(r"blr?|b|br|ret")}
_WHOLE = re.compile(r"[re]?(?P<name>[abcd])(?:x|l)|[re]?(?P<index>[sd]i)l?|(?P<number>r\d+)[dwb]?|[xw](?P<arm>\d+)")


class Load(NamedTuple):
    """A load from the closure into a register: ``end`` is the address behind the instruction."""

    end: int
    register: str
    offset: int


def loads(code: Sequence[Instruction], arch: str) -> tuple[Load, ...]:
    """Return the loads from the closure that a function starts with, as long as its context register is whole."""
    found: list[Load] = []
    for instruction in code[:_MOST]:
        if _JUMPS[arch].fullmatch(instruction.mnemonic):
            break
        match = _LOADS[arch].fullmatch(instruction.operands)
        if match is not None and instruction.mnemonic.startswith(("mov", "ld")):
            end = instruction.address + len(instruction.code)
            offset = int(match["offset"], 0)
            found.append(Load(end, _register(match["to"]), offset))
            if "second" in match.groupdict() and match["second"]:
                found.append(Load(end, _register(match["second"]), offset + 8))
        if instruction.operands.partition(",")[0] in _CONTEXT[arch] and instruction.mnemonic not in ("cmp", "test"):
            break
    return tuple(found)


def captured_at(known: Sequence[Load], pieces_at: Callable[[int], Sequence[Piece]]) -> int:
    """Return the offset in the closure of a variable, 0 when it is not certain.

    ``pieces_at`` gives its pieces at an address: a piece that is in a register from the end of a load on, and not
    before, has been loaded.
    """
    found = set()
    for load in known:
        before = pieces_at(load.end - 1)
        for piece in pieces_at(load.end):
            if piece.register == load.register and piece not in before:
                found.add(load.offset - piece.offset)
    return found.pop() if len(found) == 1 and min(found) >= 8 else 0


def _register(name: str) -> str:
    """Return the kernel's name of a register."""
    match = _WHOLE.fullmatch(name)
    if match is None:
        return name
    if match["name"]:
        return f"{match['name']}x"
    return f"regs[{match['arm']}]" if match["arm"] else match["index"] or match["number"]
