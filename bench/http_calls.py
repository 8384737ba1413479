"""HTTP requests per second between two Go processes, HTTP/1 and HTTP/2: untouched, one side traced, both."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any
from urllib.parse import quote

from process import cpu_seconds
from sides import measure_sides, tracing

__all__ = ["measure_http"]

_STREAMS = 16
_A_SECOND = 4000  # requests sent for each second that a measurement is to take


def measure_http(binary: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Both versions; a table for each. ``binary`` is tests/go/traffic, whose own logging is part of a call."""
    return {
        version: measure_sides(
            f"{version} requests of a mix of methods and sizes, {_STREAMS} at a time",
            rounds,
            lambda sides, options=options: _once(binary, options, seconds * _A_SECOND, sides),
        )
        for version, options in (("HTTP/1", []), ("HTTP/2", ["-tls"]))
    }


def _once(binary: Path, options: Sequence[str], requests: int, sides: Sequence[str]) -> dict[str, float]:
    with ExitStack() as stack:
        server, port = _started(stack, [str(binary), "-quiet", *options])
        client, drive = _started(stack, [str(binary), "-quiet"])
        pids = {"server": server.pid, "client": client.pid}
        url = f"http{'s' if options else ''}://127.0.0.1:{port}"
        losses = stack.enter_context(tracing([pids[side] for side in sides], "nethttp"))
        before, began = cpu_seconds(server.pid), time.monotonic()
        connection = HTTPConnection("127.0.0.1", drive, timeout=120)
        connection.request("GET", f"/drive?url={quote(url)}&requests={requests}&streams={_STREAMS}")
        status = connection.getresponse().status
        took, spent = time.monotonic() - began, cpu_seconds(server.pid) - before
        if status != 200:
            raise SystemExit(f"bench: the client program answered {status}")
    return {"rate": requests / took, "server_cpu_us": spent / requests * 1e6, "lost": sum(losses)}


def _started(stack: ExitStack, command: Sequence[str]) -> tuple[Popen[bytes], int]:
    """A process that says first where it listens; its port. What else it says goes to a file."""
    output = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goinst-bench-"))) / "log"
    process = Popen(command, stdout=stack.enter_context(output.open("wb")), stderr=DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    end = time.monotonic() + 10
    while b"\n" not in (said := output.read_bytes()):
        if time.monotonic() > end:
            raise SystemExit(f"bench: {command[0]} does not say where it listens")
        time.sleep(0.02)
    return process, int(said.split(b"\n")[0].rpartition(b":")[2])
