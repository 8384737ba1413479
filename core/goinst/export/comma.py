"""Comma-separated values (RFC 4180), with a line of names first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from goinst.events.span import Span
from goinst.export.base import Sink
from goinst.export.table import COLUMNS, row

__all__ = ["CsvExporter"]


class CsvExporter:
    """A line a span."""

    name = "csv"
    wants_spans = True

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._write([list(COLUMNS)])

    def _write(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._sink.write(text.getvalue().encode())

    def export(self, spans: Sequence[Span]) -> None:
        """Write the lines of a batch at once."""
        self._write([row(span) for span in spans])

    def count(self, n: int) -> None:
        """Counting is not this exporter's work."""

    def flush(self) -> None:
        """Nothing is held back."""
        self._sink.flush()

    def close(self) -> None:
        """Close the file."""
        self._sink.close()
