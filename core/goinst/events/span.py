"""The span: what a decoder fills in and an exporter writes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DecodeContext", "Resource", "Span"]


@dataclass(frozen=True, slots=True)
class Resource:
    """The process a span comes from. ``attributes`` are OpenTelemetry resource attributes (service.name,
    process.pid, process.executable.path); ``json`` is their JSON object, encoded once."""

    attributes: Mapping[str, Any]
    json: bytes


@dataclass(slots=True)
class Span:
    """One operation of the target.

    ``trace_id`` (128 bits), ``span_id`` and ``parent_span_id`` (64 bits; 0: none) are integers; ``start_ns`` is Unix
    time; ``kind`` and ``status`` are OpenTelemetry's words in lower case. ``truncated`` names attributes that were cut.
    ``children`` are more spans that a decoder made (the calls of a batch); they go out right behind this one, and also
    when the decoder sets ``dropped``, which keeps this one back. ``child`` makes one.
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

    def child(self, name: str, span_id: int) -> Span:
        """A span below this one, at the same time, for ``children``."""
        return Span(
            self.plugin, name, self.kind, self.trace_id, span_id, self.span_id, self.start_ns, self.duration_ns,
            self.resource,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """What a decoder may know beside the record: whether to redact, the plugin's options, and a counter of
    things it had to give up (``count("reason")``), shown to the user. ``state`` is the plugin's own, for what a decoder
    has to keep from one record to the next; it must bound what it keeps."""

    redact: bool
    options: Mapping[str, Any]
    count: Any
    state: dict[str, Any] = field(default_factory=dict)
