"""What the kernel allows: BPF at all, and writing into a process (bpf_probe_write_user, for ``--propagate``)."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goinst.kernel.features import attached_by, try_features
from goinst.kernel.privileges import held, lacking
from goinst.kernel.refusal import refused
from goinst.plan.settings import Propagate

__all__ = ["LOCKDOWN", "allowed_propagation", "lockdown_mode", "usable_features", "why_not"]

LOCKDOWN = Path("/sys/kernel/security/lockdown")


def usable_features(log: Any) -> tuple[dict[str, bool | str], str]:
    """The features that were tried (features.try_features), and the way to attach. MachineError when no program can be
    loaded or attached; what is lost for want of a capability is told ``log``."""
    features = try_features()
    if features["load"] is not True:
        number = next((number for number in errno.errorcode if os.strerror(number) == features["load"]), 0)
        raise refused(OSError(number, str(features["load"])), "load BPF programs")
    way = attached_by(features)
    for one in lacking(held()):
        log.warning("capability missing", capability=one.name, needed_for=one.purpose, lost=one.without)
    return features, way


def allowed_propagation(wanted: Propagate, features: Mapping[str, bool | str], log: Any) -> Propagate:
    """What of ``wanted`` this kernel allows; when that is less, ``log`` is told why."""
    reason = why_not(features["write_user"]) if wanted == "write" else ""
    if not reason:
        return wanted
    log.warning("trace contexts are not written", reason=reason, lost="traces end at these programs")
    return ""


def lockdown_mode(path: Path = LOCKDOWN) -> str:
    """``none``, ``integrity`` or ``confidentiality``; ``absent`` when the kernel has none or securityfs is not mounted;
    ``unreadable``. The mode in force is the one in brackets (security/lockdown/lockdown.c, lockdown_read)."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return "absent"
    except OSError:
        return "unreadable"
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else "none"


def why_not(tried: bool | str, path: Path = LOCKDOWN) -> str:
    """Why trace contexts cannot be written into requests, in one line; empty when they can.

    ``tried``: True if a program with the helper was loaded, or the error when it was not (sys.probe_features).
    """
    if tried is True:
        return ""
    mode = lockdown_mode(path)
    if mode in ("integrity", "confidentiality"):
        return (
            f"the kernel is locked down ({path}: {mode}), so no BPF program may write into a process; boot without"
            " lockdown= (and, on most distributions, without Secure Boot) if traces must go on downstream"
        )
    hint = {
        "absent": f"as one that is locked down does, and {path} cannot say (mount -t securityfs none"
        " /sys/kernel/security shows it)",
        "unreadable": f"{path} cannot be read",
        "none": "it is not locked down: CAP_SYS_ADMIN is needed, or the kernel is built without the helper",
    }[mode]
    return f"the kernel refuses bpf_probe_write_user ({tried}); {hint}"
