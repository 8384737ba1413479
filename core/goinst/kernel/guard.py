"""The guard in front of every program: none of them may run on a private BPF stack.

Since Linux 6.13 (a76ab5731e32) the verifier gives a program of uprobes whose frame is 64 bytes or more a stack of its
own on each processor, unless a tail call is among its instructions (kernel/bpf/verifier.c, check_max_stack_depth). It
takes it that nothing interrupts such a program on its processor, but uprobe programs can be preempted
(kernel/trace/bpf_trace.c, uprobe_prog_run: migrate_disable only): with preempt=full or lazy two tasks share that stack.

So each program begins with a tail call that is never taken: its index is beyond any array's end. That is looked at
before all else, by every JIT and by the interpreter, so that it neither counts as one of the 33 tail calls that a hit
has (a call into an empty slot does in 5.10 and 6.1, no more in 6.12: arch/x86/net/bpf_jit_comp.c,
emit_bpf_tail_call_indirect) nor reads the array. It costs 1 to 3 ns. For the verifier the call is an ordinary one. As
these are instructions that are put in front when a program is loaded, no fragment and no compiler can lose them.
"""

from __future__ import annotations

import struct

__all__ = ["PROG_ARRAY", "guarded"]

PROG_ARRAY = 3
_TAIL_CALL = 12


def _instruction(code: int, to: int = 0, source: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", code, source << 4 | to, 0, immediate)


def guarded(code: bytes, tails: int) -> bytes:
    """The instructions with the guard in front; ``tails`` is the descriptor of any map of the kind PROG_ARRAY.

    Jumps and calls are relative, and stay right. r6, which keeps the context, is not in use yet at the first one.
    """
    return (
        _instruction(0xBF, 6, 1)  # r6 = r1
        + _instruction(0x18, 2, 1, tails)  # r2 = the map: 16 bytes
        + _instruction(0)
        + _instruction(0xB4, 3, 0, -1)  # w3 = 0xffffffff
        + _instruction(0x85, 0, 0, _TAIL_CALL)
        + _instruction(0xBF, 1, 6)  # r1 = r6
        + code
    )
