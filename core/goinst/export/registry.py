"""From ``--output`` to exporters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import BinaryIO

from goinst import __version__
from goinst.config import nearest
from goinst.errors import UsageError
from goinst.export.base import Exporter, OutputEnded
from goinst.export.sink import Sink
from goinst.patience import Patience

__all__ = ["FORMATS", "close_exporters", "open_exporters"]

FORMATS = {
    "json": "one JSON object a line",
    "console": "aligned text for people",
    "msgpack": "a stream of msgpack maps",
    "csv": "a table",
    "parquet": "a table for DuckDB, Spark, ClickHouse",
    "chrome-trace": "for Perfetto",
    "otel": "the OpenTelemetry API of this process",
    "none": "count only",
}
_WITH_PATH = ("json", "msgpack", "csv", "parquet", "chrome-trace")
_TO_STDOUT = ("json", "msgpack", "csv", "chrome-trace", "console")


def open_exporters(
    outputs: Sequence[str],
    *,
    stdout: BinaryIO,
    is_terminal: bool,
    prometheus: str = "",
    otlp: str | None = None,
    patience: Patience | None = None,
) -> list[Exporter]:
    """The exporters of ``FORMAT[:PATH]`` specifications; none given: console on a terminal, json otherwise, and
    none at all when there is ``prometheus``, the address of an endpoint for metrics, or ``otlp``, that of a Collector.

    A file is created or emptied. Everything is checked before the first file is touched: an unknown format, a
    path where none is taken, two outputs to stdout or to one file, an unwritable path are UsageErrors. ``patience``
    says how long they are waited for; without it, as long as it takes.
    """
    wanted = [_parse(text) for text in outputs]
    if not wanted and not prometheus and otlp is None:
        wanted = [("console" if is_terminal else "json", "")]
    places = [path or ("standard output" if name in _TO_STDOUT else name) for name, path in wanted]
    for place in places:
        if places.count(place) > 1:
            raise UsageError(f"--output: two outputs go to {place}; give one a file, as in --output json:spans.jsonl")
    with ExitStack() as opened:
        exporters: list[Exporter] = []
        store = None
        if prometheus or otlp is not None:
            from goinst.metrics import MetricStore

            store = MetricStore()
        for name, path in wanted:
            exporters.append(_open(name, path, stdout, is_terminal, patience))
            opened.callback(exporters[-1].close)
        if prometheus:
            from goinst.export.prometheus import PrometheusExporter

            exporters.append(PrometheusExporter(prometheus, store))
            opened.callback(exporters[-1].close)
        if otlp is not None:
            from goinst.export.otlp import OtlpExporter

            exporters.append(OtlpExporter(otlp, __version__, store, counts=not prometheus, patience=patience))
        opened.pop_all()
    return exporters


def close_exporters(exporters: Iterable[Exporter]) -> None:
    """Let go of all, whatever became of the run: what a run that came to its end had to say of them has been said."""
    for exporter in exporters:
        with suppress(OutputEnded):
            exporter.close()


def _parse(text: str) -> tuple[str, str]:
    name, colon, path = text.partition(":")
    if name not in FORMATS:
        raise UsageError(f"--output {text!r}: unknown format; {nearest(name, FORMATS)}")
    if colon and name not in _WITH_PATH:
        raise UsageError(f"--output {text!r}: {name} takes no file; {', '.join(_WITH_PATH)} do")
    if colon and not path:
        raise UsageError(f"--output {text!r}: a file name is missing behind the colon")
    return name, "" if path == "-" else path


def _open(name: str, path: str, stdout: BinaryIO, is_terminal: bool, patience: Patience | None) -> Exporter:
    # Each format's library is imported only for those who ask for it.
    if name == "none":
        from goinst.export.counter import CountExporter

        return CountExporter()
    if name == "otel":
        from goinst.export.otel import OtelExporter

        return OtelExporter()
    if name == "parquet":
        from goinst.export.parquet import ParquetExporter

        if not path:
            raise UsageError("--output parquet: it goes to a file: parquet:spans.parquet")
        return ParquetExporter(path)
    try:
        sink = Sink.open(path, patience) if path else Sink(stdout, "standard output", owned=False, waits=patience)
    except OSError as error:
        raise UsageError(f"--output {name}:{path}: {error.strerror}") from error
    if name == "msgpack":
        from goinst.export.msgpack import MsgpackExporter

        return MsgpackExporter(sink)
    if name == "console":
        from goinst.export.console import ConsoleExporter

        return ConsoleExporter(sink, is_terminal=is_terminal)
    if name == "csv":
        from goinst.export.csv import CsvExporter

        return CsvExporter(sink)
    if name == "chrome-trace":
        from goinst.export.chrome import ChromeExporter

        return ChromeExporter(sink)
    from goinst.export.json import JsonExporter

    return JsonExporter(sink, is_terminal=is_terminal and not path)
