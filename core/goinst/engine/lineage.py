"""The core's own probe: which operation a goroutine was started in. Planned only when there are client operations."""

from __future__ import annotations

from goinst.plugin.declare import Field, Fragment, Probe, Protocol, Site

__all__ = ["LINEAGE"]

LINEAGE = Protocol(
    name="lineage",
    summary="which operation a goroutine was started in",
    hits="1 emulated hit for each goroutine that is started",
    fragments=(Fragment("lineage.bpf.c", package="goinst.bpf"),),
    fields={"G_M": Field("runtime.g", "m"), "M_CURG": Field("runtime.m", "curg")},
    probes=(
        Probe(
            "goinst_new_goroutine",
            # func casgstatus(gp *g, oldval, newval uint32); before 1.17 nothing at the call tells which g runs
            (
                Site(
                    "runtime.newproc1",
                    "gp *runtime.g, oldval uint32, newval uint32",
                    versions=((1, 17), (1, 99)),
                    callee="runtime.casgstatus",
                ),
            ),
            place="call",
            lost="client spans of goroutines that a handler started have no parent",
        ),
    ),
    records=(),
    losses={"lineage_too_deep": "a goroutine more than 4 generations below the operation that it belongs to"},
)
