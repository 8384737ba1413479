"""Unary gRPC calls per second between two Go processes: untouched, one side traced, both."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from process import cpu_seconds
from sides import measure_sides, tracing

__all__ = ["measure_grpc"]

_WORKERS, _CONNECTIONS = "16", "4"


def measure_grpc(binary: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure every mode in turn, ``rounds`` times; print a table; all figures."""
    return measure_sides(
        f"unary gRPC calls, {_WORKERS} at a time on {_CONNECTIONS} connections",
        rounds,
        lambda sides: _once(binary, seconds, sides),
    )


def _once(binary: Path, seconds: int, sides: Sequence[str]) -> dict[str, float]:
    with ExitStack() as stack:
        server = _started(stack, [binary, "serve"])
        assert server.stdout is not None
        address = server.stdout.readline().split()[1].removeprefix("tcp:")
        client = _started(stack, [binary, "load", address, str(seconds), _WORKERS, _CONNECTIONS])
        pids = {"server": server.pid, "client": client.pid}
        with tracing([pids[side] for side in sides], "grpc") as losses:
            before = cpu_seconds(server.pid)
            said, _ = client.communicate("go\n", timeout=seconds + 60)
            spent = cpu_seconds(server.pid) - before
        found = re.search(r"(\d+) calls in ([\d.]+) s", said)
        if not found:
            raise SystemExit(f"bench: the load program said something else than expected: {said}")
        calls = int(found[1])
    return {"rate": calls / float(found[2]), "server_cpu_us": spent / calls * 1e6, "lost": sum(losses)}


def _started(stack: ExitStack, command: Sequence[str | Path]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process
