"""The core's own probe: a process begins. Planned where processes are traced that nobody has looked at before."""

from __future__ import annotations

from goinst.plugin.protocol import Fragment, Probe, Protocol, Site

__all__ = ["BEGAN"]

BEGAN = Protocol(
    name="process",
    summary="processes that begin",
    hits="1 emulated hit for each process",
    fragments=(Fragment("process.bpf.c", package="goinst.bpf"),),
    probes=(
        # runtime/os_linux.go, Go 1.16 to 1.27: called once by runtime.args, before the scheduler is there
        Probe(
            "goinst_process_began",
            (Site("runtime.sysargs", "argc int32, argv **uint8"),),
            optional=True,
            lost="what processes that live for milliseconds say of themselves (OTEL_SERVICE_NAME, container)",
        ),
    ),
    losses={"process_began_unseen": "the ring buffer was full when a process began: its spans may name another one"},
)
