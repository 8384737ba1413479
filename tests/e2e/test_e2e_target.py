"""Which processes are traced, and how a run ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import msgpack
import pytest
from harness import GOINST, goinst, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

HTTP = ("--plugins", "nethttp")


@pytest.fixture(scope="module")
def ping() -> Path:
    return build(PROGRAMS / "ping")


def test_only_the_pid_that_was_named(ping: Path) -> None:
    with serving(ping) as wanted, serving(ping) as other, tracing("--pid", str(wanted.pid), *HTTP) as tracer:
        for _ in range(3):
            other.request("GET", "/ping")
            wanted.request("GET", "/ping")
        spans = tracer.wait_spans(3)
        ended = tracer.stop()
    assert {span["resource"]["process.pid"] for span in spans} == {wanted.pid}
    assert len(ended.spans) == 3


def test_two_pids(ping: Path) -> None:
    with (
        serving(ping) as one,
        serving(ping) as two,
        tracing("--pid", str(one.pid), "--pid", str(two.pid), *HTTP) as tracer,
    ):
        one.request("GET", "/ping")
        two.request("GET", "/ping")
        spans = tracer.wait_spans(2)
    assert {span["resource"]["process.pid"] for span in spans} == {one.pid, two.pid}


def test_different_binaries_at_once(ping: Path) -> None:
    with (
        serving(ping) as one,
        serving(build(PROGRAMS / "odd", go="1.21.13")) as two,
        tracing("--port", str(one.port), "--port", str(two.port), *HTTP) as tracer,
    ):
        one.request("GET", "/ping")
        two.request("GET", "/echo/x")
        spans = tracer.wait_spans(2)
    assert {span["resource"]["service.name"] for span in spans} == {"goinst.test/ping", "goinst.test/odd"}


def test_a_process_of_the_executable_that_starts_later(ping: Path, tmp_path: Path) -> None:
    binary = tmp_path / "later-server"
    shutil.copy(ping, binary)
    with serving(binary) as first, tracing("--exe", "*/later-server", *HTTP) as tracer:
        first.request("GET", "/ping")
        tracer.wait_spans(1)
        with serving(binary) as second:
            second.request("GET", "/ping")  # its first request, at once
            spans = tracer.wait_spans(2)
            assert spans[1]["resource"]["process.pid"] == second.pid
            assert spans[1]["resource"]["process.executable.path"] == str(binary)
            tracer.wait_event("process joined")
        tracer.wait_event("process left")
        first.request("GET", "/ping")
        tracer.wait_spans(3)
        assert tracer.stop().code == 0


def test_a_new_build_of_the_executable_is_picked_up(ping: Path, tmp_path: Path) -> None:
    """A deployment: another file under the same path."""
    binary = tmp_path / "deployed"
    shutil.copy(ping, binary)
    with serving(binary) as old, tracing("--exe", "deployed", *HTTP) as tracer:
        old.request("GET", "/ping")
        tracer.wait_spans(1)
        binary.unlink()
        shutil.copy(build(PROGRAMS / "ping", ldflags="-s -w"), binary)
        with serving(binary) as new:
            tracer.wait_event("process joined", 20)
            new.request("GET", "/ping")
            spans = tracer.wait_spans(2)
            assert spans[1]["resource"]["process.pid"] == new.pid


def test_the_run_ends_with_its_process(ping: Path) -> None:
    with serving(ping) as server, tracing("--pid", str(server.pid), *HTTP) as tracer:
        server.request("GET", "/ping")
        tracer.wait_spans(1)
        server.process.kill()
        server.process.wait()
        ended = tracer.stop(0)
    assert ended.code == 0
    assert ended.summary["spans"] == 1
    assert ended.summary["ended"] == "all processes ended"


def test_a_command_is_traced_from_its_first_request(ping: Path) -> None:
    """The program's own output is on stderr; stdout has only spans."""
    with tracing(*HTTP, "--", str(ping)) as tracer:
        deadline = time.monotonic() + 10
        while not (line := next((line for line in tracer.noise if line.startswith("listening")), "")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = int(line.rpartition(":")[2])
        answer = subprocess.run(
            ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /ping HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.endswith("pong\n")
        (span,) = tracer.wait_spans(1)
        pid = span["resource"]["process.pid"]
        ended = tracer.stop()
    assert ended.code == 0
    assert span["name"].startswith("GET")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_well(ping: Path, number: signal.Signals) -> None:
    with serving(ping) as server, tracing("--pid", str(server.pid), *HTTP) as tracer:
        server.request("GET", "/ping")
        tracer.wait_spans(1)
        ended = tracer.stop(number)
        assert server.request("GET", "/ping") == (200, b"pong\n")  # the target lives on
    assert ended.code == 0
    assert ended.summary["spans"] == 1
    assert ended.summary["losses"] == {}
    assert ended.summary["ended"] == number.name
    assert ended.noise == []


def test_duration(ping: Path) -> None:
    with serving(ping) as server, tracing("--pid", str(server.pid), *HTTP, "--duration", "0.5") as tracer:
        ended = tracer.stop(0)
    assert ended.code == 0
    assert ended.summary["ended"] == "duration"


def test_max_spans(ping: Path) -> None:
    with serving(ping) as server, tracing("--pid", str(server.pid), *HTTP, "--max-spans", "3") as tracer:
        for _ in range(6):
            server.request("GET", "/ping")
        ended = tracer.stop(0)
    assert ended.code == 0
    assert len(ended.spans) == ended.summary["spans"] == 3


def test_a_reader_that_has_had_enough(ping: Path) -> None:
    """``goinst run … | head -1`` ends without a complaint."""
    with serving(ping) as server:
        process = subprocess.Popen(
            f"exec {GOINST} run --pid {server.pid} --plugins nethttp --output json | head -1",
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            server.request("GET", "/ping")
            time.sleep(0.02)
        out, errors = process.communicate(timeout=30)
    assert out.count("\n") == 1
    assert "Traceback" not in errors
    assert "Broken" not in errors


def test_configuration_file_and_msgpack(ping: Path, tmp_path: Path) -> None:
    spans, settings = tmp_path / "spans.msgpack", tmp_path / "goinst.yaml"
    with serving(ping) as server:
        settings.write_text(
            f"plugins: [nethttp]\npid: {server.pid}\nmax-spans: 2\noutput: ['json', 'msgpack:{spans}']\n"
        )
        with tracing("--config", str(settings), "--output", "json", "--output", f"msgpack:{spans}") as tracer:
            server.request("GET", "/ping")
            server.request("GET", "/ping")
            ended = tracer.stop(0)
    with spans.open("rb") as file:
        assert list(msgpack.Unpacker(file)) == ended.spans


def test_console_is_for_people(ping: Path) -> None:
    with serving(ping) as server:
        run = subprocess.Popen(
            [GOINST, "run", "--pid", str(server.pid), *HTTP, "--output", "console", "--max-spans", "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert run.stderr is not None
        assert '"ready"' in run.stderr.readline()
        server.request("GET", "/ping")
        out, _ = run.communicate(timeout=30)
    assert "GET /ping" in out
    assert " 200 " in out
    assert "\x1b" not in out  # no colours into a pipe


def test_inspect_needs_no_start(ping: Path) -> None:
    shown = goinst("inspect", str(ping), "--plugins", "nethttp,jsonrpc")
    assert shown.returncode == 0, shown.stderr
    assert "net/http.serverHandler.ServeHTTP" in shown.stdout
    assert "go1." in shown.stdout
