"""``make bench``: what tracing costs here. Rounds in turn, medians; everything on the loopback interface, bounded.

    bench.py [--rounds N] [--seconds S] [--skip-throughput] [--skip-http] [--skip-grpc] [--skip-jsonrpc]
             [--skip-startup]

Prints its tables and writes all figures to build/bench.json. Needs root, Go and wrk; bpftrace takes part where it is
installed. On a machine with few cores the load generator, the server and the tracer share them, as they would there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from grpc_calls import measure_grpc  # noqa: E402
from http_calls import measure_http  # noqa: E402
from jsonrpc_calls import measure_jsonrpc  # noqa: E402
from large import write_large_program  # noqa: E402
from startup import Start, measure_start  # noqa: E402
from throughput import MODES, Sample, measure_round  # noqa: E402

from gobuild import PROGRAMS, build  # noqa: E402

RESULTS = ROOT / "build" / "bench.json"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="what tracing with goinst costs on this machine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load for each measurement")
    parser.add_argument("--starts", type=int, default=5, help="how often each start is measured")
    parser.add_argument("--skip-throughput", action="store_true")
    parser.add_argument("--skip-http", action="store_true")
    parser.add_argument("--skip-grpc", action="store_true")
    parser.add_argument("--skip-jsonrpc", action="store_true")
    parser.add_argument("--skip-startup", action="store_true")
    wanted = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root, as tracing does: make bench")
    if shutil.which("wrk") is None:
        sys.exit("bench: needs wrk: apt install wrk")

    results: dict[str, Any] = {"machine": _machine()}
    print(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    if not wanted.skip_throughput:
        results["throughput"] = _throughput(wanted.rounds, wanted.seconds)
    if not wanted.skip_http:
        results["http"] = measure_http(build(PROGRAMS / "traffic"), wanted.rounds, wanted.seconds)
    if not wanted.skip_grpc:
        results["grpc"] = measure_grpc(build(PROGRAMS / "grpc"), wanted.rounds, wanted.seconds)
    if not wanted.skip_jsonrpc:
        results["jsonrpc"] = measure_jsonrpc(build(PROGRAMS / "arith"), wanted.rounds, wanted.seconds)
    if not wanted.skip_startup:
        results["startup"] = _startup(wanted.starts)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nall figures: {RESULTS.relative_to(ROOT)}")


def _machine() -> dict[str, Any]:
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "go": go.stdout.strip(),
        "python": platform.python_version(),
    }


def _throughput(rounds: int, seconds: int) -> dict[str, Any]:
    modes = [mode for mode in MODES if mode != "bpftrace" or shutil.which("bpftrace")]
    if "bpftrace" not in modes:
        print("bpftrace is not installed: no comparison with it (apt install bpftrace)")
    binary = build(PROGRAMS / "ping")
    samples: dict[str, list[Sample]] = {mode: [] for mode in modes}
    with tempfile.TemporaryDirectory(prefix="goinst-bench-") as folder:
        for turn in range(rounds):
            for mode, sample in measure_round(binary, modes, seconds, Path(folder)):
                samples[mode].append(sample)
                print(f"  round {turn + 1}/{rounds}: {mode:<9} {sample.rate:>9,.0f} requests/s", file=sys.stderr)

    print(f"\nwrk -t1 -c8 -d{seconds}s on a Go net/http ping server, medians of {rounds} rounds")
    print(
        f"{'':<10}{'requests/s':>11}{'ratio':>7}{'spread':>13}"
        f"{'server µs/req':>15}{'tracer µs/span':>16}{'tracer MB':>11}{'lost':>7}"
    )
    summary = {}
    for mode, taken in samples.items():
        # Each against the untouched server of its own round: the machine's speed changes from round to round.
        pairs = zip(taken, samples["untouched"], strict=True)
        rates = sorted(sample.rate / untouched.rate for sample, untouched in pairs)
        row = {
            "requests_per_second": _median([sample.rate for sample in taken]),
            "ratio": _median(rates),
            "ratio_lowest": rates[0],
            "ratio_highest": rates[-1],
            "server_cpu_us_per_request": _median([sample.server_cpu_us for sample in taken]),
            "tracer_cpu_us_per_span": _median([sample.tracer_cpu_us for sample in taken]),
            "tracer_rss_mb": _median([sample.tracer_rss_mb for sample in taken]),
            "lost": sum(sample.lost for sample in taken),
        }
        summary[mode] = {**row, "samples": [sample.as_dict() for sample in taken]}
        traced = mode != "untouched"
        print(
            f"{mode:<10}{row['requests_per_second']:>11,.0f}{row['ratio']:>7.2f}"
            f"{f'{rates[0]:.2f}-{rates[-1]:.2f}':>13}{row['server_cpu_us_per_request']:>15.1f}"
            + (f"{row['tracer_cpu_us_per_span']:>16.1f}{row['tracer_rss_mb']:>11.0f}{row['lost']:>7}" if traced else "")
        )
    return summary


def _startup(starts: int) -> dict[str, Any]:
    print("\nbuilding a program of about 60 MB (the first time takes minutes)", file=sys.stderr)
    binaries = [build(PROGRAMS / "arith"), build(write_large_program(ROOT / "build" / "bench-large"))]
    print(f"\nseconds from exec to ready, and from SIGINT to exit, medians of {starts}")
    print(f"{'binary':<16}{'nothing cached':>16}{'cached':>9}{'clean-up':>10}")
    summary = {}
    for binary in binaries:
        taken: list[Start] = [measure_start(binary) for _ in range(starts)]
        row = {
            "megabytes": binary.stat().st_size / 1e6,
            "cold_seconds": _median([start.cold for start in taken]),
            "cached_seconds": _median([start.cached for start in taken]),
            "cleanup_seconds": _median([start.cleanup for start in taken]),
        }
        summary[binary.name] = row
        print(
            f"{row['megabytes']:>9.0f} MB    {row['cold_seconds']:>16.2f}{row['cached_seconds']:>9.2f}"
            f"{row['cleanup_seconds']:>10.2f}"
        )
    return summary


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


if __name__ == "__main__":
    main()
