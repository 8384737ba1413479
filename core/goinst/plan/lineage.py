"""The core's own probe: which operation a goroutine was started in. Planned only when there are client operations."""

from __future__ import annotations

import struct

from goinst.binary.facts import Facts
from goinst.golang.releases import ANY_LATER, GOROUTINE_IN_REGISTER
from goinst.plugin.protocol import Field, Fragment, Probe, Protocol, Site

__all__ = ["CONTEXT", "LINEAGE", "WORKERS", "worker_rows"]

_MADE = "runtime.newproc1"
_SINCE = (GOROUTINE_IN_REGISTER.since, ANY_LATER)

LINEAGE = Protocol(
    name="lineage",
    summary="which operation a goroutine was started in",
    hits="1 emulated hit for each goroutine that is started",
    fragments=(Fragment("lineage.bpf.c", package="goinst.bpf"),),
    fields={
        "G_M": Field("runtime.g", "m"),
        "G_STARTPC": Field("runtime.g", "startpc"),
        "G_CLOSURE": Field("runtime.g", "sched.ctxt"),
        "M_CURG": Field("runtime.m", "curg"),
    },
    probes=(
        Probe(
            "goinst_new_goroutine",
            # a function of its own that is called with the new g in newproc1, whichever is not inlined; else its RETs,
            # which are dear. Before 1.17 nothing there tells which g runs.
            (
                Site(_MADE, "gp *runtime.g, fixed bool", versions=_SINCE, callee="runtime.isSystemGoroutine"),
                Site(
                    _MADE, "gp *runtime.g, oldval uint32, newval uint32", versions=_SINCE, callee="runtime.casgstatus"
                ),
                Site(_MADE, "fn *int -> gp *runtime.g", versions=_SINCE, place="return"),
            ),
            place="call",
            lost="client spans of goroutines that a handler started have no parent",
        ),
    ),
    records=(),
)

CONTEXT = "context.Context"
"""The type by which a call may say whose work it is."""

WORKERS = "goinst_workers"
"""The map of bpf/lineage.bpf.c that says which functions make a goroutine a worker."""


def worker_rows(facts: Facts) -> tuple[tuple[bytes, bytes], ...]:
    """What is in that map for a binary. BinaryError when its code cannot be looked at."""
    return tuple((struct.pack("<Q", entry), struct.pack("<I", mark)) for entry, mark in facts.workers().items())
