"""Who takes records as they come out of the ring, before they are spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from goinst.errors import GoinstError
from goinst.plugin.layout import Layout
from goinst.spans.span import Clock, Resource

__all__ = ["Observer", "Source", "Tap", "Telemetry"]


@dataclass(frozen=True, slots=True)
class Source:
    """One executable whose records are taken: what is needed to decode them elsewhere, at another time.

    ``binary`` is what it says of itself (golang.model.BinaryInfo), ``plan`` the decisions in words, ``options`` those
    of each plugin; ``resource`` describes a process, as it does for the spans.
    """

    executable: str
    binary: Mapping[str, Any]
    plan: str
    plugins: tuple[str, ...]
    layouts: tuple[Layout, ...]
    options: Mapping[str, Mapping[str, Any]]
    resource: Callable[[int], Resource]
    redact: bool


@dataclass(slots=True)
class Telemetry:
    """How goinst itself does, since the beginning.

    ``spans`` by plugin, ``losses`` as ``plugin.reason``, ``hits`` by probe; ``open`` operations by (plugin, record,
    name of their metric or nothing); ``program_ns`` and ``program_runs`` by BPF program, when the kernel counts them
    (sysctl kernel.bpf_stats_enabled=1); ``ring`` is how full the fullest ring is, ``ring_high_water`` the most that it
    ever was, from 0 to 1.
    """

    spans: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    open: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    program_ns: Counter[str] = field(default_factory=Counter)
    program_runs: Counter[str] = field(default_factory=Counter)
    ring: float = 0.0
    ring_high_water: float = 0.0


class Tap(Protocol):
    """Sees every batch of one source. ``slab`` is what the ring holds of it (see ``events.ring.Slab``), valid only
    during the call; ``records`` are the places of the records in the ring's ``data``."""

    def batch(self, slab: memoryview, data: memoryview, records: Sequence[tuple[int, int]], clock: Clock) -> None:
        """A batch. Nothing is raised for one that cannot be taken: ``Observer.ended`` says so."""


class Observer(Protocol):
    """Sees a run from below: the records of every source, and how the run does. ``ended``: why it takes no more; the
    last batch that it was shown then was not taken, either."""

    ended: GoinstError | None

    def source(self, source: Source) -> Tap:
        """A source begins: who takes its batches."""

    def telemetry(self, telemetry: Telemetry) -> None:
        """Called about once a second, and when the run has ended."""
