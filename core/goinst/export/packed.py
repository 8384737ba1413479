"""A stream of msgpack maps with the members of the JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

from goinst.events.span import Resource, Span
from goinst.export.base import Sink
from goinst.export.jsonlines import careful, plain

__all__ = ["MsgpackExporter"]

_REFUSALS = (TypeError, ValueError, OverflowError)


class MsgpackExporter:
    """Packs each batch into one buffer and writes it with one system call."""

    name = "msgpack"
    wants_spans = True

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._packer = msgpack.Packer(autoreset=False)
        self._resource: Resource | None = None
        self._attributes: dict[str, Any] = {}

    def export(self, spans: Sequence[Span]) -> None:
        """Pack and write; a span that msgpack cannot hold as it is gets written in a form that it can."""
        try:
            for span in spans:
                self._packer.pack(self._members(span))
            data = self._packer.bytes()
        except _REFUSALS:  # the packer forgets its whole buffer then: once more, span by span
            data = b"".join(self._one(span) for span in spans)
        finally:
            self._packer.reset()
        if data:
            self._sink.write(data)

    def _members(self, span: Span) -> dict[str, Any]:
        if span.resource is not self._resource:
            self._resource = span.resource
            self._attributes = dict(span.resource.attributes)
        members = plain(span)
        members["resource"] = self._attributes
        return members

    def _one(self, span: Span) -> bytes:
        try:
            packed: bytes = msgpack.packb(self._members(span))
        except _REFUSALS:
            packed = msgpack.packb(careful(span))
        return packed

    def count(self, n: int) -> None:
        """Counting is not this exporter's work."""

    def flush(self) -> None:
        """Nothing is held back."""
        self._sink.flush()

    def close(self) -> None:
        """Close the file."""
        self._sink.close()
