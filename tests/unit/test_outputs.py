"""How outputs end: real pipes, terminals, sockets and full disks; readers that are slow, stop, or leave."""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import resource
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import pytest

from goinst import Resource, Span
from goinst.diagnostics import Log
from goinst.export import Exporter, OutputClosed, open_exporters
from goinst.export.base import OutputEnded, OutputFailed, OutputStalled
from goinst.export.pipeline import Pipeline
from goinst.patience import Patience
from goinst.plugin.layout import lay_out
from goinst.plugin.manager import PluginSet
from goinst.plugin.summary import Summary
from goinst.recording import Replay, open_recordings
from goinst.records.observer import Observer, Source, Telemetry
from goinst.records.ring import Ring, Slab
from goinst.spans.span import Clock
from goinst.stream import Stream, UnwrittenError
from recordings import PROTOCOL, operation, resource_of, slab_of, write

RESOURCE = Resource({"service.name": "s", "process.pid": 7}, b'{"service.name":"s","process.pid":7}')


def make(count: int, first: int = 1, plugin: str = "web") -> list[Span]:
    return [
        Span(plugin, f"GET /{number}", "server", 5, number, 0, 10**18 + number, 1000, RESOURCE,
             attributes={"url.path": f"/{number}"})
        for number in range(first, first + count)
    ]  # fmt: skip


@contextmanager
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    """The reading end of a pipe, and the other one as standard output is one: blocking, and not ours to change."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stream:
        try:
            yield reader, stream
        finally:
            with suppress(OSError):
                os.close(reader)


def drain(descriptor: int) -> bytes:
    """All that is in a pipe or behind a terminal now."""
    os.set_blocking(descriptor, False)
    data = b""
    with suppress(BlockingIOError, OSError):
        while chunk := os.read(descriptor, 1 << 16):
            data += chunk
    return data


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def waits(thread: threading.Thread) -> bool:
    """Whether a thread sleeps in poll(2)."""
    return "poll" in Path(f"/proc/self/task/{thread.native_id}/wchan").read_text()


class Writing:
    """A thread that exports batches until it is done or the output has ended."""

    def __init__(self, exporter: Exporter, batches: list[list[Span]]) -> None:
        self.ended: OutputEnded | None = None
        self.whole = 0
        self._exporter, self._batches = exporter, batches
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for batch in self._batches:
                self._exporter.export(batch)
                self.whole += len(batch)
        except OutputEnded as ended:
            self.ended = ended
            self.whole += ended.spans

    @property
    def waiting(self) -> bool:
        return waits(self._thread)

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()


BATCHES = [make(500, first) for first in range(1, 5001, 500)]  # several times what a pipe holds


def whole_lines(data: bytes) -> list[int]:
    return [int(json.loads(line)["span_id"], 16) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


# -- readers -----------------------------------------------------------------------------------------------------------


def test_a_reader_that_never_reads_is_given_up_a_second_after_the_end_and_counted_exactly() -> None:
    with pipe() as (reader, stream):
        patience = Patience()
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False, patience=patience)
        writing = Writing(exporter, BATCHES)
        until(lambda: writing.waiting)
        began = time.monotonic()
        patience.end()
        writing.join()
        assert time.monotonic() - began >= 1  # it had its second
        assert isinstance(writing.ended, OutputStalled)
        assert whole_lines(drain(reader)) == list(range(1, writing.whole + 1))
        assert 0 < writing.whole < 5000
        with pytest.raises(OutputStalled):
            exporter.export(make(1))
        exporter.close()
        assert os.get_blocking(stream.fileno())


def test_asked_twice_it_is_given_up_at_once() -> None:
    with pipe() as (reader, stream):
        patience = Patience()
        (exporter,) = open_exporters(["msgpack"], stdout=stream, is_terminal=False, patience=patience)
        writing = Writing(exporter, BATCHES)
        until(lambda: writing.waiting)
        patience.end()
        assert writing.ended is None
        patience.hurry()
        writing.join()
        assert isinstance(writing.ended, OutputStalled)
        unpacker = msgpack.Unpacker()
        unpacker.feed(drain(reader))
        assert [int(one["span_id"], 16) for one in unpacker] == list(range(1, writing.whole + 1))
        exporter.close()


def test_a_run_whose_end_is_known_beforehand_needs_nobody_to_say_so() -> None:
    with pipe() as (_, stream):
        patience = Patience()
        patience.end(time.monotonic() + 0.01)
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False, patience=patience)
        writing = Writing(exporter, BATCHES)
        writing.join()
        assert isinstance(writing.ended, OutputStalled)
        assert patience.ending
        assert not patience.hurried
        exporter.close()


def test_a_slow_reader_gets_everything_also_at_the_end() -> None:
    with pipe() as (reader, stream):
        patience = Patience()
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False, patience=patience)
        writing = Writing(exporter, BATCHES)
        until(lambda: writing.waiting)
        patience.end()
        data = b""
        while len(whole_lines(data)) < 5000:
            data += os.read(reader, 16384)
        writing.join()
        assert writing.ended is None
        assert whole_lines(data) == list(range(1, 5001))
        exporter.close()


def test_one_that_takes_little_has_ten_seconds() -> None:
    patience = Patience()
    assert patience.deadline(7.0) == float("inf")
    patience.end(100.0)
    assert [patience.deadline(since) for since in (50.0, 100.5, 108.5, 200.0)] == [101.0, 101.5, 109.5, 110.0]
    patience.end(200.0)  # the earliest counts
    assert patience.deadline(50.0) == 101.0
    patience.hurry()
    assert patience.deadline(150.0) == 0
    assert patience.fileno() == -1
    patience.close()
    patience.end()


@pytest.mark.parametrize("form", ["json", "csv", "chrome-trace", "msgpack"])
def test_a_reader_that_leaves(form: str) -> None:
    with pipe() as (reader, stream):
        (exporter,) = open_exporters([form], stdout=stream, is_terminal=False)
        writing = Writing(exporter, BATCHES)
        until(lambda: writing.waiting)
        os.close(reader)
        writing.join()
        assert isinstance(writing.ended, OutputClosed)
        assert writing.ended.exit_code == 0
        exporter.close()


def test_a_stopped_terminal() -> None:
    """Ctrl-S, and Ctrl-Q; and a terminal that goes away."""
    ours, theirs = os.openpty()
    try:
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        patience = Patience()
        with os.fdopen(os.dup(theirs), "wb", buffering=0) as stream:
            (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=True, patience=patience)
            termios.tcflow(theirs, termios.TCOOFF)
            writing = Writing(exporter, [make(3)])
            until(lambda: writing.waiting)
            assert drain(ours) == b""
            termios.tcflow(theirs, termios.TCOON)
            writing.join()
            assert writing.whole == 3
            assert whole_lines(drain(ours)) == [1, 2, 3]
            termios.tcflow(theirs, termios.TCOOFF)
            writing = Writing(exporter, BATCHES)
            until(lambda: writing.waiting)
            patience.end()
            writing.join()
            assert isinstance(writing.ended, OutputStalled)
            exporter.close()
            (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=True)
            os.close(ours)
            ours = -1
            with pytest.raises(OutputClosed):
                exporter.export(make(1))
            exporter.close()
    finally:
        for descriptor in (ours, theirs):
            if descriptor >= 0:
                os.close(descriptor)


def test_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, os.fdopen(os.dup(theirs.fileno()), "wb", buffering=0) as stream:
        patience = Patience()
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False, patience=patience)
        writing = Writing(exporter, BATCHES)
        until(lambda: writing.waiting)
        patience.hurry()
        writing.join()
        assert isinstance(writing.ended, OutputStalled)
        assert whole_lines(drain(ours.fileno())) == list(range(1, writing.whole + 1))
        assert os.get_blocking(stream.fileno())
        exporter.close()
        (exporter,) = open_exporters(["json"], stdout=stream, is_terminal=False)
        ours.close()
        with pytest.raises(OutputClosed):
            exporter.export(make(1))
        exporter.close()


def test_where_it_cannot_be_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a terminal of another user's cannot: pieces that poll(2) says there is room for."""
    opened = os.open

    def refuse(path: Any, *more: Any) -> int:
        if str(path).startswith("/proc/self/fd/"):
            raise PermissionError(errno.EACCES, "not yours")
        return opened(path, *more)

    with pipe() as (reader, stream):
        monkeypatch.setattr(os, "open", refuse)
        sink = Stream(stream.fileno())
        monkeypatch.undo()
        patience = Patience()
        result: list[UnwrittenError] = []
        data = os.urandom(1 << 20)

        def write() -> None:
            try:
                sink.write(data, patience)
            except UnwrittenError as error:
                result.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        until(lambda: waits(thread))
        taken = os.read(reader, 100_000)
        until(lambda: waits(thread))
        patience.hurry()
        thread.join(20)
        (unwritten,) = result
        assert unwritten.error is None
        rest = drain(reader)
        assert taken + rest == data[: unwritten.written]
        sink.close()


def opened(*outputs: str) -> list[Exporter]:
    return open_exporters(outputs, stdout=sys.stdout.buffer, is_terminal=False)


# -- disks -------------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(path: Path, size: str = "64k") -> Iterator[Path]:
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "t", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts a small file system")


@dataclass
class Lines(Log):
    """A log that keeps what is said."""

    said: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self.said.append({"level": level, "event": event, **fields})


class Run:
    """Batches to outputs, as a run delivers them, until there are none left or no output is."""

    def __init__(self, exporters: list[Exporter], *observers: Observer) -> None:
        self.summary, self.log, self.ended = Summary(), Lines(), ""
        self._pipeline = Pipeline(
            PluginSet.of(), exporters, None, self._end, lambda _: None, log=self.log, observers=observers
        )

    def _end(self, why: str) -> None:
        assert not self.ended
        self.ended = why

    def go(self, batches: Iterable[list[Span]]) -> Run:
        for batch in batches:
            self._pipeline.deliver(batch, len(batch))
            self._pipeline.flush()
        self._pipeline.finish()
        self.summary = self._pipeline.summary(Telemetry(losses=self._pipeline.losses()), ended=self.ended, seconds=0)
        return self


COUNTS: dict[str, Callable[[bytes], int]] = {
    "json": lambda data: len([json.loads(line) for line in data.splitlines()]),
    "csv": lambda data: data.count(b"\r\n") - 1,
    "msgpack": lambda data: len(_unpacked(data)),
    "chrome-trace": lambda data: sum(
        one["ph"] == "X" for one in json.loads(data + b"]}")["traceEvents"]
    ),
}  # fmt: skip


def _unpacked(data: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    found = list(unpacker)
    assert unpacker.tell() == len(data)
    return found


@needs_root
@pytest.mark.parametrize("form", COUNTS)
def test_a_full_disk_ends_that_output_alone_with_a_whole_file(form: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        files = disk / "spans", tmp_path / "spans"
        run = Run(
            open_exporters([f"{form}:{files[0]}", f"json:{files[1]}"], stdout=sys.stdout.buffer, is_terminal=False)
        )
        run.go(BATCHES)
        written = COUNTS[form](files[0].read_bytes())
        assert 0 < written < 5000
        assert whole_lines(files[1].read_bytes()) == list(range(1, 5001))
    assert run.summary.losses == {f"{form}.not_written": 5000 - written}
    assert (run.summary.spans, run.summary.spans_by_plugin) == (5000, {"web": 5000})
    assert (run.ended, run.summary.exit_code) == ("", 3)
    (line,) = run.log.said
    assert line == {
        "level": "error", "event": "an output ended", "output": f"{form} to {files[0]}",
        "reason": f"cannot write spans to {files[0]}: No space left on device; free space there, and run again",
    }  # fmt: skip


@needs_root
def test_when_no_output_is_left_the_run_ends_and_the_rest_is_counted(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        files = disk / "a", disk / "b"
        run = Run(opened(f"json:{files[0]}", f"csv:{files[1]}")).go(BATCHES)
        counts = COUNTS["json"](files[0].read_bytes()), COUNTS["csv"](files[1].read_bytes())
    assert (run.ended, run.summary.exit_code, len(run.log.said)) == ("no output is left", 3, 2)
    assert run.summary.losses == {"json.not_written": 5000 - counts[0], "csv.not_written": 5000 - counts[1]}
    assert run.summary.spans == max(counts)
    assert run.summary.spans_by_plugin == {"web": max(counts)}


@needs_root
def test_a_parquet_file_without_its_end_has_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8k") as disk:
        run = Run(opened(f"parquet:{disk}/p")).go(BATCHES)
    assert run.summary.losses == {"parquet.not_written": 5000}
    assert (run.summary.spans, run.summary.spans_by_plugin) == (0, {})
    assert run.summary.exit_code == 3
    assert "No space left on device" in run.log.said[0]["reason"]


def test_a_reader_that_leaves_ends_a_run_quietly_and_what_it_did_not_get_is_counted() -> None:
    with pipe() as (reader, stream):
        run = Run(open_exporters(["json"], stdout=stream, is_terminal=False))
        got: list[bytes] = []

        def read() -> None:
            got.append(os.read(reader, 4096))
            until(lambda: fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4) != b"\0" * 4)
            os.close(reader)

        thread = threading.Thread(target=read)
        thread.start()
        run.go(BATCHES)
        thread.join()
    assert (run.ended, run.summary.exit_code, run.log.said) == ("the output was closed", 0, [])
    assert run.summary.losses["json.not_written"] + run.summary.spans == 5000
    assert run.summary.spans >= len(whole_lines(got[0]))


@needs_root
@pytest.mark.parametrize("name", ["x.goinst", "x.goinst.zst"])
def test_a_recording_on_a_full_disk_can_be_replayed(name: str, tmp_path: Path) -> None:
    """The batch for which there is no room is not among the spans; the files end with a whole frame."""
    with small_disk(tmp_path / "disk") as disk:
        recorder = write(disk / name, [])
        layouts = tuple(lay_out("madeup", record, at, {}) for at, record in enumerate(PROTOCOL.records, 1))
        source = Source("/srv/y", {}, "", ("madeup",), layouts, {"madeup": {}}, resource_of, redact=True)
        run, tap = Run([], recorder), recorder.source(source)

        def batches() -> Iterator[list[Span]]:
            for number in range(200):
                slab = slab_of(operation(100 * number + at, text=os.urandom(12).hex().encode()) for at in range(10))
                view = Slab(slab)
                tap.batch(memoryview(slab), view.data, view.take(), Clock(0, number, number))
                yield make(10)

        run.go(batches())
        recorder.close({"spans": 1})
        replay = Replay(open_recordings([str(disk / name)]), [PROTOCOL], lambda error: pytest.fail(str(error)))
        spans = [span for batch in replay for span in batch.spans]
    (line,) = run.log.said
    assert line["reason"].startswith(
        f"cannot write the recording {disk / name}: No space left on device; what is in it"
    )
    assert (run.ended, run.summary.exit_code) == ("no output is left", 3)
    assert (run.summary.spans, recorder.records) == (len(spans), len(spans))
    assert 0 < len(spans) < 2000
    assert run.summary.losses == {"recording.not_written": 2000 - len(spans)}


@needs_root
def test_a_recording_whose_next_file_has_no_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        recorder = write(disk / "x", [[operation(number)] for number in range(20)], largest=2000)
        assert (recorder.ended, recorder.files > 2) == (None, True)
        with suppress(OSError), (disk / "z").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        recorder.telemetry(Telemetry())
        for _ in range(100):
            recorder.telemetry(Telemetry(ring=0.5))
        assert recorder.ended is not None
        recorder.close({})
        assert all(one.stat().st_size for one in disk.glob("x*"))
        replay = Replay(open_recordings([str(one) for one in disk.glob("x*")]), [PROTOCOL], print)
        assert len([span for batch in replay for span in batch.spans]) == 20


def test_a_ring_is_closed_although_somebody_looks_at_it() -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(2 * mmap.PAGESIZE + 2 * mmap.PAGESIZE)
        ring = Ring(file.fileno(), mmap.PAGESIZE)
        looked_at = ring.data[:16]
        ring.close()
        ring.close()
        assert bytes(looked_at) == bytes(16)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """By a child: the limit is the process's."""
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "sys.path[:0] = [sys.argv[1]]\n"
        "from test_outputs import *\n"
        f"run = Run(opened('json:{tmp_path}/x')).go(BATCHES)\n"
        "print(run.summary.spans, dict(run.summary.losses), run.log.said[0]['reason'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    spans = COUNTS["json"]((tmp_path / "x").read_bytes())
    assert done.stdout.startswith(
        f"{spans} {{'json.not_written': {5000 - spans}}} cannot write spans to {tmp_path}/x: "
    )
    assert "File too large" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 5000


def test_a_file_that_was_deleted_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    (exporter,) = opened(f"json:{path}")
    path.unlink()
    for _ in range(3):
        exporter.export(make(1))
        exporter.flush()
    exporter.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "an output was deleted"
    assert json.loads(line)["output"] == str(path)


def test_what_an_output_loses_later_is_not_among_the_spans() -> None:
    class Queue(Exporter):
        name = "queue"

        def close(self) -> None:
            self.losses["queue.not_sent"], self.undone = 7, Counter(web=5, db=2)

    batch = [*make(20), *make(10, plugin="db")]
    run = Run([Queue()]).go([batch])
    assert run.summary.spans == 23
    assert run.summary.spans_by_plugin == {"web": 15, "db": 8}
    assert run.summary.losses == {"queue.not_sent": 7}


def test_one_that_fails_only_when_it_is_closed() -> None:
    class Late(Exporter):
        name = "late"

        def close(self) -> None:
            raise OutputFailed("the server forgot it")

    run = Run([Late()]).go([make(3)])
    assert (run.summary.exit_code, [line["reason"] for line in run.log.said]) == (3, ["the server forgot it"])


# -- the log -----------------------------------------------------------------------------------------------------------


def test_a_log_that_nobody_reads_holds_nothing_up_and_says_later_what_was_lost() -> None:
    with pipe() as (reader, stream), open(os.dup(stream.fileno()), "w") as text:
        log = Log(stream=text)
        for number in range(100):
            log.info("filling", number=number, text="x" * 2000)  # one of them waits a second
        first = drain(reader)
        assert first.count(b"\n") < 100
        log.info("later")
        events = [json.loads(line) for line in (first + drain(reader)).splitlines()]
    assert [event["number"] for event in events[:-2]] == list(range(len(events) - 2))
    assert [event["event"] for event in events[-2:]] == ["later", "lines of this log were lost"]
    assert events[-1]["lines"] == 100 - (len(events) - 2)


def test_a_command_ends_although_nobody_reads_what_it_says() -> None:
    with pipe() as (_, stream):
        os.set_blocking(stream.fileno(), False)
        with suppress(BlockingIOError):
            while stream.write(bytes(4096)):
                pass
        os.set_blocking(stream.fileno(), True)
        done = subprocess.run(
            [sys.executable, "-m", "goinst.cli.main", "run", "--nothing"],
            stdout=subprocess.DEVNULL, stderr=stream, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
