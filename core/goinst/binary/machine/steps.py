"""Machine instructions as the flow of a function sees them: where it goes on, and what it passes to what it calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import capstone
import numpy as np
import numpy.typing as npt

from goinst.binary.arrays import Integers

__all__ = ["READERS", "Lite", "Reader", "Slot", "turns_back"]

Lite = tuple[int, int, str, str]  # address, size, mnemonic, operands

_ENDS = {"ret": "return", "int3": "end", "ud2": "end", "brk": "end", "udf": "end"}


class Slot(NamedTuple):
    """An address in the function's own frame: so many bytes above SP."""

    offset: int


class Reader(Protocol):
    """Instructions of one machine. ``arguments``: the names of the registers of Go's integer arguments; ``context``:
    that of the one that holds a closure."""

    machine: tuple[int, int]
    context: str
    arguments: Sequence[tuple[str, ...]]

    def kind(self, mnemonic: str) -> str:
        """``call``, ``jump``, ``branch`` (a jump that may not be taken), ``return``, ``end`` or nothing."""

    def target(self, operands: str) -> int | None:
        """Where a call, a jump or a branch goes to."""

    def table(self, code: Sequence[Lite]) -> int | None:
        """The table that the last instruction jumps through."""

    def writes(self, mnemonic: str) -> bool:
        """Whether the first operand is changed."""

    def value(self, mnemonic: str, operands: str) -> int | Slot | None:
        """What the first operand becomes."""

    def loads(self, mnemonic: str, operands: str) -> tuple[tuple[str, str, int], ...]:
        """The words that are loaded: into which register, from which and how far behind what it points to."""

    def stores(self, mnemonic: str, operands: str) -> tuple[int, ...] | None:
        """Offsets from SP of words that something else than zero is stored to; None when it may be any."""


class _AMD64:
    machine = (capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    context = "rdx"
    arguments: Sequence[tuple[str, ...]] = (
        ("rax", "eax"),
        ("rbx", "ebx"),
        ("rcx", "ecx"),
        ("rdi", "edi"),
        ("rsi", "esi"),
        ("r8", "r8d"),
    )
    _relative = re.compile(r"\w+, \[rip (?P<sign>[+-]) (?P<offset>0x[0-9a-f]+|\d+)\]")
    _own_slot = re.compile(r"\w+, \[rsp(?: \+ (?P<offset>0x[0-9a-f]+|\d+))?\]")
    _store = re.compile(r"qword ptr \[rsp(?: \+ (?P<offset>0x[0-9a-f]+|\d+))?\], r\w+")
    _load = re.compile(r"(?P<to>r\w+), qword ptr \[(?P<base>r\w+)(?: \+ (?P<offset>0x[0-9a-f]+|\d+))?\]")
    _through = re.compile(r"qword ptr \[(?P<base>\w+) \+ \w+\*8\]")

    def kind(self, mnemonic: str) -> str:
        if mnemonic[0] == "j":
            return "jump" if mnemonic == "jmp" else "branch"
        if mnemonic == "call":
            return "call"
        return _ENDS.get(mnemonic, "")

    def target(self, operands: str) -> int | None:
        return int(operands, 16) if operands[:2] == "0x" else None

    def table(self, code: Sequence[Lite]) -> int | None:
        jump = self._through.fullmatch(code[-1][3])
        for at, size, mnemonic, operands in reversed(code[:-1]):
            if jump and mnemonic == "lea" and operands.partition(",")[0] == jump["base"]:
                found = self._relative.fullmatch(operands)
                offset = int(found["offset"], 0) if found else 0
                return at + size + (offset if found["sign"] == "+" else -offset) if found else None
        return None

    def writes(self, mnemonic: str) -> bool:
        return mnemonic not in ("cmp", "test", "push", "nop")

    def value(self, mnemonic: str, operands: str) -> int | Slot | None:
        first, _, second = operands.partition(", ")
        if mnemonic == "xor" and first == second:
            return 0
        if mnemonic == "mov" and second[:1].isdigit():
            return int(second, 0)
        if mnemonic == "lea" and (found := self._own_slot.fullmatch(operands)):
            return Slot(int(found["offset"] or "0", 0))
        return None

    def loads(self, mnemonic: str, operands: str) -> tuple[tuple[str, str, int], ...]:
        found = self._load.fullmatch(operands) if mnemonic == "mov" else None
        return ((found["to"], found["base"], int(found["offset"] or "0", 0)),) if found else ()

    def stores(self, mnemonic: str, operands: str) -> tuple[int, ...] | None:
        found = self._store.fullmatch(operands) if mnemonic == "mov" else None
        return (int(found["offset"] or "0", 0),) if found else ()


class _ARM64:
    machine = (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    context = "x26"
    arguments: Sequence[tuple[str, ...]] = tuple((f"x{number}", f"w{number}") for number in range(6))
    _own_slot = re.compile(r"\w+, sp(?:, #(?P<offset>0x[0-9a-f]+|\d+))?")
    _store = re.compile(r"(?P<first>\w+), (?:(?P<second>\w+), )?\[sp(?:, #(?P<offset>-?(?:0x[0-9a-f]+|\d+)))?\]!?")
    _page = re.compile(r"(?P<to>x\d+), #?(?P<page>0x[0-9a-f]+)")
    _in_page = re.compile(r"\w+, (?P<base>x\d+), #(?P<offset>0x[0-9a-f]+|\d+)")
    _load = re.compile(r"(?P<to>x\d+), (?:(?P<second>x\d+), )?\[(?P<base>x\d+)(?:, #(?P<offset>0x[0-9a-f]+|\d+))?\]")
    _through = re.compile(r"\w+, \[(?P<base>x\d+), x\d+, lsl #3\]")

    def kind(self, mnemonic: str) -> str:
        if mnemonic[0] == "b":
            if mnemonic in ("bl", "blr"):
                return "call"
            if mnemonic in ("b", "br"):
                return "jump"
            return "branch" if mnemonic[:2] == "b." else _ENDS.get(mnemonic, "")
        if mnemonic[:2] in ("cb", "tb"):
            return "branch" if mnemonic in ("cbz", "cbnz", "tbz", "tbnz") else ""
        return _ENDS.get(mnemonic, "")

    def target(self, operands: str) -> int | None:
        _, mark, number = operands.rpartition("#")
        return int(number, 16) if mark and number[:2] == "0x" else None

    def table(self, code: Sequence[Lite]) -> int | None:
        base = ""
        for number in range(len(code) - 2, 0, -1):
            _, _, mnemonic, operands = code[number]
            if mnemonic == "ldr" and (through := self._through.fullmatch(operands)):
                base = through["base"]
            elif base and mnemonic == "add" and operands.partition(",")[0] == base:
                page, found = self._page.fullmatch(code[number - 1][3]), self._in_page.fullmatch(operands)
                if page is None or found is None or not found["base"] == page["to"] == base:
                    return None
                return int(page["page"], 16) + int(found["offset"], 0)
        return None

    def writes(self, mnemonic: str) -> bool:
        return mnemonic not in ("cmp", "cmn", "tst", "ccmp") and mnemonic[:2] != "st" and mnemonic[:2] not in (
            "cb", "tb",
        )  # fmt: skip

    def value(self, mnemonic: str, operands: str) -> int | Slot | None:
        _, _, second = operands.partition(", ")
        if mnemonic in ("mov", "movz", "orr"):
            if second in ("xzr", "wzr"):
                return 0
            if second[:1] == "#":
                return int(second[1:], 0)
            return Slot(0) if second == "sp" else None
        if mnemonic == "add" and (found := self._own_slot.fullmatch(operands)):
            return Slot(int(found["offset"] or "0", 0))
        return None

    def loads(self, mnemonic: str, operands: str) -> tuple[tuple[str, str, int], ...]:
        found = self._load.fullmatch(operands) if mnemonic in ("ldr", "ldp") else None
        if found is None:
            return ()
        offset = int(found["offset"] or "0", 0)
        pair = ((found["to"], found["base"], offset), (found["second"] or "", found["base"], offset + 8))
        return pair[: 2 if found["second"] else 1]

    def stores(self, mnemonic: str, operands: str) -> tuple[int, ...] | None:
        if mnemonic not in ("str", "stp", "stur"):
            return ()
        if "[x27" in operands:  # the assembler's register for offsets that do not fit
            return None
        found = self._store.fullmatch(operands)
        if found is None:
            return ()
        offset = int(found["offset"] or "0", 0)
        pair = ((found["first"], offset), (found["second"] or "xzr", offset + 8))
        return tuple(at for register, at in pair if register != "xzr")


READERS: dict[str, Reader] = {"amd64": _AMD64(), "arm64": _ARM64()}


def _signed(byte: npt.NDArray[np.uint8], at: Integers) -> Integers:
    """Return the signed numbers of 4 bytes at these places."""
    number = np.zeros(len(at), np.uint32)
    for place in range(4):
        number |= byte[at + place].astype(np.uint32) << 8 * place
    return number.view(np.int32).astype(np.int64)


def turns_back(arch: str, code: bytes) -> tuple[Integers, Integers]:
    """Return where in these bytes jumps end and where they go to: of all that look like a jump backwards, but to the
    first one, which is what Go functions do when their stack has grown. Loops can be ruled out by it at little cost."""
    if arch == "arm64":
        words = np.frombuffer(code, "<u4", len(code) // 4).astype(np.int64)
        at = np.arange(len(words))
        far = words & 0xFC000000 == 0x14000000  # b
        near = (words & 0xFF000010 == 0x54000000) | (words & 0x7E000000 == 0x34000000)  # b.cond, cbz, cbnz
        bit = words & 0x7E000000 == 0x36000000  # tbz, tbnz
        offsets = np.where(far, words << 38 >> 38, np.where(near, words << 40 >> 45, words << 45 >> 50))
        back = (far | near | bit) & (offsets <= 0) & (at + offsets > 0)
        return 4 * at[back], 4 * (at + offsets)[back]
    byte = np.frombuffer(code + b"\0" * 5, np.uint8)
    first, second = byte[:-6], byte[1:-5]
    ends: list[Integers] = []
    targets: list[Integers] = []
    for places, size in (
        (np.flatnonzero((first & 0xF0 == 0x70) | (first == 0xEB)), 2),
        (np.flatnonzero(first == 0xE9), 5),
        (np.flatnonzero((first == 0x0F) & (second & 0xF0 == 0x80)), 6),
    ):
        offsets = byte[places + 1].view(np.int8).astype(np.int64) if size == 2 else _signed(byte, places + size - 4)
        back = (offsets < 0) & (places + size + offsets > 0)
        ends.append((places + size)[back])
        targets.append((places + size + offsets)[back])
    return np.concatenate(ends), np.concatenate(targets)
