"""Instructions that the kernel does not let anybody probe: each is named, with the reason; others are probed."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from goinst.kernel import syscalls as kernel
from goinst.kernel.attach import attach

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the instructions are x86-64's"),
]
# uprobes do not step over a locked instruction (arch/x86/kernel/uprobes.c, is_prefix_bad)
SOURCE = """
long plain(long v) { return v + 1; }
asm(".globl locked; .type locked, @function; locked: lock incl (%rdi); ret; .size locked, .-locked");
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A library that this process has mapped, and where its functions are in the file."""
    path = tmp_path_factory.mktemp("attach") / "libplain.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-xc", "-o", path, "-"], input=SOURCE, text=True, check=True)
    ctypes.CDLL(str(path))
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".dynsym").iter_symbols()
        return path, {one.name: next(iter(elf.address_offsets(one["st_value"]))) for one in symbols if one["st_value"]}


@pytest.mark.parametrize("multi", [True, False], ids=["uprobe_multi", "perf_events"])
def test_why_an_instruction_is_refused(library: tuple[Path, dict[str, int]], multi: bool) -> None:
    path, offsets = library
    guard = kernel.create_guard()
    nothing = b"\xb7\0\0\0\0\0\0\0\x95\0\0\0\0\0\0\0"  # r0 = 0; exit
    program, _ = kernel.load_program("nothing", nothing, guard=guard, attach_type=48 if multi else 0)
    beyond = path.stat().st_size + 4096
    attachment = attach(str(path), [(program, [(at, 0) for at in (*offsets.values(), beyond)])], multi=multi)
    try:
        said = dict(attachment.refused)
        assert set(said) == {offsets["locked"], beyond}
        assert "cannot step over" in said[offsets["locked"]]
        assert "no instruction that uprobes accept" in said[beyond]
        assert len(attachment.descriptors) >= 1
    finally:
        attachment.close()
        os.close(program)
        os.close(guard)
