"""What goinst may have to be allowed, and for what: docs/FLEET.md and `goinst doctor` say the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OLDEST_KERNEL", "PRIVILEGES", "Privilege", "held", "in_user_namespace", "kernel_version", "lacking"]

OLDEST_KERNEL = (5, 10)
"""The oldest that goinst is tested on (tests/vm). The ring buffer and CAP_BPF would be there from 5.8 on."""


@dataclass(frozen=True, slots=True)
class Privilege:
    """A capability (``number`` of include/uapi/linux/capability.h). ``without`` says what is lost without it, in half a
    sentence; ``required``: everything."""

    name: str
    number: int
    purpose: str
    without: str
    required: bool = False


PRIVILEGES = (
    Privilege("CAP_BPF", 39, "loading programs and making maps", "nothing can be traced", required=True),
    Privilege(
        "CAP_PERFMON", 38, "attaching uprobes, and reading the memory of traced processes from BPF programs",
        "nothing can be traced", required=True,
    ),
    Privilege(
        "CAP_SYS_PTRACE", 19, "seeing what processes of other users run, their environments and control groups",
        "only one's own processes can be traced",
    ),
    Privilege(
        "CAP_DAC_READ_SEARCH", 2, "reading executables and going through folders that are closed to others",
        "executables of other users that not everybody may read cannot be traced",
    ),
    Privilege(
        "CAP_LEASE", 28, "holding a lease on executables of other users, so that probes go before one is overwritten",
        "an executable of another user that is overwritten in place may crash when it is started again",
    ),
)  # fmt: skip
_NUMBERS = {one.name: one.number for one in PRIVILEGES} | {"CAP_SYS_ADMIN": 21, "CAP_DAC_OVERRIDE": 1}
_FIRST_USER_NAMESPACE = 0xEFFFFFFD  # PROC_USER_INIT_INO, include/linux/proc_ns.h
_ADMIN = ("CAP_BPF", "CAP_PERFMON")  # CAP_SYS_ADMIN includes them (bpf_capable, perfmon_capable)


def in_user_namespace() -> bool:
    """Whether this process is root in a user namespace at most, as in a rootless container: what is needed here is
    asked of the machine's root (kernel/capability.c, capable)."""
    try:
        return os.readlink("/proc/self/ns/user") != f"user:[{_FIRST_USER_NAMESPACE}]"  # noqa: PTH115
    except OSError:
        return False


def held(status: Path = Path("/proc/self/status")) -> frozenset[str]:
    """The capabilities in force, of those that matter here; CAP_SYS_ADMIN counts for what it includes, too."""
    if in_user_namespace():
        return frozenset()
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", status.read_text(), re.MULTILINE)
    mask = int(match[1], 16) if match else 0
    names = {name for name, number in _NUMBERS.items() if mask >> number & 1}
    return frozenset(names | set(_ADMIN if "CAP_SYS_ADMIN" in names else ()))


def lacking(have: Iterable[str]) -> list[Privilege]:
    """Those that are not there."""
    return [one for one in PRIVILEGES if one.name not in set(have)]


def kernel_version(release: str = "") -> tuple[int, int] | None:
    """The two numbers of the running kernel's release, if it has them."""
    match = re.match(r"(\d+)\.(\d+)", release or os.uname().release)
    return (int(match[1]), int(match[2])) if match else None
