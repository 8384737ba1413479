"""A Parquet file, for DuckDB, Spark, ClickHouse, pandas and the like; by pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goinst.errors import UsageError
from goinst.events.span import Span
from goinst.export.table import COLUMNS, row
from goinst.extras import need

__all__ = ["ParquetExporter"]

_GROUP = 50_000  # spans that are held in memory and written at once


class ParquetExporter:
    """Writes groups of rows; the file can be read when it was closed."""

    name = "parquet"
    wants_spans = True

    def __init__(self, path: str) -> None:
        what = f"--output parquet:{path}"
        self._arrow: Any = need("pyarrow", "parquet", what)
        parquet = need("pyarrow.parquet", "parquet", what)
        types = {int: self._arrow.int64(), str: self._arrow.string()}
        words = self._arrow.dictionary(self._arrow.int32(), self._arrow.string())
        few = ("service", "plugin", "name", "kind", "status", "resource")
        self._schema = self._arrow.schema(
            [
                (
                    name,
                    self._arrow.timestamp("ns", "UTC") if name == "start_ns" else words if name in few else types[kind],
                )
                for name, kind in COLUMNS.items()
            ]
        )
        self._rows: list[list[Any]] = []
        try:
            Path(path).open("wb").close()
        except OSError as error:
            raise UsageError(f"{what}: {error.strerror}") from error
        self._writer: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def export(self, spans: Sequence[Span]) -> None:
        """Hold them until there are enough for a group."""
        self._rows += map(row, spans)
        if len(self._rows) >= _GROUP:
            self._write()

    def _write(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            self._arrow.array(values, type=field.type) for values, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()

    def count(self, n: int) -> None:
        """Counting is not this exporter's work."""

    def flush(self) -> None:
        """A group is written when it is full, not before."""

    def close(self) -> None:
        """Write what is held, and the file's end."""
        if self._writer is None:
            return
        try:
            if self._rows:
                self._write()
        finally:
            self._writer.close()
            self._writer = None
