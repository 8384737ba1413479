"""One JSON object a line."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from goinst.export.encoding import CHUNK, Encoding, careful
from goinst.export.sink import Sink, SinkExporter, whole_lines
from goinst.spans.span import Span
from goinst.text import escaped_json

__all__ = ["JsonExporter"]

_NEWLINE = orjson.Fragment(b"\n")
_REFUSALS = (TypeError, OverflowError)  # orjson: lone surrogates, huge integers, foreign types


class JsonExporter(SinkExporter):
    """Encodes and writes some spans at a time. On a terminal nothing in them is for the terminal."""

    name = "json"
    wants_partial = True

    def __init__(self, sink: Sink, *, is_terminal: bool = False) -> None:
        super().__init__(sink)
        self._terminal = is_terminal
        self._encoding = Encoding(lambda resource: orjson.Fragment(resource.json))

    def export(self, spans: Sequence[Span]) -> None:
        """Write the spans out; one that JSON cannot hold as it is gets written in a form that it can."""
        for start in range(0, len(spans), CHUNK):
            chunk = spans[start : start + CHUNK]
            try:
                data = self._lines(chunk)
            except _REFUSALS:
                data = b"".join(map(self._line, chunk))
            if self._terminal:
                data = escaped_json(data)
            self.put(data, whole_lines(data), start)

    def _lines(self, spans: Sequence[Span]) -> bytes:
        """One call of the encoder for all: a call each costs three times as much. Newlines go in as elements of a
        JSON array; the encoder writes none by itself, so the commas around them are easily told."""
        elements: list[object] = []
        for members in self._encoding.members(spans):
            elements += (members, _NEWLINE)
        return orjson.dumps(elements)[1:-3].replace(b",\n,", b"\n") + b"\n"

    def _line(self, span: Span) -> bytes:
        try:
            return self._lines([span])
        except _REFUSALS:
            return orjson.dumps(careful(span), option=orjson.OPT_APPEND_NEWLINE)
