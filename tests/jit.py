"""What the kernel's JIT made of a BPF program: bpf(2) of its own, so that it tells of goinst's from outside."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

__all__ = ["bpf", "kind_and_name", "load_as_it_is", "uses_private_stack"]

_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _INFO_BY_FD, _KPROBE = 5, 15, 2
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    """What it returns, and the attributes as it left them."""
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = int(_libc.syscall(_SYS_BPF[platform.machine()], command, buffer, len(attributes)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result, buffer.raw


def load_as_it_is(code: bytes, attach_type: int = 0) -> int:
    """A program of uprobes with nothing in front of it."""
    instructions, words = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    addresses = ctypes.addressof(instructions), ctypes.addressof(words)
    rest = (0, 0, 0, 0, 0, b"", 0, attach_type)
    return bpf(_PROG_LOAD, struct.pack("<IIQQIIQII16sII", _KPROBE, len(code) // 8, *addresses, *rest))[0]


def _info(program: int) -> tuple[bytes, bytes]:
    """struct bpf_prog_info (include/uapi/linux/bpf.h) up to the name, and the machine code."""
    info, out = ctypes.create_string_buffer(80), ctypes.create_string_buffer(1 << 18)
    struct.pack_into("<I", info, 16, len(out))
    struct.pack_into("<Q", info, 24, ctypes.addressof(out))
    bpf(_INFO_BY_FD, struct.pack("<IIQ", program, len(info), ctypes.addressof(info)))
    (size,) = struct.unpack_from("<I", info, 16)
    return info.raw, out.raw[:size]


def kind_and_name(program: int) -> tuple[int, str]:
    """Its type's number (2: of uprobes) and as much of its name as the kernel keeps."""
    info, _ = _info(program)
    return struct.unpack_from("<I", info)[0], info[64:80].split(b"\0")[0].decode()


def uses_private_stack(program: int) -> bool:
    """Whether its prologue adds this processor's offset to the frame's register, r9: `add r9, gs:[this_cpu_off]`
    (arch/x86/net/bpf_jit_comp.c, emit_priv_frame_ptr). Nothing else uses r9 in that way."""
    assert platform.machine() == "x86_64"
    _, code = _info(program)
    assert code.strip(b"\0"), "not compiled by the JIT, or the kernel does not show it (kernel.kptr_restrict)"
    return b"\x65\x4c\x03\x0c\x25" in code
