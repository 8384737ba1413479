"""What the kernel says, in words: of an instruction, and when it is about this process or machine."""

from __future__ import annotations

import errno
import os
import resource

from goinst.errors import MachineError
from goinst.kernel.privileges import PRIVILEGES, held, in_user_namespace, lacking

__all__ = ["ENOTSUPP", "is_about_the_machine", "probe_in_words", "refused", "shortage"]

ENOTSUPP = 524  # include/linux/errno.h: the kernel's own, which strerror(3) does not know
_PROBE = {
    ENOTSUPP: "an instruction that uprobes cannot step over (ENOTSUPP)",
    errno.EINVAL: "no instruction that uprobes accept (EINVAL)",
    errno.ENOEXEC: "no instruction that the kernel knows (ENOEXEC)",
    errno.EIO: "uprobes cannot read files of its file system (EIO)",
}

_MACHINE = frozenset((errno.EPERM, errno.ENOSYS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))


def is_about_the_machine(error: OSError) -> bool:
    """Whether it is no verdict on what was asked for."""
    return error.errno in _MACHINE


def probe_in_words(error: OSError) -> str:
    """Why an instruction cannot be probed (kernel/events/uprobes.c, uprobe_register and prepare_uprobe)."""
    return _PROBE.get(error.errno or 0) or error.strerror or str(error)


def _forbidden() -> str:
    """Who forbids bpf(2), and what to do."""
    if in_user_namespace():
        return "this is root of a user namespace (a rootless container) only: run as the machine's root"
    if missing := [one.name for one in lacking(held()) if one.required]:
        return f"{' and '.join(missing)} missing: run as root; `goinst doctor` says more"
    needed = " and ".join(one.name for one in PRIVILEGES if one.required)
    return (
        f"it has {needed}, so it is a seccomp profile (in a container), a security module, or before Linux 5.11 the"
        " limit of locked memory (ulimit -l); `goinst doctor` says more"
    )


def refused(error: OSError, what: str) -> MachineError:
    """An error in one line, with what to do: the kernel does not ``what`` (create a map, for one)."""
    number = error.errno or 0
    if number == errno.EPERM:
        return MachineError(f"the kernel does not let this process {what}: {_forbidden()}")
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
