"""Go servers and the real ``goinst`` command as processes, for tests that look at them from outside only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

GOINST = Path(sys.executable).with_name("goinst")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)")
READY_SECONDS = 60.0
PATIENCE = 10.0

Span = dict[str, Any]


class Server:
    """A started Go server of tests/go: its pid, its port, and what it prints."""

    def __init__(self, process: subprocess.Popen[str], binary: Path) -> None:
        self.process = process
        self.binary = binary
        self.pid = process.pid
        self.lines: list[str] = []
        self._grew = threading.Condition()
        assert process.stdout is not None
        first = process.stdout.readline().split()
        assert first[:1] == ["listening"], f"{binary} did not listen: {first}"
        self.port = int(first[1].rpartition(":")[2])
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grew:
                self.lines.append(line.rstrip("\n"))
                self._grew.notify_all()

    def wait_lines(self, count: int) -> list[str]:
        """The first ``count`` lines behind "listening"."""
        with self._grew:
            assert self._grew.wait_for(lambda: len(self.lines) >= count, PATIENCE), self.lines
            return self.lines[:count]

    def request(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One request on a connection of its own: (status, body)."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def call(self, message: object, path: str = "/rpc") -> tuple[int, bytes]:
        """POST a JSON value."""
        return self.request("POST", path, json.dumps(message), {"Content-Type": "application/json"})

    def raw(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """Send bytes as they are, piece by piece, and return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number, piece in enumerate(pieces):
                if number and pause:
                    time.sleep(pause)
                connection.sendall(piece)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


@contextmanager
def serving(binary: Path, *arguments: str) -> Iterator[Server]:
    """Start a server that prints ``listening ADDRESS``; kill it at the end."""
    process = subprocess.Popen([binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield Server(process, binary)
    finally:
        process.kill()
        process.wait()


@dataclass
class Ended:
    """How a run ended: exit code, spans, diagnostics, and the lines of stderr that are no JSON."""

    code: int
    spans: list[Span]
    events: list[dict[str, Any]]
    noise: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """The last diagnostic, which must be the summary."""
        assert self.events, self.noise
        assert self.events[-1]["event"] == "summary", self.events[-1]
        return self.events[-1]


class Tracer:
    """``goinst run`` as a child. Spans come from its stdout, one JSON object a line."""

    def __init__(self, arguments: Sequence[str], command: str = "run", prefix: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, str(GOINST), command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.spans: list[Span] = []
        self.partial: list[Span] = []
        self.events: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._grew = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._span), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self._event), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Any, take: Callable[[str], None]) -> None:
        for line in stream:
            with self._grew:
                take(line.rstrip("\n"))
                self._grew.notify_all()
        with self._grew:
            self._grew.notify_all()

    def _span(self, line: str) -> None:
        span = json.loads(line)  # stdout carries nothing but spans
        assert span["event"] in ("span", "partial")
        (self.spans if span["event"] == "span" else self.partial).append(span)

    def _event(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            self.noise.append(line)
        else:
            self.events.append(event)

    def _wait(self, done: Callable[[], bool], seconds: float) -> bool:
        with self._grew:
            return self._grew.wait_for(lambda: done() or self.process.poll() is not None, seconds) and done()

    def wait_event(self, name: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first diagnostic of this name, awaited."""
        found = self._wait(lambda: any(event["event"] == name for event in self.events), seconds)
        assert found, f"no {name!r} within {seconds} s: {self.events} {self.noise}"
        return next(event for event in self.events if event["event"] == name)

    def wait_probe(self, symbol: str, seconds: float = PATIENCE) -> None:
        """Until probes on a function were added on demand."""

        def there() -> bool:
            added = (event["symbols"] for event in self.events if event["event"] == "probes added on demand")
            return any(symbol in symbols for symbols in added)

        assert self._wait(there, seconds), f"no probe on {symbol} within {seconds} s: {self.events} {self.noise}"

    def wait_spans(self, count: int, seconds: float = PATIENCE) -> list[Span]:
        """The spans so far, at least ``count`` of them."""
        assert self._wait(lambda: len(self.spans) >= count, seconds), (
            f"{len(self.spans)} of {count} spans within {seconds} s: "
            f"{[span['name'] for span in self.spans]} {self.events} {self.noise}"
        )
        return list(self.spans)

    def wait_partial(self, count: int, seconds: float = PATIENCE) -> list[Span]:
        """The reports of what was still open, at least ``count`` of them."""
        found = self._wait(lambda: len(self.partial) >= count, seconds)
        assert found, f"{len(self.partial)} of {count} within {seconds} s: {self.events} {self.noise}"
        return list(self.partial)

    def stop(self, number: int = signal.SIGINT) -> Ended:
        """Send a signal (none when it is 0) and take what the run leaves."""
        began = time.monotonic()
        if number:
            self.process.send_signal(number)
        code = self.process.wait(READY_SECONDS)
        seconds = time.monotonic() - began
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any("Traceback" in line for line in self.noise), self.noise
        return Ended(code, self.spans, self.events, self.noise, seconds)


@contextmanager
def tracing(*arguments: str, ready: bool = True, command: str = "run", prefix: Sequence[str] = ()) -> Iterator[Tracer]:
    """Run goinst with JSON spans on stdout (a command other than run: as it is told), by the command ``prefix`` if
    there is one; killed at the end if the test did not stop it."""
    output = () if "--output" in arguments or command != "run" else ("--output", "json")
    before, dashes, argv = _split(arguments)
    tracer = Tracer([*before, *output, *dashes, *argv], command, prefix)
    try:
        if ready:
            tracer.wait_event("ready", READY_SECONDS)
        yield tracer
    finally:
        if tracer.process.poll() is None:
            tracer.process.terminate()
            try:
                tracer.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                tracer.process.kill()
                tracer.process.wait()


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    words = list(arguments)
    if "--" not in words:
        return words, [], []
    at = words.index("--")
    return words[:at], ["--"], words[at + 1 :]


def goinst(*arguments: str, seconds: float = 60.0, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [str(GOINST), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
        **more,
    )


def named(spans: Sequence[Span], name: str) -> Span:
    """The only span of this name."""
    found = [span for span in spans if span["name"] == name]
    assert len(found) == 1, f"{len(found)} spans called {name!r} among {[span['name'] for span in spans]}"
    return found[0]
