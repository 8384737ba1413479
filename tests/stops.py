"""Stops a Go program at instructions and looks at it, by ptrace(2): an independent witness of where values are.

amd64 only. The program's threads are all stopped at by one breakpoint at a time, which is enough for programs that do
one thing after the other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["Stopped", "run"]

_REGISTERS = (
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di", "orig_ax", "ip",
    "cs", "flags", "sp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip
_CONT, _STEP, _GETREGS, _SETREGS, _GETFPREGS, _SETOPTIONS = 7, 9, 12, 13, 14, 0x4200
_TRACECLONE, _EXITKILL = 8, 1 << 20
_WALL = 0x40000000
_NEW_THREAD = signal.SIGTRAP | 3 << 8
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class Stopped:
    """A thread at a breakpoint."""

    def __init__(self, thread: int, memory: int) -> None:
        self._memory = memory
        general = _fetch(thread, _GETREGS, 27 * 8)
        self.registers = dict(zip(_REGISTERS, struct.unpack("<27Q", general), strict=True))
        floating = _fetch(thread, _GETFPREGS, 512)
        for number in range(16):
            (self.registers[f"xmm{number}"],) = struct.unpack_from("<Q", floating, 160 + 16 * number)

    def read(self, address: int, size: int) -> bytes:
        """Return memory of the program."""
        return os.pread(self._memory, size, address)


def run(path: Path, at: Mapping[int, Callable[[Stopped], None]]) -> str:
    """Run a program, calling ``at[address]`` each time an instruction is reached; return what it printed."""
    code = "import ctypes, os, sys; ctypes.CDLL(None).ptrace(0, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:2])"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            _follow(process.pid, at)
        except BaseException:
            process.kill()
            raise
        assert process.stdout is not None
        return process.stdout.read()


def _follow(pid: int, at: Mapping[int, Callable[[Stopped], None]]) -> None:
    os.waitpid(pid, _WALL)  # the exec
    _request(_SETOPTIONS, pid, 0, _TRACECLONE | _EXITKILL)
    memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    try:
        kept = {address: os.pread(memory, 1, address) for address in at}
        for address in at:
            os.pwrite(memory, b"\xcc", address)
        _request(_CONT, pid, 0, 0)
        while True:
            thread, status = os.waitpid(-1, _WALL)
            if not os.WIFSTOPPED(status):
                if thread == pid:
                    return
                continue
            number = os.WSTOPSIG(status)
            if number != signal.SIGTRAP or status >> 8 == _NEW_THREAD:
                passed = 0 if number in (signal.SIGSTOP, signal.SIGTRAP) else number
                _request(_CONT, thread, 0, passed)
                continue
            _stop(thread, memory, at, kept)
            _request(_CONT, thread, 0, 0)
    finally:
        os.close(memory)


def _stop(thread: int, memory: int, at: Mapping[int, Callable[[Stopped], None]], kept: Mapping[int, bytes]) -> None:
    stopped = Stopped(thread, memory)
    address = stopped.registers["ip"] - 1
    if address not in at:
        return
    stopped.registers["ip"] = address
    general = struct.pack("<27Q", *(stopped.registers[name] for name in _REGISTERS))
    _request(_SETREGS, thread, 0, ctypes.create_string_buffer(general, len(general)))
    at[address](stopped)
    os.pwrite(memory, kept[address], address)
    _request(_STEP, thread, 0, 0)
    while True:
        _, status = os.waitpid(thread, _WALL)
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) == signal.SIGTRAP:
            break
        _request(_STEP, thread, 0, 0)  # a signal of the runtime's that is only a request to yield
    os.pwrite(memory, b"\xcc", address)


def _fetch(thread: int, request: int, size: int) -> bytes:
    buffer = ctypes.create_string_buffer(size)
    _request(request, thread, 0, buffer)
    return buffer.raw


def _request(request: int, thread: int, address: int, data: object) -> None:
    pointer = ctypes.cast(data, ctypes.c_void_p) if isinstance(data, ctypes.Array) else ctypes.c_void_p(int(str(data)))
    if _libc.ptrace(request, thread, ctypes.c_void_p(address), pointer) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
