"""From ``--output`` to exporters: goinst's own, and those that plugins bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from goinst import __version__
from goinst.config import nearest
from goinst.diagnostics import get_logger
from goinst.errors import PluginError, UsageError
from goinst.export.base import OutputEnded
from goinst.export.guarded import GuardedExporter
from goinst.export.sink import Sink
from goinst.patience import Patience
from goinst.plugin.exporter import Exporter, Offer

__all__ = ["OWN", "Brought", "Format", "brought", "close_exporters", "formats", "open_exporters"]


class _Terms(NamedTuple):
    """What goinst's own exporters need beside a path."""

    stdout: BinaryIO
    is_terminal: bool
    patience: Patience | None


@dataclass(frozen=True, slots=True)
class Format:
    """What ``--output NAME`` means: in a few words, whether something may stand behind a colon, whether it goes to
    standard output else, and what opens it. ``plugin`` brings it; goinst itself when there is none."""

    name: str
    meaning: str
    open: Callable[[str, _Terms], Exporter]
    takes_place: bool = False
    to_stdout: bool = False
    plugin: str = ""


def open_exporters(
    outputs: Sequence[str],
    *,
    stdout: BinaryIO,
    is_terminal: bool,
    prometheus: str = "",
    otlp: str | None = None,
    patience: Patience | None = None,
) -> list[Exporter]:
    """The exporters of ``FORMAT[:PLACE]`` specifications; none given: console on a terminal, json otherwise, and
    none at all when there is ``prometheus``, the address of an endpoint for metrics, or ``otlp``, that of a Collector.

    A file is created or emptied. Everything is checked before the first file is touched: an unknown format, a
    place where none is taken, two outputs to stdout or to one file, an unwritable path are UsageErrors. ``patience``
    says how long they are waited for; without it, as long as it takes.
    """
    wanted = [_parse(text) for text in outputs]
    if not wanted and not prometheus and otlp is None:
        wanted = [(OWN["console" if is_terminal else "json"], "")]
    places = [_place(form, path) for form, path in wanted]
    for place in places:
        if places.count(place) > 1:
            raise UsageError(f"--output: two outputs go to {place}; give one a file, as in --output json:spans.jsonl")
    with ExitStack() as opened:
        exporters: list[Exporter] = []
        store = None
        if prometheus or otlp is not None:
            from goinst.metrics import MetricStore

            store = MetricStore()
        for form, path in wanted:
            exporters.append(form.open(path, _Terms(stdout, is_terminal, patience)))
            opened.callback(exporters[-1].close)
        if prometheus:
            from goinst.export.prometheus import PrometheusExporter

            exporters.append(PrometheusExporter(prometheus, store))
            opened.callback(exporters[-1].close)
        if otlp is not None:
            from goinst.export.otlp import OtlpExporter

            exporters.append(OtlpExporter(otlp, __version__, store, counts=not prometheus, patience=patience))
        opened.pop_all()
    for exporter in exporters:
        if exporter.caveat:
            get_logger().warning("note on an output", output=exporter.place, reason=exporter.caveat)
    return exporters


def close_exporters(exporters: Iterable[Exporter]) -> None:
    """Let go of all, whatever became of the run: what a run that came to its end had to say of them has been said."""
    for exporter in exporters:
        with suppress(OutputEnded):
            exporter.close()


class Brought(NamedTuple):
    """The outputs that all installed plugins bring; by name those that more than one brings, and why they cannot be
    used; and what else is wrong, by plugin: it cannot be loaded, its hook fails, or an output has the name of one of
    goinst's."""

    formats: dict[str, Format]
    taken: dict[str, str]
    problems: dict[str, str]

    def of(self, plugin: str) -> list[Format]:
        """What a plugin brings."""
        return [form for form in self.formats.values() if form.plugin == plugin]

    @property
    def wrong(self) -> list[str]:
        """All that is wrong, in words."""
        return [*self.problems.values(), *(f"--output {name}: {reason}" for name, reason in self.taken.items())]


def brought() -> Brought:
    """Ask all installed plugins."""
    from goinst.plugin.manager import PluginSet

    plugins = PluginSet.all()
    problems = {failure.plugin: str(failure) for failure in plugins.failures}

    def failed(failure: PluginError) -> None:
        problems[failure.plugin] = str(failure)

    offers = plugins.hooks.exporters(failed)
    found, taken = dict[str, Format](), dict[str, str]()
    for offer in offers:
        owners = sorted({one.plugin for one in offers if one.name == offer.name})
        if offer.name in OWN:
            words = f"its output {offer.name} has the name of one of goinst's"
            problems.setdefault(offer.plugin, f"plugin {offer.plugin}: {words}")
        elif len(owners) > 1:
            taken[offer.name] = f"the plugins {' and '.join(owners)} bring one of this name; uninstall all but one"
        else:
            found[offer.name] = _of(offer)
    return Brought(found, taken, problems)


def formats() -> dict[str, Format]:
    """All outputs by name."""
    return {**OWN, **brought().formats}


def _of(offer: Offer) -> Format:
    return Format(
        offer.name, offer.meaning, lambda place, _: GuardedExporter(offer, place), takes_place=True, plugin=offer.plugin
    )


def _place(form: Format, path: str) -> str:
    if form.plugin:
        return f"{form.name}:{path}" if path else form.name
    return path or ("standard output" if form.to_stdout else form.name)


def _parse(text: str) -> tuple[Format, str]:
    name, colon, path = text.partition(":")
    form = OWN.get(name) or _brought(name, text)
    if colon and not form.takes_place:
        files = ", ".join(one.name for one in OWN.values() if one.takes_place)
        raise UsageError(f"--output {text!r}: {name} takes no file; {files} do")
    if colon and not path:
        raise UsageError(f"--output {text!r}: a file name is missing behind the colon")
    return form, "" if path == "-" and not form.plugin else path


def _brought(name: str, text: str) -> Format:
    """A plugin's output. Those plugins are loaded only when somebody asks for what goinst does not have."""
    plugins = brought()
    if name in plugins.taken:
        raise UsageError(f"--output {text!r}: {plugins.taken[name]}")
    if name not in plugins.formats:
        hint = "".join(f"; {words}" for words in plugins.wrong)
        raise UsageError(f"--output {text!r}: unknown format; {nearest(name, [*OWN, *plugins.formats])}{hint}")
    for plugin, problem in plugins.problems.items():
        get_logger().warning("outputs of a plugin cannot be used", plugin=plugin, reason=problem)
    return plugins.formats[name]


# -- goinst's own: each one's library is imported only for those who ask for it ----------------------------------------


def _sink(name: str, path: str, terms: _Terms) -> Sink:
    try:
        if path:
            return Sink.open(path, terms.patience)
        return Sink(terms.stdout, "standard output", owned=False, waits=terms.patience)
    except OSError as error:
        raise UsageError(f"--output {name}:{path}: {error.strerror}") from error


def _json(path: str, terms: _Terms) -> Exporter:
    from goinst.export.json import JsonExporter

    return JsonExporter(_sink("json", path, terms), is_terminal=terms.is_terminal and not path)


def _console(path: str, terms: _Terms) -> Exporter:
    from goinst.export.console import ConsoleExporter

    return ConsoleExporter(_sink("console", path, terms), is_terminal=terms.is_terminal)


def _msgpack(path: str, terms: _Terms) -> Exporter:
    from goinst.export.msgpack import MsgpackExporter

    return MsgpackExporter(_sink("msgpack", path, terms))


def _csv(path: str, terms: _Terms) -> Exporter:
    from goinst.export.csv import CsvExporter

    return CsvExporter(_sink("csv", path, terms))


def _parquet(path: str, _: _Terms) -> Exporter:
    from goinst.export.parquet import ParquetExporter

    if not path:
        raise UsageError("--output parquet: it goes to a file: parquet:spans.parquet")
    return ParquetExporter(path)


def _chrome(path: str, terms: _Terms) -> Exporter:
    from goinst.export.chrome import ChromeExporter

    return ChromeExporter(_sink("chrome-trace", path, terms))


def _otel(_path: str, _: _Terms) -> Exporter:
    from goinst.export.otel import OtelExporter

    return OtelExporter()


def _none(_path: str, _: _Terms) -> Exporter:
    from goinst.export.counter import CountExporter

    return CountExporter()


OWN = {
    form.name: form
    for form in (
        Format("json", "one JSON object a line", _json, takes_place=True, to_stdout=True),
        Format("console", "aligned text for people", _console, to_stdout=True),
        Format("msgpack", "a stream of msgpack maps", _msgpack, takes_place=True, to_stdout=True),
        Format("csv", "a table", _csv, takes_place=True, to_stdout=True),
        Format("parquet", "a table for DuckDB, Spark, ClickHouse", _parquet, takes_place=True),
        Format("chrome-trace", "for Perfetto", _chrome, takes_place=True, to_stdout=True),
        Format("otel", "the OpenTelemetry API of this process", _otel),
        Format("none", "count only", _none),
    )
}
