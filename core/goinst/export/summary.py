"""What a run amounted to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from goinst.capture.aggregate import Table

__all__ = ["Summary"]


@dataclass(slots=True)
class Summary:
    """The end of a run, for the last line on standard error.

    ``spans`` went to the outputs; ``losses`` (``plugin.reason``) did not, or lack something; ``notes`` are worth a
    number and no loss; ``hits`` by probe; ``open`` had begun and not ended when the run did. ``partial`` reports of
    what was still open went out beside the spans. ``tables`` are what the kernel counted by value.
    """

    spans: int = 0
    exit_code: int = 0
    ended: str = ""
    seconds: float = 0.0
    open: int = 0
    partial: int = 0
    spans_by_plugin: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    ring_high_water: float = 0.0
    tables: list[tuple[Table, list[tuple[Any, int]]]] = field(default_factory=list)

    def fields(self, *, places: bool, live: bool = True) -> dict[str, Any]:
        """As the fields of a log line; without ``live``, those that a replay has."""
        fields: dict[str, Any] = {
            "spans": self.spans,
            "spans_by_plugin": dict(self.spans_by_plugin),
            "losses": dict(self.losses),
            "hits": dict(self.hits),
            "open": self.open,
            "seconds": round(self.seconds, 3),
            "ring_high_water": round(self.ring_high_water, 3),
            "ended": self.ended,
        }
        if not live:
            for name in ("hits", "open", "ring_high_water"):
                del fields[name]
        if self.partial:
            fields["partial"] = self.partial
        if self.notes:
            fields["notes"] = dict(self.notes)
        if places:
            fields["losses_by_place"] = dict(self.places)
        return fields
