"""Machine instructions as the choice of probe sites sees them: what amd64 and arm64 have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Instruction", "Machine", "Scan"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction; ``code`` are its bytes."""

    address: int
    code: bytes
    mnemonic: str
    operands: str

    @property
    def text(self) -> str:
        """The instruction as a disassembler writes it."""
        return f"{self.mnemonic} {self.operands}".strip()

    @property
    def end(self) -> int:
        """The address of what follows."""
        return self.address + len(self.code)


@dataclass(frozen=True, slots=True)
class Scan:
    """What the branches of a function are.

    ``targets``: where direct jumps go to (calls are not jumps). ``indirect``: there are jumps to addresses
    that are computed. ``returns``: addresses of RETs. ``decoded``: the address up to which the code could be
    decoded.
    """

    targets: frozenset[int]
    indirect: bool
    returns: tuple[int, ...]
    calls: tuple[tuple[int, int], ...]
    decoded: int


class Machine(Protocol):
    """What differs between amd64 and arm64. ``abi`` is ``register`` or ``stack`` (Go), or ``c``.

    ``guard`` is the conditional branch that ends a stack check; ``early`` are those that may come before it
    in the check of a function with a huge frame; both lead to runtime.morestack. ``pushed`` is
    how many bytes a call puts on the stack; ``save`` is the instruction that saves a register on it. An instance must
    not be used by two threads at a time.
    """

    guard: str
    early: frozenset[str]
    pushed: int
    save: str

    def decode(self, code: bytes, address: int, count: int) -> tuple[Instruction, ...]:
        """Decode up to ``count`` instructions; fewer where the bytes end or are none."""

    def scan(self, code: bytes, address: int) -> Scan:
        """Look at all instructions of a function, in order of addresses."""

    def prepares(self, instruction: Instruction, abi: str) -> bool:
        """Say whether a stack check may have this instruction: it changes nothing but flags and scratch."""

    def limit(self, instruction: Instruction) -> str:
        """Return the register that holds g, as pt_regs has it, when the instruction reads g.stackguard0 or
        g.stackguard1 by it; else nothing."""

    def target(self, instruction: Instruction) -> int | None:
        """Return where a direct jump or branch goes to; None for everything else."""

    def calls(self, instruction: Instruction) -> bool:
        """Say whether it is a direct call."""

    def emulated(self, instruction: Instruction) -> bool:
        """Say whether the kernel's uprobes emulate it, on every kernel that can run goinst."""

    def refused(self, instruction: Instruction) -> bool:
        """Say whether the kernel refuses a uprobe on it."""

    def passes(self, instruction: Instruction, adjust: int, abi: str) -> int | None:
        """Follow one instruction of straight-line code; ``adjust`` is how far SP is below its value at entry.

        Return the new ``adjust``, or None when it is not certain that, behind it, all argument registers, the
        closure context, g, and all memory but the function's own frame are as they were at entry.
        """
