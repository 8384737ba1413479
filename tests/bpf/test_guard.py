"""No program on a private BPF stack: what the JIT made of each, and that there is one way into the kernel."""

from __future__ import annotations

import ast
import inspect
import os
import platform
import struct
from contextlib import ExitStack
from pathlib import Path

import pytest

import goinst.kernel
from goinst.kernel import syscalls as kernel
from goinst.kernel.guard import guarded
from goinst.kernel.loader import load
from jit import load_as_it_is, uses_private_stack
from programs import compiled

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)"),
]
# 25 words of the stack written, one of them read: a frame that is large enough for a stack of its own
FRAME = struct.pack("<BBhi", 0xB7, 0, 0, 7)
FRAME += b"".join(struct.pack("<BBhi", 0x7B, 10, -8 * word, 0) for word in range(1, 26))
FRAME += struct.pack("<BBhi", 0x79, 10 << 4, -200, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)


@pytest.fixture
def private_stacks() -> None:
    """A kernel that has them: it shows that the tests here can tell."""
    if platform.machine() != "x86_64" or tuple(map(int, os.uname().release.split(".")[:2])) < (6, 13):
        pytest.skip("private BPF stacks are of Linux 6.13 and later; the test knows x86-64's")
    program = load_as_it_is(FRAME)
    try:
        assert uses_private_stack(program)
    finally:
        os.close(program)


@pytest.mark.parametrize("attach_type", [0, 48], ids=["perf_events", "uprobe_multi"])
def test_a_large_frame_behind_the_guard_is_on_the_kernels_stack(private_stacks: None, attach_type: int) -> None:
    with ExitStack() as stack:
        guard = kernel.create_guard()
        stack.callback(os.close, guard)
        program, _ = kernel.load_program("large", FRAME, guard=guard, attach_type=attach_type)
        stack.callback(os.close, program)
        assert not uses_private_stack(program)


def test_no_program_of_any_plugin_has_a_private_stack(private_stacks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, private, bare = 0, [], []
    for one in compiled(modes=("spans",)):
        # with functions of their own and a tail call, programs may have 256 bytes of stack only
        assert not any(
            code[at : at + 2] == b"\x85\x10" for code in one.built.programs.values() for at in range(0, len(code), 8)
        )
        for guard, found in ((guarded, private), (lambda code, _: code, bare)):
            monkeypatch.setattr(kernel, "guarded", guard)
            plan = one.plan
            loaded = load(one.built, plan.programs, multi=True, ring_bytes=1 << 16, operations=64, rows=plan.rows)
            try:
                assert loaded.rejected == []
                wanted += len(loaded.programs)
                found += [name for name, program in loaded.programs.items() if uses_private_stack(program)]
            finally:
                loaded.close()
    assert wanted > 150
    assert private == []
    assert len(bare) > 10, "without the guard some of them have one, or this test is about nothing"


def test_there_is_one_way_into_the_kernel_and_the_guard_is_in_it() -> None:
    """BPF_PROG_LOAD is used in one function, which puts the guard in front of whatever it is given."""
    users = []
    for path in Path(goinst.kernel.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                users += [(path.name, node.name) for name in ast.walk(node) if getattr(name, "id", "") == "_PROG_LOAD"]
    assert users == [("syscalls.py", "load_program")]
    assert inspect.signature(kernel.load_program).parameters["guard"].default is inspect.Parameter.empty
    assert guarded(FRAME, 5).endswith(FRAME)
    with pytest.raises(OSError, match=r"Bad file descriptor|Invalid argument"):
        kernel.load_program("none", FRAME, guard=-1)
