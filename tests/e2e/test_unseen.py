"""What ``goinst run`` says when there is little or nothing to see: once, as a warning, and never "ready" alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import goinst, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

# neither a server nor a client; what a fork of net/http would have
_QUIET = """package main

import (
	"fmt"
	"time"
)

type serverHandler struct{ n int }

//go:noinline
func (s serverHandler) ServeHTTP() { time.Sleep(time.Hour) }

func main() {
	fmt.Println("running")
	serverHandler{1}.ServeHTTP()
}
"""
_LIBRARY = """package main

import "C"
import (
	"fmt"
	"net/http"
	"time"
)

//export Wait
func Wait() {
	fmt.Println("running", http.StatusOK)
	time.Sleep(time.Hour)
}

func main() {}
"""


def _built(folder: Path, text: str, **how: Any) -> Path:
    (folder / "go.mod").write_text("module example.org/quiet\n\ngo 1.20\n")
    (folder / "main.go").write_text(text)
    return build(folder, **how)


@contextmanager
def _running(*command: str | Path, stdin: int) -> Iterator[int]:
    """The pid of a process that has said that it runs."""
    process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("running")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _warnings(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["level"] != "info"]


def test_a_program_with_nothing_that_is_known_is_not_just_ready(tmp_path: Path) -> None:
    binary = _built(tmp_path, _QUIET)
    with _running(binary, stdin=subprocess.DEVNULL) as pid, tracing("--pid", str(pid)) as tracer:
        unseen, nothing = _warnings(tracer.stop().events)
    assert (unseen["event"], nothing["event"]) == ("not seen", "nothing to see")
    assert unseen["reason"].startswith("HTTP requests that main serves are not seen")
    assert nothing["pid"] == pid
    assert "nethttp" in nothing["missing"]
    # what speaks on its standard input may be seen
    with _running(binary, stdin=subprocess.PIPE) as pid, tracing("--pid", str(pid)) as tracer:
        (unseen,) = _warnings(tracer.stop().events)
    assert unseen["event"] == "not seen"


def test_a_plugin_that_was_named_and_is_of_no_use_is_said_once() -> None:
    with serving(build(PROGRAMS / "ping")) as server:
        with tracing("--pid", str(server.pid), "--plugins", "nethttp,grpc") as tracer:
            (said,) = _warnings(tracer.stop().events)
        assert (said["event"], said["plugin"]) == ("plugin not used here", "grpc")
        assert "google.golang.org/grpc" in said["reason"]
        with tracing("--pid", str(server.pid)) as tracer:
            assert _warnings(tracer.stop().events) == []


def test_a_library_of_go_in_another_program_is_named(tmp_path: Path) -> None:
    library = _built(tmp_path, _LIBRARY, buildmode="c-shared", cgo=True)
    host = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).Wait()"
    with _running(sys.executable, "-c", host, library, stdin=subprocess.DEVNULL) as pid:
        ended = goinst("run", "--pid", str(pid), "--duration", "1")
    assert ended.returncode == 4
    assert ended.stderr.count("\n") == 1
    assert "is not a Go program" in ended.stderr
    assert f"has loaded {library.name}, which Go built: goinst trace '{library.name}:FUNCTION'" in ended.stderr
