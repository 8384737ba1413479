"""JSON-RPC calls by HTTP POST per second of one Go server: untouched, HTTP traced, JSON-RPC traced; their hits."""

from __future__ import annotations

import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from process import cpu_seconds, serving, start_and_wait

__all__ = ["MODES", "measure_jsonrpc"]

MODES = {"untouched": "", "nethttp": "nethttp", "jsonrpc": "nethttp,jsonrpc"}
_GOINST = Path(sys.executable).with_name("goinst")
_CALL = '{"method":"Arith.Multiply","params":[{"A":6,"B":7}],"id":41}'
_POST = f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{_CALL}'
"""


def measure_jsonrpc(binary: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure every mode in turn, ``rounds`` times; print a table; all figures."""
    samples: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory(prefix="goinst-bench-") as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_POST)
        for turn in range(rounds):
            for mode, plugins in MODES.items():
                samples[mode].append(_measure(binary, plugins, seconds, script))
                print(
                    f"  round {turn + 1}/{rounds}: {mode:<9} {samples[mode][-1]['rate']:>9,.0f} calls/s",
                    file=sys.stderr,
                )
    print(f"\nJSON-RPC by POST: wrk -t1 -c8 -d{seconds}s on net/rpc/jsonrpc over net/http, medians of {rounds} rounds")
    print(f"{'traced':<10}{'calls/s':>11}{'ratio':>7}{'spread':>13}{'server µs/call':>16}{'hits/call':>11}{'lost':>7}")
    summary = {}
    for mode, taken in samples.items():
        pairs = zip(taken, samples["untouched"], strict=True)
        ratios = sorted(sample["rate"] / untouched["rate"] for sample, untouched in pairs)
        row = {
            "calls_per_second": statistics.median(sample["rate"] for sample in taken),
            "ratio": statistics.median(ratios),
            "ratio_lowest": ratios[0],
            "ratio_highest": ratios[-1],
            "server_cpu_us_per_call": statistics.median(sample["server_cpu_us"] for sample in taken),
            "hits_per_call": statistics.median(sample["hits"] for sample in taken),
            "lost": sum(sample["lost"] for sample in taken),
        }
        summary[mode] = {**row, "samples": taken}
        print(
            f"{mode:<10}{row['calls_per_second']:>11,.0f}{row['ratio']:>7.2f}{f'{ratios[0]:.2f}-{ratios[-1]:.2f}':>13}"
            f"{row['server_cpu_us_per_call']:>16.1f}{row['hits_per_call']:>11.3f}{row['lost']:>7.0f}"
        )
    return summary


def _measure(binary: Path, plugins: str, seconds: int, script: Path) -> dict[str, float]:
    with serving(binary) as (pid, port):
        _load(port, 1, script)
        tracer = None
        if plugins:
            output = f"msgpack:{script.parent}/spans.msgpack"
            tracer = start_and_wait(
                [_GOINST, "run", "--pid", str(pid), "--plugins", plugins, "--output", output], '"ready"'
            )
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
