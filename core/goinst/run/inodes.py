"""Whether two paths lead to one inode, where stat(2) does not tell."""

from __future__ import annotations

import os
from collections.abc import Sequence

from goinst.kernel import syscalls as kernel
from goinst.kernel.attach import attach
from goinst.processes.process import Process
from goinst.processes.text import BREAKPOINT, read_code

__all__ = ["same_inode"]


def same_inode(path: str, markers: Sequence[int], process: Process) -> bool:
    """Whether a process runs the very inode that ``path`` leads to: a breakpoint that is set by the path appears in its
    code. It is set for a moment, at the first of ``markers`` (file offsets of instructions that are passed once, at a
    process's start) where nobody else has one. Without a marker that it can be tried at, yes.

    overlayfs has a device number for each mount, and shows the inode's number below it
    (Documentation/filesystems/overlayfs.rst, "Inode properties"); a uprobe sits on the inode below
    (kernel/trace/bpf_trace.c, bpf_uprobe_multi_link_attach: d_real_inode).
    """
    for marker in markers:
        before = read_code(process, (marker,))
        if before is None:
            return False
        if before == [BREAKPOINT]:
            continue
        nothing, multi = kernel.nothing_program()
        try:
            attachment = attach(path, [(nothing, [(marker, 0)])], multi=multi)
            try:
                return read_code(process, (marker,)) == [BREAKPOINT]
            finally:
                attachment.close()
        finally:
            os.close(nothing)
    return True
