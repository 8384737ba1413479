"""What this kernel lets this process do: tried, not looked up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goinst.errors import MachineError
from goinst.kernel import syscalls as kernel
from goinst.kernel import tracefs
from goinst.kernel.attach import attach, open_named_event
from goinst.kernel.privileges import held

__all__ = ["ATTACHING", "attached_by", "try_attaching", "try_features"]

ATTACHING = ("uprobe_multi", "perf events", "tracefs")
"""The ways to attach, the better ones first; the second and third are for kernels without the first."""

_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


def try_features() -> dict[str, bool | str]:
    """What `sys.probe_features` tries, and the ways to attach down to the one that works: True, or why not."""
    features = kernel.probe_features()
    for way in ATTACHING[1:]:
        if features["load"] is not True or True in (features.get(one) for one in ATTACHING):
            break
        features[way] = try_attaching(way)
    return features


def attached_by(features: dict[str, bool | str]) -> str:
    """The way that is taken; MachineError when there is none."""
    for way in ATTACHING:
        if features.get(way) is True:
            return way
    reasons = "; ".join(f"{way}: {features[way]}" for way in ATTACHING if way in features)
    raise MachineError(f"probes cannot be attached ({reasons}): run as root; `goinst doctor` says more")


def try_attaching(way: str) -> bool | str:
    """A probe in a file of one's own that nobody runs. True, or why it is refused."""
    with _scratch() as path:
        try:
            if way == "uprobe_multi":
                return _try_multi(path)
            if way == "perf events":
                os.close(kernel.open_perf_uprobe(path, 0))
                return True
            event, name = open_named_event(path, 0)
            os.close(event)
            tracefs.remove([name])
        except PermissionError as error:
            return _forbidden(way, error)
        except OSError as error:
            return error.strerror or str(error)
        except MachineError as error:
            return str(error)
        return True


def _try_multi(path: str) -> bool | str:
    program, multi = kernel.nothing_program()
    try:
        if not multi:
            return "Linux 6.6 has it"
        attachment = attach(path, [(program, [(0, 0)])], multi=True)
        attachment.close()
        return attachment.refused[0][1] if attachment.refused else True
    finally:
        os.close(program)


def _forbidden(way: str, error: OSError) -> str:
    """Why perf_event_open(2) is not allowed, and what would help."""
    if "CAP_SYS_ADMIN" in held():
        return f"{error.strerror}: a seccomp profile or a security module forbids it"
    try:
        paranoid = int(_PARANOID.read_text())
    except (OSError, ValueError):
        paranoid = 0
    if paranoid > 2:
        # Debian's and Ubuntu's patch: security,perf: Allow further restriction of perf_event_open
        return (
            f"kernel.perf_event_paranoid is {paranoid}, with which this distribution's kernel keeps perf events for"
            " CAP_SYS_ADMIN: add that, or sysctl -w kernel.perf_event_paranoid=2"
        )
    if way == "perf events":
        return "of uprobes they need CAP_SYS_ADMIN here, as on all kernels with the mend of CVE-2025-38466"
    return f"{error.strerror}: CAP_PERFMON is needed"


@contextmanager
def _scratch() -> Iterator[str]:
    """The path of a file in memory, one page long."""
    descriptor = os.memfd_create("goinst-try")
    try:
        os.write(descriptor, bytes(4096))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
