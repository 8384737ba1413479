"""arm64 instructions: stack checks of Go 1.16 to 1.27, what uprobes simulate, what leaves arguments alone."""

from __future__ import annotations

import re
import struct
from functools import cached_property

import capstone

from goinst.binary.machine.instruction import Instruction, Scan

__all__ = ["ARM64"]

_LIMIT = re.compile(r"\[x28, #0x1[08]\]")  # g.stackguard0, g.stackguard1
_STORE = re.compile(r"\[sp(?:, #(?P<offset>-?(?:0x[0-9a-f]+|\d+)))?\](?P<update>!)?")
_MOVE_SP = re.compile(r"sp, sp, #(?P<size>0x[0-9a-f]+|\d+)")
_STORES = {"str": 8, "stur": 8, "stp": 16}
_READS = re.compile(r"cmp|cmn|tst|ccmp|fcmp|nop|bti|paci[ab]sp")
_WRITES = re.compile(
    r"mov[zn]?|add|sub|and|orr|eor|bic|ls[lr]|asr|neg|mvn|cset|csel|[us]bfx|uxt[bh]|sxt[bhw]|"
    r"ldr(?:s?[bh]|sw)?|ldur[bh]?|fmov"
)
_SCRATCH = {"register": {"x16", "x17", "x27"}, "stack": {"x1", "x2", "x3", "x16", "x17", "x27"}}
# What must not change: argument registers, x26 (the closure context), x28 (g), SP.
_KEPT = {
    "register": {*(f"x{number}" for number in range(16)), "x26", "x28", "sp"},
    "stack": {"x26", "x28", "sp"},
    "c": {*(f"x{number}" for number in range(9)), "sp"},
}
_RET = (0xD65F03C0, 0xD65F0BFF, 0xD65F0FFF)  # ret, retaa, retab


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _branch(word: int) -> int | None:
    """Return the byte offset of a direct jump (not of BL); None for everything else."""
    if word & 0xFC000000 == 0x14000000:  # b
        return _signed(word & 0x3FFFFFF, 26) * 4
    if word & 0xFF000010 == 0x54000000 or word & 0x7E000000 == 0x34000000:  # b.cond, cbz, cbnz
        return _signed(word >> 5 & 0x7FFFF, 19) * 4
    if word & 0x7E000000 == 0x36000000:  # tbz, tbnz
        return _signed(word >> 5 & 0x3FFF, 14) * 4
    return None


class ARM64:
    """See Machine."""

    guard = "b.ls"
    early = frozenset({"b.lo", "b.eq"})
    pushed = 0
    save = ""

    @cached_property
    def _capstone(self) -> capstone.Cs:
        return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)

    def decode(self, code: bytes, address: int, count: int) -> tuple[Instruction, ...]:
        """See Machine."""
        return tuple(
            Instruction(at, code[at - address : at - address + size], mnemonic, operands)
            for at, size, mnemonic, operands in self._capstone.disasm_lite(code, address, count)
        )

    def scan(self, code: bytes, address: int) -> Scan:
        """See Machine. Words that a load names as its literal are data, not instructions."""
        targets, returns, literals, indirect = set[int](), list[int](), set[int](), False
        calls: list[tuple[int, int]] = []
        count = len(code) // 4
        for number, word in enumerate(struct.unpack_from(f"<{count}I", code)):
            at = address + number * 4
            if word & 0x3B000000 == 0x18000000:  # ldr, literal
                start = at + _signed(word >> 5 & 0x7FFFF, 19) * 4
                literals.update(range(start, start + 16, 4) if word >> 30 == 2 else (start, start + 4))
            elif (offset := _branch(word)) is not None:
                targets.add(at + offset)
            elif word & 0xFC000000 == 0x94000000:  # bl
                calls.append((at, at + _signed(word & 0x3FFFFFF, 26) * 4))
            elif word in _RET:
                returns.append(at)
            elif word & 0xFFFFFC1F == 0xD61F0000:  # br
                indirect = True
        kept = tuple(at for at in returns if at not in literals)
        called = tuple(call for call in calls if call[0] not in literals)
        return Scan(frozenset(targets), indirect, kept, called, address + count * 4)

    def prepares(self, instruction: Instruction, abi: str) -> bool:
        """See Machine."""
        if instruction.mnemonic == "cmp":
            return True
        first = instruction.operands.partition(", ")[0]
        changes = ("ldr", "mov", "movz", "movk", "movn", "orr", "add", "sub", "subs")
        return instruction.mnemonic in changes and first in _SCRATCH[abi]

    def limit(self, instruction: Instruction) -> str:
        """See Machine. x28 is g in both of Go's ABIs."""
        return "regs[28]" if _LIMIT.search(instruction.operands) else ""

    def target(self, instruction: Instruction) -> int | None:
        """See Machine."""
        offset = _branch(_word(instruction))
        return None if offset is None else instruction.address + offset

    def calls(self, instruction: Instruction) -> bool:
        """See Machine."""
        return _word(instruction) & 0xFC000000 == 0x94000000

    def emulated(self, instruction: Instruction) -> bool:
        """See Machine. arch/arm64/kernel/probes/decode-insn.c: arm_probe_decode_insn().

        NOP only since Linux 6.13, and literal loads are refused since 6.12: so neither counts.
        """
        word = _word(instruction)
        jumps = word & 0xFFFFFC1F in (0xD61F0000, 0xD63F0000, 0xD65F0000)  # br, blr, ret
        address = word & 0x1F000000 == 0x10000000  # adr, adrp
        return _branch(word) is not None or self.calls(instruction) or jumps or address

    def refused(self, instruction: Instruction) -> bool:
        """See Machine. Also loads and stores that are exclusive: a trap in between makes them fail for
        ever."""
        word = _word(instruction)
        exclusive = word & 0x3F800000 == 0x08000000
        literal = word & 0x3B000000 == 0x18000000
        exception = word & 0xFF000000 == 0xD4000000
        return exclusive or literal or exception or instruction.mnemonic == "udf"

    def passes(self, instruction: Instruction, adjust: int, abi: str) -> int | None:
        """See Machine."""
        mnemonic, operands = instruction.mnemonic, instruction.operands
        if _READS.fullmatch(mnemonic):
            return adjust
        if mnemonic in _STORES:
            return self._stores(mnemonic, operands, adjust)
        if mnemonic == "sub" and (match := _MOVE_SP.fullmatch(operands)):
            return adjust + int(match["size"], 0)
        if not _WRITES.fullmatch(mnemonic) or operands.endswith("!") or "], " in operands:
            return None
        first = operands.partition(", ")[0]
        whole = f"x{first[1:]}" if first[:1] == "w" else first
        return None if whole in _KEPT[abi] else adjust

    def _stores(self, mnemonic: str, operands: str, adjust: int) -> int | None:
        """Follow a store that ends below what was SP at entry: above are the arguments."""
        match = _STORE.search(operands)
        if match is None or match.end() != len(operands):
            return None
        offset = int(match["offset"] or "0", 0)
        if offset - adjust + _STORES[mnemonic] > 0:
            return None
        return adjust - offset if match["update"] else adjust


def _word(instruction: Instruction) -> int:
    return int.from_bytes(instruction.code, "little")
