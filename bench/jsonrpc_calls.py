"""JSON-RPC calls by HTTP POST per second of one Go server: untouched, HTTP traced, JSON-RPC traced; their hits."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from process import cpu_seconds, serving, start_and_wait
from rounds import in_rounds, summarise

__all__ = ["MODES", "measure_jsonrpc"]

_BOTH = ("--plugins", "nethttp,jsonrpc")
MODES = {
    "untouched": (),
    "nethttp": ("--plugins", "nethttp"),
    "jsonrpc": _BOTH,
    # as at first, or where bodies come late: their reads are probed
    "reads": (*_BOTH, "--set", f"jsonrpc.watched_posts={1 << 40}"),
}
_GOINST = Path(sys.executable).with_name("goinst")
_CALL = '{"method":"Arith.Multiply","params":[{"A":6,"B":7}],"id":41}'
_POST = f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{_CALL}'
"""


def measure_jsonrpc(binary: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure every mode in turn, ``rounds`` times; print a table; all figures."""
    with tempfile.TemporaryDirectory(prefix="goinst-bench-") as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_POST)
        samples = in_rounds(
            rounds, {mode: partial(_measure, binary, arguments, seconds, script) for mode, arguments in MODES.items()}
        )
    title = f"JSON-RPC by POST: wrk -t1 -c8 -d{seconds}s on net/rpc/jsonrpc over net/http"
    return summarise(title, rounds, samples)


def _measure(binary: Path, arguments: Sequence[str], seconds: int, script: Path) -> dict[str, float]:
    with serving(binary) as (pid, port):
        _load(port, 1, script)
        tracer = None
        if arguments:
            output = f"msgpack:{script.parent}/spans.msgpack"
            tracer = start_and_wait([_GOINST, "run", "--pid", str(pid), *arguments, "--output", output], '"ready"')
        before = cpu_seconds(pid)
        calls, rate = _load(port, seconds, script)
        spent = cpu_seconds(pid) - before
        time.sleep(0.2)  # the tracer takes what is still in its buffer
        hits = lost = 0
        if tracer:
            tracer.end(signal.SIGINT)
            told = next(json.loads(line) for line in tracer.lines if '"summary"' in line)
            hits, lost = sum(told["hits"].values()), sum(told["losses"].values())
    return {"rate": rate, "server_cpu_us": spent / calls * 1e6, "hits": hits / calls, "lost": lost}


def _load(port: int, seconds: int, script: Path) -> tuple[int, float]:
    """(calls answered, calls per second)."""
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/rpc"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    count, rate = re.search(r"(\d+) requests in", shown), re.search(r"Requests/sec:\s+([\d.]+)", shown)
    if not count or not rate or "Non-2xx" in shown:
        raise SystemExit(f"bench: wrk said something else than expected: {shown}")
    return int(count[1]), float(rate[1])
