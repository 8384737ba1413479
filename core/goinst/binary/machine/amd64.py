"""amd64 instructions: stack checks of Go 1.16 to 1.27, what uprobes emulate, what leaves arguments alone."""

from __future__ import annotations

import re
from functools import cached_property

import capstone

from goinst.binary.machine.instruction import Instruction, Scan
from goinst.binary.registers import AMD64_PARTS

__all__ = ["AMD64"]

_HEX = re.compile(r"-?0x[0-9a-f]+|\d+")
_LIMIT = re.compile(r"\[(r14|rcx) \+ 0x1[08]\]")  # g.stackguard0, g.stackguard1
_PT_REGS = {"r14": "r14", "rcx": "cx"}
_LOADS_G = re.compile(r"r14, (?:qword ptr (?:fs:)?\[|-?0x[0-9a-f]+$)")
_OWN_FRAME = re.compile(r"(?P<size>\w+) ptr \[rsp(?: (?P<sign>[+-]) (?P<offset>0x[0-9a-f]+|\d+))?\]")
_SIZES = {"byte": 1, "word": 2, "dword": 4, "qword": 8, "xmmword": 16, "ymmword": 32}

# Instructions by what they do to their first operand; those that are not listed are not followed.
_READS = re.compile(r"cmp|test|bt|u?comis[sd]|nop|endbr64")
_WRITES = re.compile(
    r"mov(?:abs|zx|sxd?|ups|aps|upd|apd|dqu|dqa|[dq]|ss|sd)?|lea|add|sub|and|or|xor|not|neg|inc|dec|shl|shr|sar|ro[lr]|"
    r"bt[sr]|xorps|pxor|cvtsi2s[sd]|set(?:n?e|ae?|be?|le?|ge?)"
)
_SCRATCH = {"register": {"r12"}, "stack": {"rcx", "rax", "rsi", "r12"}}
# What must not change: argument registers, rdx (the closure context), r14 (g, where that is in a register), SP.
_KEPT = {
    "register": {"rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11", "rdx", "r14", "rsp"},
    "stack": {"rdx", "r14", "rsp"},
    "c": {"rdi", "rsi", "rdx", "rcx", "r8", "r9", "rsp"},
}
# arch/x86/kernel/uprobes.c: is_prefix_bad() and the opcodes that are not in good_insns_64.
_BAD_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\xf0")
_REFUSED = re.compile(r"int\d?|hlt|iretq?|cli|sti|in|out|(?:rep )?(?:ins|outs)[bwd]|lgdt|sysretq?|sysexit")


# as Intel writes them: with an r
_WHOLE = {part: whole if whole[0] == "r" else f"r{whole}" for part, whole in AMD64_PARTS.items()}
_WHOLE |= {f"{letter}h": f"r{letter}x" for letter in "abcd"}


class AMD64:
    """See Machine."""

    guard = "jbe"
    early = frozenset({"jb", "je"})
    pushed = 8
    save = "push"

    @cached_property
    def _capstone(self) -> capstone.Cs:
        return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)

    def decode(self, code: bytes, address: int, count: int) -> tuple[Instruction, ...]:
        """See Machine."""
        return tuple(
            Instruction(at, code[at - address : at - address + size], mnemonic, operands)
            for at, size, mnemonic, operands in self._capstone.disasm_lite(code, address, count)
        )

    def scan(self, code: bytes, address: int) -> Scan:
        """See Machine. Go's amd64 text holds no data: jump tables are in .rodata."""
        targets, returns, indirect, end = set[int](), list[int](), False, address
        calls: list[tuple[int, int]] = []
        for at, size, mnemonic, operands in self._capstone.disasm_lite(code, address):
            end = at + size
            if mnemonic[0] == "j" or mnemonic[:4] == "loop":
                if operands[:2] == "0x":
                    targets.add(int(operands, 16))
                else:
                    indirect = True
            elif mnemonic == "call":
                if operands[:2] == "0x":
                    calls.append((at, int(operands, 16)))
            elif mnemonic[-3:] == "ret":
                returns.append(at)
        return Scan(frozenset(targets), indirect, tuple(returns), tuple(calls), end)

    def prepares(self, instruction: Instruction, abi: str) -> bool:
        """See Machine."""
        if instruction.mnemonic == "cmp":
            return True
        if instruction.mnemonic == "mov" and _LOADS_G.match(instruction.operands):
            return abi != "c"
        first = instruction.operands.partition(", ")[0]
        return instruction.mnemonic in ("mov", "lea", "sub") and first in _SCRATCH[abi]

    def limit(self, instruction: Instruction) -> str:
        """See Machine. Before Go 1.17, or without its registers, the stack check loads g from thread-local storage."""
        match = _LIMIT.search(instruction.operands)
        return _PT_REGS[match[1]] if match else ""

    def target(self, instruction: Instruction) -> int | None:
        """See Machine."""
        jump = instruction.mnemonic[0] == "j" and instruction.operands[:2] == "0x"
        return int(instruction.operands, 16) if jump else None

    def calls(self, instruction: Instruction) -> bool:
        """See Machine."""
        return instruction.mnemonic == "call" and instruction.operands[:2] == "0x"

    def emulated(self, instruction: Instruction) -> bool:
        """See Machine. arch/x86/kernel/uprobes.c: branch_setup_xol_ops(), push_setup_xol_ops()."""
        match tuple(instruction.code):
            case (first,):  # push rax..rdi, nop
                return 0x50 <= first <= 0x57 or first == 0x90
            case (0x41, second):  # push r8..r15
                return 0x50 <= second <= 0x57
            case (first, _):  # jcc, jmp, with an offset of 8 bits
                return 0x70 <= first <= 0x7F or first == 0xEB
            case (0xE8 | 0xE9, _, _, _, _):  # call, jmp
                return True
            case (0x0F, second, _, _, _, _):  # jcc with an offset of 32 bits
                return 0x80 <= second <= 0x8F
        return False

    def refused(self, instruction: Instruction) -> bool:
        """See Machine."""
        prefixed = instruction.code[0] in _BAD_PREFIXES
        return prefixed or bool(_REFUSED.fullmatch(instruction.mnemonic))

    def passes(self, instruction: Instruction, adjust: int, abi: str) -> int | None:
        """See Machine."""
        mnemonic, (first, _, rest) = instruction.mnemonic, instruction.operands.partition(", ")
        if _READS.fullmatch(mnemonic):
            return adjust
        if not _WRITES.fullmatch(mnemonic):
            return None
        if "[" in first:
            return adjust if self._in_own_frame(first, adjust) else None
        whole = _WHOLE.get(first, first)
        if whole == "rsp" and mnemonic in ("sub", "add") and _HEX.fullmatch(rest):
            moved = adjust + (int(rest, 0) if mnemonic == "sub" else -int(rest, 0))
            return moved if moved >= 0 else None
        return None if whole in _KEPT[abi] else adjust

    def _in_own_frame(self, operand: str, adjust: int) -> bool:
        """Say whether a store ends below what was SP at entry: there are the return address and the
        arguments."""
        match = _OWN_FRAME.fullmatch(operand)
        if match is None or match["size"] not in _SIZES:
            return False
        offset = int(match["offset"] or "0", 0)
        signed = -offset if match["sign"] == "-" else offset
        return signed - adjust + _SIZES[match["size"]] <= 0
