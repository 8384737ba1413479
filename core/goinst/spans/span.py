"""The span: what a decoder fills in and an exporter writes out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from goinst.spans.memory import Memory

__all__ = ["Clock", "DecodeContext", "Resource", "Span"]


@dataclass(frozen=True, slots=True)
class Resource:
    """The process a span comes from. ``attributes`` are OpenTelemetry resource attributes (service.name, process.*,
    host.*, container.id …), read only: all spans of the process share them; ``json`` is a JSON object, encoded once, of
    those that every line has."""

    attributes: Mapping[str, Any]
    json: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))


@dataclass(slots=True)
class Span:
    """One operation of the target.

    ``trace_id`` (128 bits), ``span_id`` and ``parent_span_id`` (64 bits; 0: none) are integers; ``start_ns`` is Unix
    time; ``kind`` and ``status`` are OpenTelemetry's words in lower case. ``truncated`` names attributes that were cut.
    ``children`` are more spans that a decoder made (the calls of a batch); they go out right behind this one, and also
    when the decoder sets ``dropped``, which keeps this one back. ``child`` makes one. ``partial``: it is still open,
    and lasts as long as it did when it was looked at; the same span comes again when it has ended. ``links`` are spans
    that it has to do with and that are not its parent, as (trace id, span id).
    """

    plugin: str
    name: str
    kind: str
    trace_id: int
    span_id: int
    parent_span_id: int
    start_ns: int
    duration_ns: int
    resource: Resource
    status: str = "unset"
    status_message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    truncated: list[str] = field(default_factory=list)
    dropped: bool = False
    children: tuple[Span, ...] = ()
    partial: bool = False
    links: tuple[tuple[int, int], ...] = ()

    def child(self, name: str, span_id: int) -> Span:
        """A span below this one, at the same time, for ``children``."""
        return Span(
            self.plugin, name, self.kind, self.trace_id, span_id, self.span_id, self.start_ns, self.duration_ns,
            self.resource,
        )  # fmt: skip


class Clock:
    """What spans have that is not in records. One for all decoders of a target; a recording keeps what it said for
    each batch, so that a replay makes the very same spans.

    ``wall`` is what to add to CLOCK_MONOTONIC to get Unix time, ``now`` the Unix time at which the batch was taken,
    both in ns; ``seed`` is where the batch's ids come from.
    """

    __slots__ = ("_random", "now", "seed", "wall")

    def __init__(self, wall: int = 0, now: int = 0, seed: int = 0) -> None:
        self.turn(wall, now, seed)

    def turn(self, wall: int, now: int, seed: int) -> None:
        """A new batch."""
        self.wall, self.now, self.seed = wall, now, seed
        self._random: random.Random | None = None

    def new_id(self, bits: int = 64) -> int:
        """An identifier for a span (64) or a trace (128); never 0."""
        if self._random is None:
            self._random = random.Random(self.seed)  # noqa: S311 - identifiers, no secrets
        return self._random.getrandbits(bits) or 1


def _to_nobody(name: str) -> None:
    """A signal where there are no probes, as in a test of a decoder."""


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """What a decoder may know beside the record: whether to redact, the plugin's options, and a counter of
    things it had to give up (``count("reason")``), shown to the user. ``state`` is the plugin's own, for what a decoder
    has to keep from one record to the next; it must bound what it keeps. ``clock`` gives the time and new ids: a
    decoder that asks the system for them instead makes other spans when a recording is replayed. ``memory`` reads the
    process of a span that is ``partial`` (and nothing else), ``fields`` are the offsets of the plugin's fields by
    macro, without those that the binary does not have. ``signal("name")`` gives a signal to the plugin's probes."""

    redact: bool
    options: Mapping[str, Any]
    count: Any
    state: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    memory: Memory = field(default_factory=Memory)
    fields: Mapping[str, int] = field(default_factory=dict)
    signal: Callable[[str], None] = _to_nobody
