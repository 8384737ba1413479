"""The demo itself: build, start, trace with the real command line, drive, stop, explain."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from goinst.demo.drive import drive
from goinst.demo.server import Go, build, running

__all__ = ["run_demo"]

_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_LONGEST = "120"  # seconds: the tracer's own limit, should the demo be killed


def run_demo(seconds: float = 3.0) -> int:
    """Trace the bundled server for ``seconds`` with spans on stdout and return the exit code.

    The tracer is a child, started with the command line that is shown; when it fails, its exit code is ours.
    MachineError when the server cannot be built.
    """
    go = Go()
    with _folder() as folder:
        executable = build(go, folder)
        with running(executable) as server:
            arguments = ["run", "--pid", str(server.pid), "--plugins", "nethttp,jsonrpc"]
            _say(f"demo: it is process {server.pid}, listening on {server.host}:{server.port}; tracing it with")
            _say(f"demo:   goinst {' '.join(arguments)}")
            tracer = _Tracer([*arguments, "--output", "console", "--duration", _LONGEST])
            try:
                if not tracer.ready.wait(_READY_SECONDS) or tracer.process.poll() is not None:
                    return tracer.stop() or 1
                sent = drive(server.host, server.port, seconds)
            finally:
                code = tracer.stop()
    if code == 0:
        _explain(sent, tracer.summary)
    return code


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield where to keep the built server: the user's cache folder, or a passing one.

    The second where others could write to the first: what lies in there is run.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goinst" / "demo"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = cache.lstat()
        private = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022
    except (OSError, RuntimeError):  # Path.home() raises RuntimeError for a user without one
        private = False
    if private:
        yield cache
    else:
        with tempfile.TemporaryDirectory(prefix="goinst-demo-") as folder:
            yield Path(folder)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _explain(sent: int, summary: dict[str, Any]) -> None:
    _say(f"demo: {sent} requests sent, {summary.get('spans', '?')} spans seen (each call of a batch has its own).")
    _say("demo: The server was not restarted, rebuilt or changed: goinst put uprobes on a few of its functions")
    _say("demo: and took them away again.")
    _say("demo: now a program of your own, by the port that it listens on:")
    _say("demo:     goinst run --port PORT --plugins nethttp,jsonrpc")
    _say("demo:     goinst inspect --pid PID      (before that: what would be seen, and what not)")


class _Tracer:
    """``goinst run`` as a child: its spans go to our stdout, its diagnostics (JSON lines) are read here."""

    def __init__(self, arguments: list[str]) -> None:
        self.ready = threading.Event()  # probes are live, or the tracer has ended
        self.summary: dict[str, Any] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "goinst.cli.main", *arguments], stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                _say(line.rstrip("\n"))
            elif event.get("event") == "ready":
                self.ready.set()
            elif event.get("event") == "summary":
                self.summary = event
            elif event.get("level") not in {"debug", "info"}:
                _say(line.rstrip("\n"))
        self.ready.set()

    def stop(self) -> int:
        """End the tracer as Ctrl-C would; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join(_STOP_SECONDS)
        return code
