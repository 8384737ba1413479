"""Registers, by the names that the kernel has for them: members of struct pt_regs (arch/x86/include/asm/ptrace.h,
arch/arm64/include/asm/ptrace.h). ``xmm0`` and ``f0`` are not in it: BPF cannot read them."""

from __future__ import annotations

__all__ = ["AMD64_PARTS", "ARGUMENTS", "CFA", "DWARF", "FLOATS"]

_X86 = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp", *(f"r{number}" for number in range(8, 16)))

ARGUMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    # cmd/compile/abi-internal.md
    "register": {
        "amd64": ("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11"),
        "arm64": tuple(f"regs[{number}]" for number in range(16)),
    },
    # System V ABI for x86-64; AAPCS64
    "c": {
        "amd64": ("di", "si", "dx", "cx", "r8", "r9"),
        "arm64": tuple(f"regs[{number}]" for number in range(8)),
    },
}
"""In which integer registers arguments are, by ABI (BinaryInfo.abi) and machine."""

FLOATS: dict[str, dict[str, tuple[str, ...]]] = {
    "register": {
        "amd64": tuple(f"xmm{number}" for number in range(15)),
        "arm64": tuple(f"f{number}" for number in range(16)),
    },
    "c": {
        "amd64": tuple(f"xmm{number}" for number in range(8)),
        "arm64": tuple(f"f{number}" for number in range(8)),
    },
}
"""The same for floating-point ones."""

DWARF: dict[str, dict[int, str]] = {
    "amd64": {
        **dict(enumerate(("ax", "dx", "cx", "bx", "si", "di", "bp", "sp"))),
        **{number: f"r{number}" for number in range(8, 16)},
        16: "ip",
        **{17 + number: f"xmm{number}" for number in range(16)},
    },
    "arm64": {
        **{number: f"regs[{number}]" for number in range(31)},
        31: "sp",
        **{64 + number: f"f{number}" for number in range(32)},
    },
}
"""By DWARF's numbers, from the ABI supplements for x86-64 and AArch64."""

CFA = {"amd64": 8, "arm64": 0}
"""DWARF's canonical frame address less SP, at a function's first instruction: amd64 has the return address there."""


def _parts(whole: str) -> tuple[str, ...]:
    if whole[0] == "r":
        return whole, f"{whole}d", f"{whole}w", f"{whole}b"
    return whole, f"r{whole}", f"e{whole}", f"{whole[0]}l" if whole[1] == "x" else f"{whole}l"


AMD64_PARTS = {part: whole for whole in _X86 for part in _parts(whole)}
"""What the assembler calls a register or its low part, and the whole. ``ah`` and its like are the second byte."""
