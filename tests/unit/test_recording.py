"""Recordings: what is written is read again, whatever happened to the file, and by newer decoders too."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from goinst import Protocol, Record, Span
from goinst.cli.main import cli, execute
from goinst.errors import GoinstError, PluginError, UsageError
from goinst.export import open_exporters
from goinst.plugin.rows import Column, row_of
from goinst.recording import Replay, open_recordings
from goinst.records.observer import Telemetry
from recordings import PROTOCOL, decode_call, note, operation, write


def replayed(*paths: Path, protocol: Protocol = PROTOCOL) -> tuple[list[Span], Replay, list[PluginError]]:
    failures: list[PluginError] = []
    replay = Replay(open_recordings([str(path) for path in paths]), [protocol], failures.append)
    return [span for batch in replay for span in batch.spans], replay, failures


@pytest.fixture(params=["x.goinst", "x.goinst.zst"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_what_is_recorded_is_replayed(path: Path) -> None:
    recorder = write(path, [[operation(number) for number in range(150)], [note(200, 3), operation(200, status=503)]])
    recorder.close({"losses": {"madeup.gone": 4}})
    spans, replay, _ = replayed(path)
    assert len(spans) == 152
    assert [span.name for span in spans[98:101]] == ["call x", "call x", "inner"]
    assert spans[0].start_ns == 1_700_000_000_000_000_000
    assert spans[0].resource.attributes == {"service.name": "service-7", "process.pid": 7}
    assert spans[-1].attributes["note"] == 3
    assert spans[-1].status == "error"
    assert replay.cut == []
    assert replay.losses == {"madeup.gone": 4}
    again, _, _ = replayed(path)
    assert [span.span_id for span in again] == [span.span_id for span in spans]


def test_a_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write(path, []).close()
    assert path.stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(UsageError, match="cannot write the recording"):
        write(link, [])


def test_cut_anywhere_all_whole_frames_are_there(path: Path, tmp_path: Path) -> None:
    write(path, [[operation(10 * batch + n) for n in range(10)] for batch in range(5)])
    data = path.read_bytes()
    cut = tmp_path / "cut"
    seen = set()
    for length in sorted({*range(0, len(data), 7), len(data)}):
        cut.write_bytes(data[:length])
        try:
            spans, replay, _ = replayed(cut)
        except GoinstError as error:
            assert "no recording" in str(error)
            assert length < 400
            continue
        assert len(spans) % 10 == 0
        assert [span.span_id for span in spans] == list(range(1, len(spans) + 1))
        seen.add(len(spans))
        assert len(replay.cut) in (0, 1)
    assert seen == {0, 10, 20, 30, 40, 50}


def test_damage_is_one_line_and_no_more(path: Path, tmp_path: Path) -> None:
    write(path, [[operation(10 * batch + n) for n in range(10)] for batch in range(5)]).close()
    data, damaged, rng = path.read_bytes(), tmp_path / "damaged", random.Random(5)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        damaged.write_bytes(changed)
        try:
            spans, _, _ = replayed(damaged)
        except GoinstError as error:
            assert "\n" not in str(error)
        else:
            assert len(spans) <= 60


def test_rotation_keeps_what_is_asked_for_and_order_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path, [[operation(number)] for number in range(40)], largest=2000).close()
    parts = sorted(tmp_path.iterdir())
    assert len(parts) > 3
    random.Random(3).shuffle(parts)
    spans, _, _ = replayed(*parts)
    assert [span.span_id for span in spans] == list(range(1, 41))
    for part in parts:
        part.unlink()
    write(path, [[operation(number)] for number in range(40)], largest=2000, keep=2).close()
    assert len(list(tmp_path.iterdir())) == 2
    spans, _, _ = replayed(*tmp_path.iterdir())
    assert spans[-1].span_id == 40


def test_a_fact_finds_its_span_in_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path, [[note(1, 9)], [operation(1)]], largest=1).close()
    spans, _, _ = replayed(*tmp_path.iterdir())
    assert spans[0].attributes["note"] == 9


def test_a_newer_decoder_gets_zeros_for_what_was_not_recorded(path: Path) -> None:
    write(path, [[operation(1, text=b"abc")]]).close()

    def decode(values: Any, span: Any, context: Any) -> None:
        decode_call(values, span, context)
        span.attributes["color"] = (values.color, values.shade)

    call, fact = PROTOCOL.records
    columns = (Column("color", "u32"), *call.columns[:-1], Column("shade", "bytes", 9), call.columns[-1])
    newer = Record(call.name, row_of(call.name, columns), decode, role="operation")
    (span,), _, _ = replayed(path, protocol=replace(PROTOCOL, records=(newer, fact)))
    assert (span.name, span.attributes["color"]) == ("call abc", (0, b""))


def test_a_plugin_that_is_missing_is_named_and_counted(path: Path) -> None:
    write(path, [[operation(number) for number in range(3)]]).close()
    spans, replay, failures = replayed(path, protocol=replace(PROTOCOL, name="another"))
    assert spans == []
    assert "madeup" in str(failures[0])
    assert replay.losses["madeup.not_installed"] == 3


def test_a_signal_of_a_decoder_is_no_loss_and_has_to_be_declared(path: Path) -> None:
    def decode(values: Any, span: Any, context: Any) -> None:
        context.signal("more_wanted")

    write(path, [[operation(number) for number in range(3)]]).close()
    protocol = replace(PROTOCOL, records=(replace(PROTOCOL.records[0], decode=decode), PROTOCOL.records[1]))
    spans, replay, failures = replayed(path, protocol=replace(protocol, signals=("more_wanted",)))
    assert (len(spans), replay.losses, failures) == (3, {}, [])
    spans, replay, failures = replayed(path, protocol=replace(protocol, signals=("less_wanted",)))
    assert (len(spans), replay.losses) == (3, {"madeup.decoder_raised": 3})
    assert [str(failure) for failure in failures] == [
        "plugin madeup: decode: ValueError: signal('more_wanted') is not among its declared signals ['less_wanted']"
    ]


def test_telemetry_is_kept(path: Path) -> None:
    recorder = write(path, [])
    telemetry = Telemetry(ring=0.25)
    telemetry.losses["madeup.ring_full"] = 3
    telemetry.open["madeup", "madeup_call", ""] = 2
    recorder.telemetry(telemetry)
    _, replay, _ = replayed(path)
    (kept,) = replay.telemetry.values()
    assert (kept["ring"], kept["open"]) == (0.25, [["madeup", "madeup_call", "", 2]])
    assert replay.losses == {"madeup.ring_full": 3}


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80", os.urandom(64), b"\x28\xb5\x2f\xfd rest"])
def test_another_file_is_said_to_be_none(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert execute(["replay", str(path)]) == 4
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "no recording of goinst" in error


def test_a_file_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["export", "/nowhere/x", "--to", "csv"]) == 2
    assert capfd.readouterr().err == "goinst: cannot read the recording /nowhere/x: No such file or directory\n"


def test_without_the_library_the_command_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UsageError, match=r"needs zstandard, which is not installed: pip install 'goinst\[zstd\]'"):
        write(tmp_path / "x.zst", [])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'goinst\[parquet\]'"):
        open_exporters([f"parquet:{tmp_path / 'x'}"], stdout=io.BytesIO(), is_terminal=False)


# -- tables and traces from recordings ---------------------------------------------------------------------------------


@pytest.fixture
def spans(tmp_path: Path) -> list[Span]:
    path = tmp_path / "x"
    write(path, [[operation(number, status=500 if number == 2 else 200) for number in range(4)]]).close()
    return replayed(path)[0]


def exported(spec: str, path: Path, spans: list[Span]) -> Path:
    (exporter,) = open_exporters([f"{spec}:{path}"], stdout=io.BytesIO(), is_terminal=False)
    exporter.export(spans)
    exporter.close()
    exporter.close()
    return path


def test_csv(tmp_path: Path, spans: list[Span]) -> None:
    spans[0].attributes["lone"] = 'a \ud800, "b"\n'
    spans[1].name = "lone \ud800"
    with exported("csv", tmp_path / "x.csv", spans).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["http_response_status_code"] for row in rows] == ["200", "200", "500", "200"]
    assert (rows[2]["service"], rows[2]["error_type"], rows[2]["status"]) == ("service-7", "500", "error")
    assert json.loads(rows[0]["attributes"])["lone"] == 'a ?, "b"\n'
    assert json.loads(rows[3]["attributes"])["number"] == 3
    assert rows[0]["start_ns"] == "1700000000000000000"


def test_parquet(tmp_path: Path, spans: list[Span]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (goinst[parquet])")
    spans[1].name = "lone \ud800"
    spans[3].attributes["http.response.status_code"] = 2**70
    table = parquet.read_table(exported("parquet", tmp_path / "x.parquet", spans))
    assert table["http_response_status_code"].to_pylist() == [200, 200, 500, None]
    assert str(table.schema.field("start_ns").type) == "timestamp[ns, tz=UTC]"
    assert table["name"].to_pylist() == ["call x", "lone ?", "call x", "call x"]
    assert json.loads(table["attributes"][0].as_py())["number"] == 0


def test_chrome_trace_lanes_hold_only_what_follows_or_lies_inside(tmp_path: Path, spans: list[Span]) -> None:
    rng = random.Random(9)
    many = []
    for number in range(400):
        span = replace(spans[0], trace_id=rng.randrange(40), span_id=number + 1, attributes={})
        span.start_ns, span.duration_ns = rng.randrange(100_000) * 1000, rng.randrange(5_000) * 1000
        many.append(span)
    many.sort(key=lambda span: span.start_ns + span.duration_ns)
    document = json.loads(exported("chrome-trace", tmp_path / "x.json", many).read_text())
    events = [event for event in document["traceEvents"] if event["ph"] == "X"]
    assert len(events) == 400
    assert {"ph": "M", "name": "process_name", "pid": 7, "args": {"name": "service-7"}} in document["traceEvents"]
    lanes: dict[int, list[Any]] = {}
    for event in events:
        lanes.setdefault(event["tid"], []).append(event)
    for lane in lanes.values():
        for one in lane:
            for other in lane:
                if one is other or one["ts"] + one["dur"] <= other["ts"] or other["ts"] + other["dur"] <= one["ts"]:
                    continue
                inside = one["ts"] <= other["ts"] and other["ts"] + other["dur"] <= one["ts"] + one["dur"]
                outside = other["ts"] <= one["ts"] and one["ts"] + one["dur"] <= other["ts"] + other["dur"]
                assert inside or outside
                assert one["args"]["trace_id"] == other["args"]["trace_id"]


def test_export_to_parquet_wants_a_file() -> None:
    assert CliRunner().invoke(cli, ["export", "x", "--to", "parquet"], standalone_mode=False).exception
