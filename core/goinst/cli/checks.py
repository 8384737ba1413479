"""What ``goinst doctor`` looks at: each check says what it found and what to do about it."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from goinst.errors import GoinstError
from goinst.kernel.features import ATTACHING, try_attaching
from goinst.kernel.privileges import OLDEST_KERNEL, held, in_user_namespace, kernel_version, lacking

__all__ = ["CHECKS", "Check", "run_checks"]

Verdict = Literal["ok", "warn", "fail"]

_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO, include/linux/proc_ns.h
_MULTI_KERNEL = (6, 6)
_OLDEST = ".".join(map(str, OLDEST_KERNEL))
_AS_ROOT = "run goinst as root (sudo), or with the capabilities that docs/FLEET.md lists"
_BCC_ADVICE = (
    "install the distribution's package (Debian, Ubuntu: sudo apt install python3-bpfcc), and make the"
    " environment with /usr/bin/python3 -m venv --system-site-packages (make venv does)"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor. ``advice`` is empty when there is nothing to do."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def run_checks() -> Iterator[Check]:
    """Every check in turn; one that fails by itself is a finding, not an end."""
    for name, look in CHECKS.items():
        try:
            verdict, found, advice = look()
        except (OSError, ValueError, GoinstError) as error:
            verdict, found, advice = "warn", f"could not be checked: {error}", ""
        yield Check(name, verdict, found, advice)


_Finding = tuple[Verdict, str, str]


def _kernel() -> _Finding:
    release, version = os.uname().release, kernel_version()
    if version is None or os.uname().sysname != "Linux":
        return "fail", f"{os.uname().sysname} {release}", f"goinst runs on Linux {_OLDEST} or later"
    if version < OLDEST_KERNEL:
        return "fail", f"Linux {release}", f"Linux {_OLDEST} or later is needed: older ones were never tried"
    if version < _MULTI_KERNEL:
        return "ok", f"Linux {release}; 6.6 would attach faster, and need fewer privileges", ""
    return "ok", f"Linux {release}", ""


def _architecture() -> _Finding:
    machine = os.uname().machine
    if machine not in ("x86_64", "aarch64") or sys.maxsize < 2**32:
        return (
            "fail",
            f"{machine}, {'64' if sys.maxsize > 2**32 else '32'}-bit Python",
            "x86_64 or aarch64 is needed",
        )
    return "ok", machine, ""


def _privileges() -> _Finding:
    if in_user_namespace():
        return "fail", "of a user namespace (a rootless container): they do not count here", _AS_ROOT
    have = held()
    who = f"uid {os.geteuid()} with {', '.join(sorted(have)) or 'none of the capabilities'}"
    missing = lacking(have)
    if any(one.required for one in missing):
        return "fail", who, _AS_ROOT
    if missing:
        return "warn", who, "; ".join(f"without {one.name} {one.without}" for one in missing)
    return "ok", who, ""


def _namespace() -> _Finding:
    link = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    if link == f"pid:[{_FIRST_PID_NAMESPACE}]":
        return "ok", "goinst sees the machine's own process numbers", ""
    return (
        "fail",
        f"goinst runs in a container's process namespace ({link}), whose numbers are not the kernel's",
        "run it on the host, or give the container the host's processes (docker run --pid=host)",
    )


@cache
def _features() -> dict[str, bool | str]:
    from goinst.kernel.syscalls import probe_features

    return probe_features()


def _tried(feature: str, works: str, advice: str, otherwise: Verdict = "fail") -> _Finding:
    answer = _features().get(feature, "not tried")
    if answer is True:
        return "ok", works, ""
    return otherwise, f"tried: {answer}", advice


def _load() -> _Finding:
    return _tried(
        "load",
        "a BPF program was loaded",
        f"{_AS_ROOT}; in a container also seccomp must allow bpf(2) (docker run --privileged)",
    )


def _ring_buffer() -> _Finding:
    return _tried("ring_buffer", "a ring buffer was made", f"{_AS_ROOT}; Linux 5.8 and later have it")


def _attaching() -> _Finding:
    """Each way to attach, tried on a file of one's own; the first that works is taken."""
    if _features().get("load") is not True:
        return "fail", "not tried: no program can be loaded", ""
    tried = {way: try_attaching(way) for way in ATTACHING}
    used = next((way for way in ATTACHING if tried[way] is True), "")
    refused = "; ".join(f"{way}: {why}" for way, why in tried.items() if why is not True)
    if not used:
        return "fail", f"tried: {refused}", "one of them must work: run goinst as root"
    if used == ATTACHING[0]:
        return "ok", "by uprobe_multi: probes attach and detach at once", ""
    found = f"by {used}: start and end take longer" + (f" (tried: {refused})" if refused else "")
    return "warn", found, "nothing; Linux 6.6 and later have uprobe_multi"


def _bcc() -> _Finding:
    script = "import bcc; print(getattr(bcc, '__version__', '?')); print(bcc.__file__); bcc.BPF"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return "fail", "importing bcc did not end within 60 s", _BCC_ADVICE
    words = done.stdout.split("\n")
    if done.returncode == 0:
        return "ok", f"bcc {words[0]} from {Path(words[1]).parent}", ""
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    if "has no attribute 'BPF'" in last:
        return (
            "fail",
            f"{words[1]} is not the BPF Compiler Collection but an unrelated package of that name from PyPI",
            f"pip uninstall bcc; {_BCC_ADVICE}",
        )
    return "fail", f"{sys.executable} cannot import it: {last}", _BCC_ADVICE


def _compiler() -> _Finding:
    from goinst.kernel.compiler import Compiler

    compiler = Compiler()
    try:
        compiler.compile("int goinst_try(void *ctx) { return 0; }\n")
    except GoinstError as error:
        return "fail", str(error), "goinst doctor's line on bcc, if that is ok: reinstall python3-bpfcc"
    finally:
        compiler.close()
    return "ok", "a small BPF program was compiled (no kernel headers needed)", ""


def _propagation() -> _Finding:
    from goinst.run.permissions import why_not

    reason = why_not(_features().get("write_user", "not tried"))
    if not reason:
        return "ok", "programs may write into a target's requests (goinst run --propagate)", ""
    return "warn", reason, "nothing, unless you want --propagate: tracing itself does not need it"


def _lockdown(path: Path = Path("/sys/kernel/security/lockdown")) -> _Finding:
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return "ok", "this kernel has none, or securityfs is not mounted", ""
    except PermissionError:
        return "warn", f"{path} cannot be read", _AS_ROOT
    match = re.search(r"\[(\w+)\]", text)
    mode = match[1] if match else "none"
    if mode == "confidentiality":
        return (
            "warn",
            "confidentiality: BPF may not read kernel memory; goinst's own programs read only the target's",
            "plugins that read kernel memory need lockdown=integrity on the kernel command line, or none",
        )
    found = "integrity: no program may write into a target" if mode == "integrity" else mode
    return "ok", found, ""


def _memory() -> _Finding:
    version = kernel_version()
    if version is not None and version >= (5, 11):
        return "ok", "BPF memory is accounted to the control group (Linux 5.11 and later)", ""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY or os.geteuid() == 0:
        return "ok", "unlimited, or can be raised", ""
    return "warn", f"{soft // 1024} KiB may be locked", "ulimit -l unlimited, or run goinst as root"


def _files() -> _Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard in (resource.RLIM_INFINITY, -1) or hard >= 256:  # the soft limit is raised to it
        return "ok", f"{'any number of' if hard == resource.RLIM_INFINITY else hard} descriptors", ""
    return (
        "warn",
        f"only {hard} descriptors; one program with all plugins takes about 100",
        "as root: ulimit -Hn 1024; of a service LimitNOFILE=1024, of a container --ulimit nofile=1024",
    )


def _cache() -> _Finding:
    from goinst.cache import Cache

    cache = Cache.default()
    if cache.problem:
        return "warn", cache.problem, "put it right, set XDG_CACHE_HOME, or live with slower starts"
    try:
        with tempfile.TemporaryFile(dir=cache.folder):
            pass
    except OSError as error:
        return "warn", f"{cache.folder}: {error.strerror}", "free space there, or live with slower starts"
    return "ok", f"{cache.folder} is writable", ""


CHECKS: dict[str, Callable[[], _Finding]] = {
    "kernel": _kernel,
    "architecture": _architecture,
    "privileges": _privileges,
    "process namespace": _namespace,
    "load a program": _load,
    "ring buffer": _ring_buffer,
    "attaching": _attaching,
    "bcc": _bcc,
    "compiler": _compiler,
    "lockdown": _lockdown,
    "trace context out": _propagation,
    "locked memory": _memory,
    "open files": _files,
    "cache": _cache,
}
