"""A stream of msgpack maps with the members of the JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgpack
import orjson
import ormsgpack

from goinst.export.encoding import CHUNK, Encoding, careful
from goinst.export.sink import Sink, SinkExporter
from goinst.spans.span import Span

__all__ = ["MsgpackExporter"]

_SHORT = 16  # the header of an array is one byte up to here, and three up to 65535 (msgpack's specification)
_REFUSALS = (TypeError, ValueError, OverflowError)  # ormsgpack.MsgpackEncodeError is a TypeError


class MsgpackExporter(SinkExporter):
    """Packs and writes some spans at a time."""

    name = "msgpack"
    wants_partial = True

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._encoding = Encoding(lambda resource: orjson.loads(resource.json))

    def export(self, spans: Sequence[Span]) -> None:
        """Write the spans out; one that msgpack cannot hold as it is gets written in a form that it can."""
        for start in range(0, len(spans), CHUNK):
            chunk = spans[start : start + CHUNK]
            try:
                data = self._maps(chunk)
            except _REFUSALS:
                data = b"".join(map(self._map, chunk))
            self.put(data, partial(_whole, data), start)

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


def _whole(data: bytes, written: int) -> tuple[int, int]:
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data[:written])
    spans, end = 0, 0
    for _ in unpacker:
        spans, end = spans + 1, unpacker.tell()
    return spans, end
