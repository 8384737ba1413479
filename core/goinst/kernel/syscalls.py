"""bpf(2) and perf_event_open(2), as far as goinst needs them: descriptors in, descriptors out, OSError otherwise.

Layouts are those of include/uapi/linux/bpf.h (union bpf_attr) and include/uapi/linux/perf_event.h; the kernel takes a
shorter attr than its own for an older one (bpf_check_uarg_tail_zero).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from goinst.errors import MachineError
from goinst.kernel.guard import PROG_ARRAY, guarded

__all__ = [
    "create_guard",
    "create_link_multi",
    "create_link_perf",
    "create_map",
    "delete",
    "load_program",
    "lookup",
    "next_key",
    "nothing_program",
    "open_perf_event",
    "open_perf_uprobe",
    "possible_cpus",
    "probe_features",
    "raise_memlock",
    "update",
]

_NUMBERS = {"x86_64": (321, 298), "aarch64": (280, 241)}
_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _MAP_NEXT, _PROG_LOAD, _LINK_CREATE = 0, 1, 2, 3, 4, 5, 28
_PROG_KPROBE = 2
_PERF_EVENT, _UPROBE_MULTI = 41, 48
_LICENSE = b"Dual MIT/GPL"
_NAME = 16
_PERF_FD_CLOEXEC = 8
_PERF_EVENT_IOC_ENABLE, _PERF_EVENT_IOC_SET_BPF = 0x2400, 0x40042408

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _syscall(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _numbers() -> tuple[int, int]:
    try:
        return _NUMBERS[platform.machine()]
    except KeyError:
        raise MachineError(f"goinst runs on x86_64 and aarch64, not on {platform.machine()}") from None


def _bpf(command: int, attr: bytes) -> int:
    buffer = ctypes.create_string_buffer(attr, len(attr))
    return _syscall(_numbers()[0], ctypes.c_long(command), buffer, ctypes.c_long(len(attr)))


def _name(text: str) -> bytes:
    # the kernel takes letters, digits, '_' and '.' (bpf_obj_name_cpy)
    return text.encode()[: _NAME - 1].ljust(_NAME, b"\0")


def create_map(name: str, kind: int, key_size: int, value_size: int, entries: int, flags: int = 0) -> int:
    """BPF_MAP_CREATE; a descriptor."""
    attr = struct.pack("<IIIIIII16s", kind, key_size, value_size, entries, flags, 0, 0, _name(name))
    return _bpf(_MAP_CREATE, attr)


def create_guard() -> int:
    """The map that ``load_program`` needs; one serves all programs of one attach type (bpf_prog_map_compatible)."""
    return create_map("goinst_guard", PROG_ARRAY, 4, 4, 1)


def load_program(name: str, code: bytes, *, guard: int, attach_type: int = 0, log_size: int = 0) -> tuple[int, str]:
    """BPF_PROG_LOAD of a kprobe-type program (uprobes are of that type). Returns (descriptor, verifier log).

    The only way into the kernel, so that no program lacks the guard (kernel/guard.py). ``guard`` is of create_guard.
    OSError when it is refused; with ``log_size`` its ``strerror`` is the verifier's log.
    """
    code = guarded(code, guard)
    instructions = ctypes.create_string_buffer(code, len(code))
    license_ = ctypes.create_string_buffer(_LICENSE)
    log = ctypes.create_string_buffer(max(log_size, 1))
    attr = struct.pack(
        "<IIQQIIQII16sII",
        _PROG_KPROBE,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(license_),
        1 if log_size else 0,
        log_size,
        ctypes.addressof(log) if log_size else 0,
        0,
        0,
        _name(name),
        0,
        attach_type,
    )
    try:
        return _bpf(_PROG_LOAD, attr), log.value.decode("utf-8", "replace")
    except OSError as error:
        if log_size:
            said = log.value.decode("utf-8", "replace")
            raise OSError(error.errno, said or error.strerror) from None
        raise


def _element(command: int, descriptor: int, key: bytes, value: ctypes.Array[ctypes.c_char], flags: int) -> None:
    key_buffer = ctypes.create_string_buffer(key, len(key))
    attr = struct.pack("<IIQQQ", descriptor, 0, ctypes.addressof(key_buffer), ctypes.addressof(value), flags)
    _bpf(command, attr)


def lookup(descriptor: int, key: bytes, size: int) -> bytes | None:
    """A map's value (for a per-CPU map: of all possible CPUs in a row, each rounded to 8), or None."""
    value = ctypes.create_string_buffer(size)
    try:
        _element(_MAP_LOOKUP, descriptor, key, value, 0)
    except FileNotFoundError:
        return None
    return value.raw


def update(descriptor: int, key: bytes, value: bytes) -> None:
    """Set a map's value."""
    _element(_MAP_UPDATE, descriptor, key, ctypes.create_string_buffer(value, len(value)), 0)


def next_key(descriptor: int, key: bytes | None, size: int) -> bytes | None:
    """The key behind ``key`` (None: the first), or None at the end."""
    found = ctypes.create_string_buffer(size)
    before = ctypes.create_string_buffer(key, len(key)) if key is not None else None
    attr = struct.pack("<IIQQQ", descriptor, 0, ctypes.addressof(before) if before else 0, ctypes.addressof(found), 0)
    try:
        _bpf(_MAP_NEXT, attr)
    except FileNotFoundError:
        return None
    return found.raw


def delete(descriptor: int, key: bytes) -> None:
    """Remove a map's entry, if it is there."""
    key_buffer = ctypes.create_string_buffer(key, len(key))
    with suppress(FileNotFoundError):
        _bpf(_MAP_DELETE, struct.pack("<IIQQQ", descriptor, 0, ctypes.addressof(key_buffer), 0, 0))


def create_link_multi(
    program: int, path: str, offsets: Sequence[int], semaphores: Sequence[int] = (), cookie: int = 0
) -> int:
    """Attach one program to file offsets by a uprobe_multi link (Linux 6.6); closing the descriptor detaches.

    ``semaphores``: for each offset that of a counter (16 bits, in writable data) that is raised as long, or 0.
    ``cookie``: what bpf_get_attach_cookie gives the program.
    All or nothing: one instruction that cannot be probed fails the call.
    """
    name = ctypes.create_string_buffer(os.fsencode(path))
    where = (ctypes.c_uint64 * len(offsets))(*offsets)
    raised = (ctypes.c_uint64 * len(offsets))(*semaphores) if any(semaphores) else None
    cookies = (ctypes.c_uint64 * len(offsets))(*[cookie] * len(offsets)) if cookie else None
    attr = struct.pack(
        "<IIIIQQQQIII4x",
        program,
        0,
        _UPROBE_MULTI,
        0,
        ctypes.addressof(name),
        ctypes.addressof(where),
        ctypes.addressof(raised) if raised is not None else 0,
        ctypes.addressof(cookies) if cookies is not None else 0,
        len(offsets),
        0,
        0,
    )
    return _bpf(_LINK_CREATE, attr)


def open_perf_uprobe(path: str, offset: int, semaphore: int = 0) -> int:
    """A perf event of the uprobe PMU on one file offset, in every process (Linux 4.17); ``semaphore`` as above, below
    4 GB (Linux 4.20: the upper half of config, PERF_UPROBE_REF_CTR_OFFSET_SHIFT in kernel/events/core.c)."""
    if semaphore >> 32:
        raise OSError(errno.EOVERFLOW, "its semaphore is too far into the file for a perf event")
    kind = Path("/sys/bus/event_source/devices/uprobe/type")
    try:
        number = int(kind.read_text())
    except (OSError, ValueError) as error:
        raise MachineError(f"this kernel has no uprobes ({kind}: {error})") from None
    name = ctypes.create_string_buffer(os.fsencode(path))
    return open_perf_event(number, semaphore << 32, ctypes.addressof(name), offset)


def open_perf_event(kind: int, config: int, *more: int) -> int:
    """perf_event_open(2) of any process; ``more``: config1 and config2. A BPF program on it runs on each processor."""
    config1, config2 = more or (0, 0)
    # type, size, config, sample_period, sample_type, read_format, flags, wakeup, bp_type, config1, config2
    attr = struct.pack("<IIQQQQQIIQQ40x", kind, 112, config, 1, 0, 0, 0, 1, 0, config1, config2)
    buffer = ctypes.create_string_buffer(attr, len(attr))
    long = ctypes.c_long
    return _syscall(_numbers()[1], buffer, long(-1), long(0), long(-1), long(_PERF_FD_CLOEXEC))


def create_link_perf(program: int, event: int, cookie: int = 0) -> int | None:
    """Attach a program to a perf event: by a link (Linux 5.15), else by ioctl (None: closing ``event`` detaches). Links
    have a ``cookie``, as above."""
    try:
        return _bpf(_LINK_CREATE, struct.pack("<IIIIQ", program, event, _PERF_EVENT, 0, cookie))
    except OSError as error:
        if error.errno != errno.EINVAL:  # what older kernels say
            raise
        _ioctl(event, _PERF_EVENT_IOC_SET_BPF, program)
        _ioctl(event, _PERF_EVENT_IOC_ENABLE, 0)
        return None


def _ioctl(descriptor: int, request: int, argument: int) -> None:
    if _libc.ioctl(descriptor, ctypes.c_ulong(request), ctypes.c_ulong(argument)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def possible_cpus() -> int:
    """How many values a per-CPU map has: CPUs that could be plugged in count, too."""
    text = Path("/sys/devices/system/cpu/possible").read_text().strip()
    return int(text.replace(",", "-").split("-")[-1]) + 1


def raise_memlock() -> None:
    """Kernels before 5.11 account BPF memory against RLIMIT_MEMLOCK."""
    # later kernels do not need it; where it is needed, creating a map says so
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


# r0 = 0; exit
_NOTHING = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)
# *(u64 *)(r10 - 8) = 0; r1 = 0; r2 = r10; r2 += -8; r3 = 8; call 36 (bpf_probe_write_user); r0 = 0; exit
_WRITE = (
    struct.pack("<BBhi", 0x7A, 10, -8, 0)
    + struct.pack("<BBhi", 0xB7, 1, 0, 0)
    + struct.pack("<BBhi", 0xBF, 10 << 4 | 2, 0, 0)
    + struct.pack("<BBhi", 0x07, 2, 0, -8)
    + struct.pack("<BBhi", 0xB7, 3, 0, 8)
    + struct.pack("<BBhi", 0x85, 0, 0, 36)
    + _NOTHING
)
# call 174 (bpf_get_attach_cookie, Linux 5.15); r0 = 0; exit
_COOKIE = struct.pack("<BBhi", 0x85, 0, 0, 174) + _NOTHING
_RINGBUF = 27


def probe_features() -> dict[str, bool | str]:
    """Try what this kernel lets this process do: ``load``, ``ring_buffer``, ``uprobe_multi``, ``cookie``,
    ``write_user``: True, or why not."""
    features: dict[str, bool | str] = {}
    raise_memlock()

    def attempt(name: str, make: Callable[[], int]) -> None:
        try:
            os.close(make())
            features[name] = True
        except OSError as error:
            features[name] = os.strerror(error.errno) if error.errno else str(error)

    attempt("load", lambda: _try_program(_NOTHING))
    attempt("ring_buffer", lambda: create_map("goinst_try", _RINGBUF, 0, 0, 4096))
    attempt("cookie", lambda: _try_program(_COOKIE))
    attempt("write_user", lambda: _try_program(_WRITE))
    features["uprobe_multi"] = _try_multi()
    return features


def _try_program(code: bytes, attach_type: int = 0) -> int:
    guard = create_guard()
    try:
        return load_program("goinst_try", code, guard=guard, attach_type=attach_type)[0]
    finally:
        os.close(guard)


def nothing_program() -> tuple[int, bool]:
    """A program that does nothing, to see where a probe appears; whether it is for uprobe_multi."""
    multi = _try_multi() is True
    return _try_program(_NOTHING, _UPROBE_MULTI if multi else 0), multi


def _try_multi() -> bool | str:
    """Ask for a link on a folder: a kernel that has uprobe_multi says that it is no regular file (EBADF,
    kernel/trace/bpf_trace.c, bpf_uprobe_multi_link_attach), an older one that it does not know such links (EINVAL)."""
    try:
        program = _try_program(_NOTHING, _UPROBE_MULTI)
    except OSError as error:
        return f"{os.strerror(error.errno or 0)} (Linux 6.6 has it)"
    try:
        os.close(create_link_multi(program, "/", [0]))
    except OSError as error:
        if error.errno == errno.EBADF:
            return True
        return f"{os.strerror(error.errno or 0)} (Linux 6.6 has it)"
    finally:
        os.close(program)
    return True
