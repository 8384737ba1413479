"""A Parquet file, for DuckDB, Spark, ClickHouse, pandas and the like; by pyarrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from goinst.errors import UsageError
from goinst.export.base import OutputEnded
from goinst.export.sink import output_failed
from goinst.export.table import COLUMNS, row
from goinst.extras import need
from goinst.plugin.exporter import Exporter
from goinst.spans.span import Span

__all__ = ["ParquetExporter"]

_GROUP = 50_000  # spans that are held in memory and written at once


class ParquetExporter(Exporter):
    """Writes groups of rows. The file can be read when it was closed, and only then: one that cannot be written to its
    end has nothing."""

    name = "parquet"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._given: Counter[str] = Counter()  # spans by plugin
        self._ended: OutputEnded | None = None
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
        try:
            self._writer: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")
        except OSError as error:
            raise output_failed(path, error) from error

    @property
    def place(self) -> str:
        """Format and file."""
        return f"{self.name} to {self._path}"

    def export(self, spans: Sequence[Span]) -> None:
        """Hold them until there are enough for a group."""
        if self._ended is not None:
            raise self._ended
        self._rows += map(row, spans)
        if len(self._rows) >= _GROUP:
            try:
                self._write(self._writer)
            except OSError as error:
                raise self._failed(error) from error
        self._given.update([span.plugin for span in spans])

    def _failed(self, error: OSError) -> OutputEnded:
        self._rows.clear()
        self._ended = output_failed(self._path, error)
        self.undone, self._given = self._given, Counter()
        self.losses["parquet.not_written"] += self.undone.total()
        return self._ended

    def _write(self, writer: Any) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            self._arrow.array(values, type=field.type) for values, field in zip(columns, self._schema, strict=True)
        ]
        writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        """Write what is held, and the file's end."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            if self._rows:
                self._write(writer)
            writer.close()
        except OSError as error:
            with suppress(OSError):
                writer.close()
            if self._ended is None:
                raise self._failed(error) from error
