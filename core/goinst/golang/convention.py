"""How Go code in a binary passes arguments and keeps the goroutine, as the binary itself shows.

The version does not tell: Go 1.17 for amd64 and 1.18 for arm64 could be built without what they brought
(GOEXPERIMENT=noregabi, noregabiargs), and later versions ignore the same words, which are in their build settings then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goinst.golang.releases import REGISTER_ABI, Release

if TYPE_CHECKING:
    from goinst.binary.elf import Image
    from goinst.golang.tables.functions import FunctionTable
    from goinst.golang.types.abi import Abi

__all__ = ["convention"]

# What the runtime of every program has, with results: how many bytes of stack their arguments take when results are in
# registers, and when they are on the stack (cmd/compile/internal/abi/abiutils.go: ArgWidth), Go 1.16 to 1.27.
_SIZES = {
    "runtime.newobject": (8, 16),  # func newobject(typ *_type) unsafe.Pointer
    "runtime.makeslice": (24, 32),  # func makeslice(et *_type, len, cap int) unsafe.Pointer
    "runtime.acquireSudog": (0, 8),  # func acquireSudog() *sudog
    "runtime.findfunc": (8, 24),  # func findfunc(pc uintptr) funcInfo
}
_CHECKS_R14 = bytes.fromhex("493b6610")  # cmp rsp, [r14+0x10]
_MOST = 4096  # functions that are looked at


def convention(functions: FunctionTable, image: Image, version: Release) -> tuple[Abi, str]:
    """Say where Go functions take arguments and leave results, and which register holds g all the time in Go code, as
    the kernel's pt_regs calls it; empty when none does."""
    registers = stack = 0
    for name, sizes in _SIZES.items():
        found = functions.function(name)
        size = functions.argument_bytes(found) if found is not None else -1
        registers += size == sizes[0]
        stack += size == sizes[1]
    in_registers = registers > stack if registers != stack else REGISTER_ABI[image.arch].holds(version)
    abi: Abi = "register" if in_registers else "stack"
    if image.arch == "arm64":
        return abi, "regs[28]"
    return abi, "r14" if in_registers or _has_r14(functions, image) else ""


def _has_r14(functions: FunctionTable, image: Image) -> bool:
    """Say whether R14 is g: functions check their stack by it without loading it (GOEXPERIMENT=regabig, Go 1.17)."""
    entries = functions.entries[:_MOST].tolist()
    segment = image.segment(entries[0]) if entries else None
    whole = [entry for entry in entries if segment is not None and entry + 4 <= segment.va + segment.size]
    return any(image.read(entry, 4) == _CHECKS_R14 for entry in whole)
