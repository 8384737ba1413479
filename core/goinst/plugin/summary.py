"""What a run amounted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

__all__ = ["Summary"]


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run, for the last line on standard error and for the plugins' hooks; read only.

    ``spans`` went to the outputs, ``spans_by_plugin`` says whose; ``losses`` (``plugin.reason``) did not, or lack
    something, ``places`` says where in the BPF text; ``notes`` are worth a number and no loss; ``hits`` by probe;
    ``open`` had begun and not ended when the run did. ``partial`` reports of what was still open went out beside the
    spans. ``ended`` is why, ``seconds`` how long it took, ``exit_code`` what becomes of the command;
    ``ring_high_water`` the most that ever waited in a ring, from 0 to 1.
    """

    spans: int = 0
    exit_code: int = 0
    ended: str = ""
    seconds: float = 0.0
    open: int = 0
    partial: int = 0
    spans_by_plugin: Mapping[str, int] = field(default_factory=dict)
    losses: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    hits: Mapping[str, int] = field(default_factory=dict)
    ring_high_water: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if isinstance(value := getattr(self, each.name), Mapping):
                object.__setattr__(self, each.name, MappingProxyType(dict(value)))

    def fields(self, *, places: bool, live: bool = True) -> dict[str, Any]:
        """As the fields of a log line; without ``live``, those that a replay has."""
        members: dict[str, Any] = {
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
                del members[name]
        if self.partial:
            members["partial"] = self.partial
        if self.notes:
            members["notes"] = dict(self.notes)
        if places:
            members["losses_by_place"] = dict(self.places)
        return members
