"""What a request says, where text goes: terminals, tables, /metrics. None of it drives who looks."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import orjson
import pytest

from goinst import Resource, Span
from goinst.capture.aggregate import Table
from goinst.capture.draw import draw_tables
from goinst.export import open_exporters
from goinst.metrics import MetricStore
from goinst.text import defused, escaped, escaped_json, printable

HOSTILE = "\x1b]0;x\x07\x00\r\n\x7f\x9b31m\u202egnp.exe\u2028"
RAW = [0, *range(1, 9), *range(11, 32), 0x7F]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"]


def span(text: str, **attributes: Any) -> Span:
    resource = {"service.name": text, "process.pid": 7}
    return Span(
        "web", text, "server", 1, 2, 0, 10**18, 5, Resource(resource, orjson.dumps(resource)), status_message=text,
        attributes={"http.request.method": text, "url.path": text, "rpc.method": text, "x": [text], **attributes},
        truncated=[text],
    )  # fmt: skip


def exported(form: str, *spans: Span, terminal: bool = False) -> bytes:
    out = io.BytesIO()
    (exporter,) = open_exporters([form], stdout=out, is_terminal=terminal)
    exporter.export(spans)
    exporter.close()
    return out.getvalue()


def harmless(data: bytes) -> None:
    text = data.decode()
    assert not [char for char in text if ord(char) in RAW or 0x80 <= ord(char) < 0xA0 or char in "\u202e\u2028"]


@pytest.mark.parametrize("form", ["csv", "console", "json"])
def test_no_control_characters(form: str) -> None:
    data = exported(form, span(HOSTILE), terminal=form != "csv")
    harmless(data.replace(b"\r\n", b"\n") if form == "csv" else data.replace(b"\x1b[", b""))
    assert data.count(b"\n") == (2 if form == "csv" else 1)
    if form == "json":
        (line,) = data.splitlines()
        assert json.loads(line) == json.loads(exported("json", span(HOSTILE)))
        assert json.loads(line)["name"] == HOSTILE


@pytest.mark.parametrize("text", FORMULAS)
def test_no_formulas_in_tables(text: str) -> None:
    names, cells = csv.reader(io.StringIO(exported("csv", span(text)).decode()))
    row = dict(zip(names, cells, strict=True))
    assert not [name for name, cell in row.items() if cell and defused(cell) != cell]
    shown = escaped(text)  # a tab is none any more then
    assert row["url_path"] == (shown if shown[0] == "\\" else f"'{text}")
    assert row["duration_ns"] == "5"


def test_ordinary_text_is_as_it_was() -> None:
    for text in ("GET /a?b=c", "caf\xe9 \N{SNOWMAN} 漢字", "a=b", r"C:\x1b", ""):
        assert escaped(text) == defused(text) == printable(text) == text
    assert escaped_json('"é漢"'.encode()) == '"é漢"'.encode()


def test_metrics_have_no_control_characters_and_no_series_twice() -> None:
    """Different texts may come out alike: they are one series then."""
    pytest.importorskip("prometheus_client")
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    from goinst.export.prometheus import _Collector

    store = MetricStore()
    made = [span(text, **{"http.request.method": "GET"}) for text in ("a\x1b", "a\\x1b", "b\r", HOSTILE)]
    for one in made:
        del one.attributes["rpc.method"], one.attributes["x"]
        one.attributes["http.route"] = one.attributes.pop("url.path")
    store.add(made)
    store.telemetry.hits[f"main.{HOSTILE}"] = 1
    registry = CollectorRegistry()
    registry.register(_Collector(store))  # type: ignore[arg-type]
    data = generate_latest(registry)
    harmless(data)
    samples = [
        (sample.name, tuple(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(data.decode())
        for sample in family.samples
    ]
    assert len({sample[:2] for sample in samples}) == len(samples)
    counts = {
        dict(labels)["http_route"]: value for name, labels, value in samples if name.endswith("duration_seconds_count")
    }
    assert counts["a\\x1b"] == 2
    assert sum(counts.values()) == 4


def test_what_is_counted_by_value() -> None:
    out = io.StringIO()
    table = Table("", "count", f"label{HOSTILE}", "", True, "")
    draw_tables([(table, [(HOSTILE, 3)])], out)
    harmless(out.getvalue().encode())
