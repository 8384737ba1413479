"""What a plan depends on beside plugins and binary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from goinst.sampling import EVERYTHING, Sampling

__all__ = ["PlanSettings", "Propagate"]

Propagate = Literal["", "write", "dry-run"]
"""Whether trace contexts are written into outgoing requests, or it is only said where."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """``filter_pids``: only processes that the programs are told of; else also those that nobody has looked at yet.

    ``lineage``: follow goroutines that are started inside an operation. ``count_only``: nobody wants more of spans than
    their number, so they are counted in the kernel. ``sample``: which traces are kept. ``ways``: the kernel has attach
    cookies (Linux 5.15), so that probes can move to another mount of the same file.
    """

    filter_pids: bool = True
    lineage: bool = True
    count_only: bool = False
    propagate: Propagate = ""
    sample: Sampling = EVERYTHING
    ways: bool = False
