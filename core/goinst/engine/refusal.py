"""What the kernel says when it is not about a program but about this process or machine."""

from __future__ import annotations

import errno
import os
import resource

from goinst.errors import MachineError

__all__ = ["is_about_the_machine", "refused", "shortage"]

_MACHINE = frozenset((errno.EPERM, errno.ENOSYS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))


def is_about_the_machine(error: OSError) -> bool:
    """Whether it is no verdict on what was asked for."""
    return error.errno in _MACHINE


def refused(error: OSError, what: str) -> MachineError:
    """An error in one line, with what to do: the kernel does not ``what`` (create a map, for one)."""
    number = error.errno or 0
    if number == errno.EPERM:
        return MachineError(
            f"the kernel does not let this process {what}: run as root, or with CAP_BPF, CAP_PERFMON and"
            " CAP_SYS_PTRACE; `goinst doctor` says more"
        )
    said = f"the kernel cannot {what}: {os.strerror(number)}"
    if number == errno.EMFILE:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return MachineError(
            f"{said}: {limit} are allowed, and one program with all plugins takes about 100: ulimit -n 1024, or"
            " LimitNOFILE= of a service"
        )
    if number == errno.ENFILE:
        return MachineError(f"{said}: see sysctl fs.file-max")
    if number == errno.ENOMEM:
        return MachineError(
            f"{said}: a smaller --ring-megabytes or --max-operations needs less; see the control group's memory.max"
        )
    return MachineError(f"{said}; see `goinst doctor`")


def shortage(error: BaseException) -> MachineError | None:
    """What an error that nobody expected means, if it is that this process may have no more of something."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN):
        return refused(error, f"open {error.filename}" if error.filename else "do what is needed")
    if isinstance(error, MemoryError):
        return MachineError("there is no more memory to be had: see ulimit -v, and the control group's memory.max")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return MachineError("no more threads can be had: see ulimit -u and -v, and the control group's pids.max")
    return None
