"""An end is an end: outputs that nobody reads, that are full, or that go away; what they did not get is counted."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import GOINST, PATIENCE, READY_SECONDS, Server, goinst, needs_root, serving
from load import load

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]


class Run:
    """goinst with a standard output that the test holds the other end of, and reads or not."""

    def __init__(self, server: Server, *arguments: str, command: str = "run") -> None:
        self.reader, writer = os.pipe()
        self._process = subprocess.Popen(
            [str(GOINST), command, "--pid", str(server.pid), "--plugins", "nethttp", *arguments],
            stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(writer)
        self.events: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._grew = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.wait("ready", READY_SECONDS)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._grew:
                (self.events.append(json.loads(line)) if line.startswith("{") else self.noise.append(line))
                self._grew.notify_all()

    def wait(self, name: str, seconds: float = PATIENCE) -> dict[str, Any]:
        with self._grew:
            found = self._grew.wait_for(lambda: any(one["event"] == name for one in self.events), seconds)
        assert found, (name, self.events, self.noise)
        return next(one for one in self.events if one["event"] == name)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """The exit code; nothing but events was said."""
        code = self._process.wait(READY_SECONDS)
        self.wait("summary")
        assert self.noise == []
        return code

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(*arguments: str, command: str = "run") -> Iterator[tuple[Server, Run]]:
    with serving(build(PROGRAMS / "ping")) as server:
        run = Run(server, *arguments, command=command)
        try:
            yield server, run
        finally:
            run.close()


def probed(server: Server) -> bool:
    """Whether the program's text is not that of its file: there are breakpoints in it."""
    with server.binary.open("rb") as file, Path(f"/proc/{server.pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{server.pid}/maps").read_text().splitlines():
            fields = line.split()
            if fields[1] == "r-xp" and fields[-1] == str(server.binary):
                start, end = (int(word, 16) for word in fields[0].split("-"))
                memory.seek(start)
                file.seek(int(fields[2], 16))
                here, there = memory.read(end - start), file.read(end - start)
                return here[: len(there)] != there[: len(here)]
    raise AssertionError("it has no text")


def whole(data: bytes) -> int:
    return sum(line.endswith(b"\n") for line in data.splitlines(keepends=True))


def read_all(descriptor: int) -> bytes:
    data = b""
    while chunk := os.read(descriptor, 1 << 16):
        data += chunk
    return data


def accounted(server: Server, summary: dict[str, Any]) -> None:
    """All that the server served is a span or a loss."""
    served = int(server.request("GET", "/count")[1])
    assert summary["spans"] + sum(summary["losses"].values()) == served - summary["open"], summary


def adds_up(summary: dict[str, Any]) -> None:
    """Each request that began under the probes is a span, lost, or open; when probes are put on and taken away under
    load, those of requests that are under way find no beginning."""
    lost = sum(count for reason, count in summary["losses"].items() if reason != "nethttp.began_unseen")
    hits = summary["hits"]["net/http.serverHandler.ServeHTTP entry"]
    assert hits == summary["spans"] + lost + summary["open"], summary


@pytest.mark.parametrize("how", ["SIGTERM", "twice", "duration"])
def test_a_reader_that_never_reads(how: str) -> None:
    duration = ("--duration", "4") if how == "duration" else ()
    with running("--output", "json", *duration) as (server, run):
        assert probed(server)
        load(server.port, 20_000)
        if how != "duration":
            run.signal(signal.SIGTERM)
        if how == "twice":
            run.signal(signal.SIGINT)
        assert run.end() == 0
        assert not probed(server)
        summary = run.events[-1]
        got = whole(read_all(run.reader))
        assert (summary["event"], summary["spans"]) == ("summary", got)
        assert summary["losses"]["output.stalled"] > 0
        assert summary["ended"] in ((how,) if how != "twice" else ("SIGTERM", "SIGINT"))
        accounted(server, summary)


def test_a_reader_that_leaves() -> None:
    with running("--output", "json") as (server, run):
        helper = threading.Thread(target=load, args=(server.port, 20_000))
        helper.start()
        os.read(run.reader, 10_000)
        os.close(run.reader)
        assert run.end() == 0
        helper.join()
        assert not probed(server)
        summary = run.events[-1]
        assert [one["event"] for one in run.events] == ["ready", "summary"]
        assert summary["ended"] == "the output was closed"
        adds_up(summary)


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "t", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_is_the_end_of_one_output_and_of_the_run_when_there_is_no_other(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        files = disk / "spans", tmp_path / "spans"
        with running("--output", f"json:{files[0]}", "--output", f"json:{files[1]}") as (server, run):
            load(server.port, 5000)
            assert "No space left on device" in run.wait("an output ended")["reason"]
            load(server.port, 5000)
            run.signal(signal.SIGTERM)
            assert run.end() == 3
            summary = run.events[-1]
            assert summary["spans"] == whole(files[1].read_bytes())
            assert summary["losses"].pop("json.not_written") == summary["spans"] - whole(files[0].read_bytes())
            accounted(server, summary)
        with running("--output", f"json:{files[0]}") as (server, run):
            load(server.port, 5000)
            assert run.end() == 3
            summary = run.events[-1]
            assert summary["ended"] == "no output is left"
            assert summary["spans"] == whole(files[0].read_bytes())
            adds_up(summary)
            assert [one["event"] for one in run.events] == ["ready", "an output ended", "summary"]
            assert not probed(server)


def test_a_recording_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, running(str(disk / "x"), command="record") as (server, run):
        load(server.port, 5000)
        assert run.end() == 3
        assert not probed(server)
        events = {one["event"]: one for one in run.events}
        assert "cannot write the recording" in events["an output ended"]["reason"]
        summary = events["summary"]
        adds_up(summary)
        assert summary["losses"]["recording.not_written"] > 0
        again = goinst("replay", str(disk / "x"), "--output", "json")
        assert again.returncode == 0
        assert again.stdout.count("\n") == summary["spans"] > 0


def test_an_end_without_threads_memory_or_descriptors() -> None:
    """As in a container whose limits are reached: what is there is enough for the end."""
    with running("--output", "json") as (server, run):
        size = int(Path(f"/proc/{run.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(run.pid, resource.RLIMIT_AS, (size + (1 << 20),) * 2)  # less than a thread's stack
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (4, 4))
        for _ in range(50):  # a pipe holds them
            server.request("GET", "/ping")
        run.signal(signal.SIGTERM)
        assert run.end() == 0
        assert not probed(server)
        assert (run.events[-1]["spans"], run.events[-1]["losses"]) == (50, {})
        assert whole(read_all(run.reader)) == 50


_COMMAND = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 4096))
from goinst.limits import raise_files
from goinst.processes.command import Command
raise_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)
command = Command(["sh", "-c", "ulimit -Sn; ulimit -Hn"])
command.start_held()
command.release()
while command.poll() is None:
    pass
"""


def test_the_soft_limit_of_descriptors_is_raised_and_the_hard_one_named() -> None:
    done = subprocess.run([GOINST.with_name("python"), "-c", _COMMAND], capture_output=True, text=True, check=True)
    assert done.stdout == "(4096, 4096)\n"
    assert done.stderr.split() == ["40", "4096"]  # the program's
    with serving(build(PROGRAMS / "ping")) as server:
        arguments = ("run", "--pid", str(server.pid), "--output", "none", "--duration", "0.1")
        done = subprocess.run(
            ["sh", "-c", 'ulimit -Sn 40; exec "$@"', "sh", str(GOINST), *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for limit in (12, 40, 64):  # before anything, while loading, while attaching
            done = subprocess.run(
                ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", str(GOINST), *arguments],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 3, done.stderr
            assert re.fullmatch(rf"goinst: the kernel .*: Too many open files: {limit} are allowed, .*\n", done.stderr)
