"""A stream of msgpack maps with the members of the JSON lines."""

from __future__ import annotations

from collections.abc import Sequence

import msgpack
import orjson
import ormsgpack

from goinst.events.span import Span
from goinst.export.base import Sink
from goinst.export.members import CHUNK, Encoding, careful

__all__ = ["MsgpackExporter"]

_SHORT = 16  # the header of an array is one byte up to here, and three up to 65535 (msgpack's specification)
_REFUSALS = (TypeError, ValueError, OverflowError)  # ormsgpack.MsgpackEncodeError is a TypeError


class MsgpackExporter:
    """Packs and writes some spans at a time."""

    name = "msgpack"
    wants_spans = True
    wants_partial = True

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._encoding = Encoding(lambda resource: orjson.loads(resource.json))

    def export(self, spans: Sequence[Span]) -> None:
        """Write the spans out; one that msgpack cannot hold as it is gets written in a form that it can."""
        for start in range(0, len(spans), CHUNK):
            chunk = spans[start : start + CHUNK]
            try:
                data = self._maps(chunk)
            except _REFUSALS:
                data = b"".join(map(self._map, chunk))
            self._sink.write(data)

    def _maps(self, spans: Sequence[Span]) -> bytes:
        # a third of the time that msgpack's own packer takes for such maps; an array of some is its header and the maps
        data = ormsgpack.packb(self._encoding.members(spans))
        return data[1 if len(spans) < _SHORT else 3 :]

    def _map(self, span: Span) -> bytes:
        try:
            return self._maps([span])
        except _REFUSALS:
            data: bytes = msgpack.packb(careful(span))
            return data

    def count(self, n: int) -> None:
        """Counting is not this exporter's work."""

    def flush(self) -> None:
        """Nothing is held back."""
        self._sink.flush()

    def close(self) -> None:
        """Close the file."""
        self._sink.close()
