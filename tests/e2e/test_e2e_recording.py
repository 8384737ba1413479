"""Recordings, from outside: a replay says what the live run said, also when that was killed."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from harness import goinst, needs_root, serving, tracing
from load import load

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]


def replayed(*files: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """(spans, diagnostics, standard output as it is) of a replay to JSON lines."""
    done = goinst("replay", *map(str, files), "--output", "json")
    assert done.returncode == 0, done.stderr
    return (
        [json.loads(line) for line in done.stdout.splitlines()],
        [json.loads(line) for line in done.stderr.splitlines()],
        done.stdout,
    )


@pytest.mark.parametrize("name", ["run.goinst", "run.goinst.zst"])
def test_a_replay_is_the_live_run_to_the_byte(tmp_path: Path, name: str) -> None:
    """Batches too, whose calls get ids in user space, and errors."""
    recording, live = tmp_path / name, tmp_path / "live.jsonl"
    with (
        serving(build(PROGRAMS / "jsonhand")) as server,
        tracing(
            "--pid", str(server.pid), "--plugins", "nethttp,jsonrpc", "--output", f"json:{live}", str(recording),
            command="record",
        ) as tracer,
    ):  # fmt: skip
        multiply = {"jsonrpc": "2.0", "method": "Arith.Multiply", "params": [6, 7]}
        for number in range(20):
            server.call({**multiply, "id": number}, path=f"/rpc?token=secret{number}")
        server.call([{**multiply, "id": "a"}, {**multiply, "id": "b"}, {"jsonrpc": "2.0", "method": "log"}])
        server.call({"jsonrpc": "2.0", "method": "Arith.Divide", "params": [1, 0], "id": 7})
        server.request("GET", "/nowhere")
        deadline = time.monotonic() + 10
        while live.read_bytes().count(b"\n") < 26 and time.monotonic() < deadline:
            time.sleep(0.05)
        ended = tracer.stop()
    assert ended.code == 0, ended.noise
    assert [event["event"] for event in ended.events[-2:]] == ["summary", "recorded"]
    assert recording.stat().st_mode & 0o777 == 0o600
    spans, events, text = replayed(recording)
    assert text == live.read_text()
    assert len(spans) == 26
    assert {"batch", "Arith.Multiply", "Arith.Divide", "log"} <= {span["name"] for span in spans}
    assert len({span["span_id"] for span in spans}) == 26
    assert "secret" not in text
    assert [event["event"] for event in events] == ["summary"]
    open_again = goinst("replay", str(recording), "--output", "json", "--no-redact", "--max-spans", "1")
    assert json.loads(open_again.stdout)["attributes"]["url.query"] == "token=secret0"


def test_after_kill_9_all_that_was_written_is_there(tmp_path: Path) -> None:
    recording = tmp_path / "run.goinst.zst"
    with (
        serving(build(PROGRAMS / "ping")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp", str(recording), command="record") as tracer,
    ):
        load(server.port, 10_000)
        time.sleep(0.5)  # the longest that a record waits in the ring is 50 ms
        tracer.process.send_signal(signal.SIGKILL)
        tracer.process.wait(10)
        served = int(server.request("GET", "/count")[1])
    spans, events, _ = replayed(recording)
    lost = sum(events[-1]["losses"].values())
    assert len(spans) + lost == served
    assert len(spans) > served * 0.9
    assert len({span["span_id"] for span in spans}) == len(spans)


def test_rotated_files_are_one_run(tmp_path: Path) -> None:
    recording = tmp_path / "run.goinst"
    with (
        serving(build(PROGRAMS / "ping")) as server,
        tracing(
            "--pid", str(server.pid), "--plugins", "nethttp", "--rotate-megabytes", "1", str(recording),
            command="record",
        ) as tracer,
    ):  # fmt: skip
        load(server.port, 10_000)
        time.sleep(0.3)
        ended = tracer.stop()
        served = int(server.request("GET", "/count")[1])
    files = sorted(tmp_path.iterdir(), reverse=True)
    assert len(files) == ended.events[-1]["files"] > 2
    spans, events, _ = replayed(*files)
    assert len(spans) + sum(events[-1]["losses"].values()) == served
    starts = [span["timestamp"] for span in spans]
    assert starts[0] < starts[-1]
    part, _, _ = replayed(files[0])  # each can be read by itself
    assert 0 < len(part) < len(spans)
    assert part[0]["resource"]["service.name"] == "goinst.test/ping"
