"""One running process, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from goinst.errors import GoinstError, MachineError, TargetError

__all__ = ["DELETED", "Process", "all_pids", "exe_of", "read_process", "require_process"]

DELETED = " (deleted)"
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h


@dataclass(frozen=True)
class Process:
    """A process and the very file that it runs.

    ``exe`` is the path to show, as the process sees it. ``binary`` opens the file that runs, whatever its
    mount namespace and even after the file was deleted or replaced; it is gone when the process is.
    ``device`` and ``inode`` identify the file. ``start_time`` (Unix seconds) tells a process from a later one
    with its pid. ``matched`` says in words why it was chosen. ``program``: when ``exe`` and ``binary`` are a shared
    library, the path of what the process runs.
    """

    pid: int
    exe: str
    binary: str
    device: int
    inode: int
    start_time: float
    command: tuple[str, ...]
    matched: str = ""
    program: str = ""

    @property
    def identity(self) -> tuple[int, float, tuple[int, int]]:
        """Unique for as long as the machine runs: of the process, and of what it runs (execve keeps pid and start
        time), or of the library in it."""
        return self.pid, self.start_time, (self.device, self.inode)

    @property
    def every(self) -> bool:
        """Whether each process that runs the file is meant: then one is traced from its first instruction on."""
        return self.matched.startswith("--exe")


def all_pids() -> list[int]:
    """Every process (not thread) that /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - hot, and text is enough


def exe_of(pid: int) -> str | None:
    """The path of the executable; None for kernel threads, zombies, the gone and the forbidden."""
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(DELETED)  # noqa: PTH115 - hot
    except OSError:
        return None


def read_process(pid: int, matched: str = "") -> Process | None:
    """The process, or None when it is gone, going, a kernel thread, or not ours to look at."""
    exe = exe_of(pid)
    if exe is None:
        return None
    binary = f"/proc/{pid}/exe"
    try:
        status = os.stat(binary)  # noqa: PTH116
        started = start_time(pid)
        command = _read(f"/proc/{pid}/cmdline")
    except (OSError, ValueError, IndexError):
        return None
    words = command.rstrip(b"\0").split(b"\0") if command else []
    return Process(
        pid=pid,
        exe=exe,
        binary=binary,
        device=status.st_dev,
        inode=status.st_ino,
        start_time=started,
        command=tuple(word.decode("utf-8", "replace") for word in words),
        matched=matched,
    )


def require_process(pid: int, matched: str = "") -> Process:
    """The process that the user named by number, or a TargetError that says why it cannot be traced.

    MachineError when goinst lacks the privilege to look at it.
    """
    if pid == os.getpid():
        raise TargetError(f"--pid {pid}: this is goinst itself")
    process = read_process(pid, matched)
    if process is None:
        raise _refusal(pid)
    leader = _thread_group(pid)
    if leader != pid:
        raise TargetError(f"--pid {pid}: this is a thread of process {leader}; use --pid {leader}")
    return process


def start_time(pid: int) -> float:
    """When the process started, in Unix seconds. OSError, ValueError or IndexError when it is gone."""
    return _boot_time() + int(_stat(pid)[19]) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third (state) on; the second may hold anything, even ``)``."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


@cache
def _boot_time() -> int:
    for line in _read("/proc/stat").splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1])
    return 0


def _thread_group(pid: int) -> int:
    try:
        for line in _read(f"/proc/{pid}/status").splitlines():
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return pid


def _refusal(pid: int) -> GoinstError:
    try:
        state, flags = _stat(pid)[0], int(_stat(pid)[6])
    except (OSError, ValueError, IndexError):
        return TargetError(f"--pid {pid}: no such process; --exe NAME and --port N find one for you")
    if flags & _KERNEL_THREAD:
        return TargetError(f"--pid {pid}: this is a kernel thread, it runs no program")
    if state in (b"Z", b"X"):
        return TargetError(f"--pid {pid}: this process has ended (its parent has not asked for it yet)")
    try:
        os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
    except PermissionError:
        return MachineError(f"--pid {pid}: no permission to see its executable; run goinst as root")
    except OSError as error:
        return TargetError(f"--pid {pid}: its executable cannot be read: {error.strerror}")
    return TargetError(f"--pid {pid}: it ended just now")


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = []
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)
