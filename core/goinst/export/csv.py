"""Comma-separated values (RFC 4180), with a line of names first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from goinst.export.sink import Sink, SinkExporter, whole_lines
from goinst.export.table import COLUMNS, row
from goinst.spans.span import Span
from goinst.text import defused, escaped

__all__ = ["CsvExporter"]


class CsvExporter(SinkExporter):
    """A line a span. Cells that a spreadsheet would take for formulas, and control characters, are made harmless."""

    name = "csv"

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._sink.write(_lines([list(COLUMNS)]))

    def export(self, spans: Sequence[Span]) -> None:
        """Write the lines of a batch at once."""
        data = _lines([row(span) for span in spans])
        self.put(data, whole_lines(data))


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(
        [defused(escaped(value)) if isinstance(value, str) else value for value in row] for row in rows
    )
    return text.getvalue().encode()
