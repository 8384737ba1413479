"""What the outputs write."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TracerProvider

from goinst.diagnostics import Log, configure
from goinst.errors import GoinstError, UsageError
from goinst.export import OutputClosed, open_exporters
from goinst.export.console import ConsoleExporter, duration
from goinst.export.otel import OtelExporter
from goinst.export.pipeline import Pipeline
from goinst.export.sink import Sink
from goinst.plugin.manager import PluginSet
from goinst.spans.span import Resource, Span
from recordings import write_shop

RESOURCE = Resource(
    attributes={"service.name": "demo", "process.pid": 42, "process.executable.path": "/srv/demo"},
    json=b'{"service.name":"demo","process.pid":42,"process.executable.path":"/srv/demo"}',
)


def make_span(**changes: Any) -> Span:
    members: dict[str, Any] = {
        "plugin": "web",
        "name": "GET /ping",
        "kind": "server",
        "trace_id": 0xABC,
        "span_id": 0xDEF,
        "parent_span_id": 0,
        "start_ns": 1_714_978_089_000_000_123,
        "duration_ns": 1_234_567,
        "resource": RESOURCE,
        "attributes": {"http.response.status_code": 200, "url.path": "/ping"},
    }
    return Span(**{**members, **changes})


def exported(spec: str, *spans: Span) -> bytes:
    stream = io.BytesIO()
    (exporter,) = open_exporters([spec], stdout=stream, is_terminal=False)
    exporter.export(spans)
    exporter.close()
    return stream.getvalue()


def test_a_json_line_is_as_documented() -> None:
    assert exported("json", make_span()).decode() == (
        '{"timestamp":"2024-05-06T06:48:09.000000123Z","event":"span","plugin":"web","name":"GET /ping",'
        '"kind":"server","trace_id":"00000000000000000000000000000abc","span_id":"0000000000000def",'
        '"parent_span_id":null,"duration_ns":1234567,"status":"unset",'
        '"resource":{"service.name":"demo","process.pid":42,"process.executable.path":"/srv/demo"},'
        '"attributes":{"http.response.status_code":200,"url.path":"/ping"}}\n'
    )


def test_parent_truncation_and_message_are_there_when_they_say_something() -> None:
    span = make_span(parent_span_id=7, truncated=["url.path"], status="error", status_message="boom")
    line = json.loads(exported("json", span))
    assert line["parent_span_id"] == "0000000000000007"
    assert line["truncated"] == ["url.path"]
    assert line["status_message"] == "boom"


def test_timestamps_follow_the_second_of_each_span() -> None:
    starts = [1_714_978_089_999_999_999, 1_714_978_090_000_000_000, 1_714_978_089_000_000_000, 0]
    lines = exported("json", *(make_span(start_ns=start) for start in starts)).splitlines()
    assert [json.loads(line)["timestamp"] for line in lines] == [
        "2024-05-06T06:48:09.999999999Z",
        "2024-05-06T06:48:10.000000000Z",
        "2024-05-06T06:48:09.000000000Z",
        "1970-01-01T00:00:00.000000000Z",
    ]


def test_each_span_has_its_own_resource() -> None:
    other = Resource(attributes={"service.name": "other"}, json=b'{"service.name":"other"}')
    spans = (make_span(), make_span(resource=other), make_span())
    lines = [json.loads(line) for line in exported("json", *spans).splitlines()]
    assert [line["resource"]["service.name"] for line in lines] == ["demo", "other", "demo"]
    maps = list(msgpack.Unpacker(io.BytesIO(exported("msgpack", *spans))))
    assert [one["resource"]["service.name"] for one in maps] == ["demo", "other", "demo"]


AWKWARD: list[dict[str, Any]] = [
    {"name": "lone \ud800 surrogate"},
    {"attributes": {"a\udcff": "b\udcff", "ok": 1}},
    {"attributes": {"big": 2**70, "small": -(2**70), "ok": 1}},
    {"attributes": {"object": object(), "nested": {"x": [1, b"\xff", (2, None)]}, "ok": 1}},
    {"attributes": {"nan": float("nan"), "object": object(), "ok": 1}},
    {"trace_id": 2**130 + 5, "span_id": -1},
]


@pytest.mark.parametrize("changes", AWKWARD)
@pytest.mark.parametrize("spec", ["json", "msgpack"])
def test_an_awkward_span_is_written_all_the_same(changes: dict[str, Any], spec: str) -> None:
    data = exported(spec, make_span(name="before"), make_span(**changes), make_span(name="after"))
    if spec == "json":
        spans = [json.loads(line, parse_constant=pytest.fail) for line in data.decode("utf-8").splitlines()]
    else:
        spans = list(msgpack.Unpacker(io.BytesIO(data)))
    assert len(spans) == 3
    assert (spans[0]["name"], spans[2]["name"]) == ("before", "after")
    assert spans[1]["resource"]["process.pid"] == 42
    assert len(spans[1]["trace_id"]) == 32
    assert len(spans[1]["span_id"]) == 16
    if "ok" in changes.get("attributes", {}):
        assert spans[1]["attributes"]["ok"] == 1


def test_msgpack_has_the_members_of_the_json_line() -> None:
    span = make_span(parent_span_id=9, truncated=["x"])
    assert msgpack.unpackb(exported("msgpack", span)) == json.loads(exported("json", span))


def test_the_console_aligns_and_tells_errors() -> None:
    spans = [
        make_span(),
        make_span(
            name="POST /a/longer/path", status="error", status_message="panic", duration_ns=999,
            attributes={"http.response.status_code": 500, "client.address": "::1", "client.port": 9},
        ),
    ]  # fmt: skip
    lines = exported("console", *spans).decode().splitlines()
    assert len(lines) == 2
    assert lines[0].index("GET /ping") == lines[1].index("POST /a/longer/path")
    assert lines[0].index(" 200 ") == lines[1].index(" 500 ")
    assert "1.23ms" in lines[0]
    assert "[::1]:9" in lines[1]
    assert "panic" in lines[1]
    assert "\x1b" not in lines[0] + lines[1]


def test_the_console_is_safe_from_what_targets_say() -> None:
    text = exported("console", make_span(name="GET /\x1b]0;owned\x07\n", attributes={"a": "\x1b[2J\r"})).decode()
    assert text.count("\n") == 1
    assert not set(text) & {"\x1b", "\x07", "\r"}


@pytest.mark.parametrize(("no_colour", "expected"), [("", True), ("1", False)])
def test_colour_is_for_terminals_without_no_color(
    monkeypatch: pytest.MonkeyPatch, no_colour: str, expected: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("TERM", "xterm")
    stream = io.BytesIO()
    exporter = ConsoleExporter(Sink(stream, "test", owned=False), is_terminal=True)
    exporter.export([make_span(status="error")])
    assert (b"\x1b[31m" in stream.getvalue()) is expected


def test_durations_are_short() -> None:
    values = [0, 999, 1_000, 9_999, 12_345, 999_499, 999_500, 1_000_000, 99_999_999, 999_999_999, 61_000_000_000]
    assert [duration(ns) for ns in values] == [
        "0ns", "999ns", "1.00µs", "10.0µs", "12.3µs", "999µs", "1.00ms", "1.00ms", "100ms", "1.00s", "61.00s",
    ]  # fmt: skip


def test_none_only_counts() -> None:
    stream = io.BytesIO()
    (exporter,) = open_exporters(["none"], stdout=stream, is_terminal=True)
    assert exporter.wants_spans is False
    pipeline = Pipeline(PluginSet.of(), [exporter], None, lambda _: None, lambda _: None, log=Log())
    assert pipeline.decode is False
    pipeline.deliver([], 3)
    assert pipeline.spans == 3
    assert stream.getvalue() == b""


def test_the_default_depends_on_the_terminal() -> None:
    stream = io.BytesIO()
    assert [one.name for one in open_exporters([], stdout=stream, is_terminal=True)] == ["console"]
    assert [one.name for one in open_exporters([], stdout=stream, is_terminal=False)] == ["json"]


def test_files_are_started_anew(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    path.write_text("old\n")
    first, second = open_exporters([f"json:{path}", "msgpack"], stdout=io.BytesIO(), is_terminal=False)
    for exporter in (first, second):
        exporter.export([make_span()])
        exporter.close()
        exporter.close()
    assert [json.loads(line)["name"] for line in path.read_text().splitlines()] == ["GET /ping"]


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (["jsn"], "did you mean json"),
        (["console:x"], "console takes no file"),
        (["json:"], "file name is missing"),
        (["json", "msgpack"], "two outputs go to standard output"),
        (["json:-", "console"], "two outputs go to standard output"),
        (["json:/tmp/x", "msgpack:/tmp/x"], "two outputs go to /tmp/x"),
        (["json:/nowhere/at/all"], "/nowhere/at/all: No such file"),
        (["msgpack:/proc"], "/proc: Is a directory"),
    ],
)
def test_outputs_that_make_no_sense(outputs: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_exporters(outputs, stdout=io.BytesIO(), is_terminal=False)


def test_nothing_is_emptied_when_a_later_output_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(UsageError):
        open_exporters([f"json:{path}", "jsn"], stdout=io.BytesIO(), is_terminal=False)
    assert path.read_text() == "data"


@contextmanager
def pipe() -> Iterator[tuple[int, Any]]:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stream:
        try:
            yield reader, stream
        finally:
            with open(os.devnull) as null:
                os.dup2(null.fileno(), reader)
            os.close(reader)


def test_a_reader_that_left_closes_the_output() -> None:
    with pipe() as (reader, stream):
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False)
        with open(os.devnull) as null:
            os.dup2(null.fileno(), reader)
        with pytest.raises(OutputClosed):
            exporter.export([make_span()])


def test_a_slow_reader_gets_everything() -> None:
    with pipe() as (reader, stream):
        os.set_blocking(stream.fileno(), False)
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False)
        batch = [make_span(span_id=number) for number in range(1, 3001)]  # several times what a pipe holds
        writer = threading.Thread(
            target=lambda: (exporter.export(batch), exporter.close(), os.dup2(2, stream.fileno()))
        )
        writer.start()
        data = b""
        while chunk := os.read(reader, 65536):
            data += chunk
        writer.join()
    assert [int(json.loads(line)["span_id"], 16) for line in data.splitlines()] == list(range(1, 3001))


def test_a_full_disk_is_one_line() -> None:
    (exporter,) = open_exporters(["json:/dev/full"], stdout=io.BytesIO(), is_terminal=False)
    with pytest.raises(GoinstError, match="cannot write spans to /dev/full: No space left on device"):
        exporter.export([make_span()])


class Recorded(NonRecordingSpan):
    """A span of a small tracer provider that keeps what it was told."""

    def __init__(self, context: SpanContext, said: dict[str, Any]) -> None:
        super().__init__(context)
        self.said = said

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.said["status"] = (status.status_code.name, status.description)

    def end(self, end_time: int | None = None) -> None:
        self.said["end"] = end_time


class Recorder(TracerProvider, trace.Tracer):
    """A tracer provider as an SDK has one, with identifiers from its ``id_generator``."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.id_generator: Any = None

    def get_tracer(self, *names: Any, **more: Any) -> trace.Tracer:
        self.scope = names[0]
        return self

    def start_span(self, name: str, context: Any = None, **members: Any) -> trace.Span:  # type: ignore[override]
        parent = trace.get_current_span(context).get_span_context()
        trace_id = parent.trace_id if parent.is_valid else self.id_generator.generate_trace_id()
        own = SpanContext(trace_id, self.id_generator.generate_span_id(), is_remote=False)
        said = {"name": name, "trace": own.trace_id, "span": own.span_id, "parent": parent.span_id, **members}
        self.spans.append(said)
        return Recorded(own, said)

    def start_as_current_span(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def test_otel_replays_times_kind_parent_and_identifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorder)
    exporter = OtelExporter()
    assert exporter.caveat == ""
    exporter.export(
        [
            make_span(),
            make_span(parent_span_id=0x77, kind="client", status="error", status_message="no\ud800", name="\udc80"),
        ]
    )
    exporter.close()
    root, child = recorder.spans
    assert recorder.scope == "goinst.web"
    assert (root["trace"], root["span"], root["parent"]) == (0xABC, 0xDEF, 0)
    assert (child["trace"], child["parent"]) == (0xABC, 0x77)
    assert (root["kind"], child["kind"]) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert root["end"] - root["start_time"] == 1_234_567
    assert root["attributes"]["service.name"] == "demo"
    assert "status" not in root
    assert child["status"] == ("ERROR", "no?")
    assert child["name"] == "?"


def test_otel_without_an_sdk_says_so_and_does_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    configure()
    (exporter,) = open_exporters(["otel"], stdout=io.BytesIO(), is_terminal=False)
    assert "has no OpenTelemetry SDK" in exporter.caveat
    assert exporter.caveat in capfd.readouterr().err
    exporter.export([make_span()])
    exporter.close()


_PROGRAM = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

provider = TracerProvider()
out = open(sys.argv[1], "w")
one_line = lambda span: span.to_json(indent=None) + "\\n"
exporter = ConsoleSpanExporter(out=out, formatter=one_line)
provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100_000))
trace.set_tracer_provider(provider)
from goinst.cli.main import execute
sys.exit(execute(["replay", sys.argv[2], "--output", "otel", "--output", "json"]))
"""


def test_otel_gives_the_sdk_of_the_process_the_very_spans(tmp_path: Path) -> None:
    """Somebody's own program, with an SDK that it has configured: same spans, ids, parents and times as in JSON."""
    pytest.importorskip("opentelemetry.sdk.trace", reason="the SDK is not installed (goinst[otlp])")
    write_shop(tmp_path / "shop.goinst", seconds=5)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "otel"), str(tmp_path / "shop.goinst")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = [json.loads(line) for line in done.stdout.splitlines()]
    given = {span["context"]["span_id"]: span for span in map(json.loads, (tmp_path / "otel").read_text().splitlines())}
    assert len(given) == len(wanted) > 300
    for span in wanted:
        same = given[f"0x{span['span_id']}"]
        assert same["context"]["trace_id"] == f"0x{span['trace_id']}"
        assert same["parent_id"] == (f"0x{span['parent_span_id']}" if span["parent_span_id"] else None)
        assert (same["name"], same["kind"]) == (span["name"], f"SpanKind.{span['kind'].upper()}")
        assert same["status"]["status_code"] == span["status"].upper()
        assert same["start_time"][:23] == span["timestamp"][:23]
        assert same["attributes"] == {**same["attributes"], **span["resource"], **span["attributes"]}


def test_links_are_in_every_output_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    span = make_span(links=((0xABC, 0x1), (1 << 127, 0x2)))
    line = json.loads(exported("json", span))
    assert line["links"] == [
        {"trace_id": f"{0xABC:032x}", "span_id": f"{1:016x}"},
        {"trace_id": f"{1 << 127:032x}", "span_id": f"{2:016x}"},
    ]
    assert msgpack.unpackb(exported("msgpack", span)) == line
    recorder = Recorder()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorder)
    OtelExporter().export([span])
    (told,) = recorder.spans
    assert [(one.context.trace_id, one.context.span_id) for one in told["links"]] == list(span.links)
