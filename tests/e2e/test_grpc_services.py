"""gRPC services that nobody wrote for a test: etcd, under its own client, against its own count of what it handled."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from grpc_program import free_port
from harness import PATIENCE, needs_root, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, pytest.mark.matrix, needs_root]

_HANDLED = re.compile(
    r'^grpc_server_handled_total\{grpc_code="(\w+)",grpc_method="(\w+)",grpc_service="([\w.]+)",[^}]*\} (\d+)', re.M
)
# the names that etcd's counters have for codes, where they are not the specification's
_CODES = {"OK": "OK", "Canceled": "CANCELLED"}


@contextmanager
def etcd(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    binary = build(PROGRAMS / "etcd", package="go.etcd.io/etcd/server/v3")
    port, peer = free_port(), free_port()
    process = subprocess.Popen(
        [
            binary, f"--data-dir={folder / 'data'}", "--log-level=error", f"--initial-cluster=default=http://127.0.0.1:{peer}",
            f"--listen-client-urls=http://127.0.0.1:{port}", f"--advertise-client-urls=http://127.0.0.1:{port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 3 * PATIENCE
        while b"true" not in health(port):
            assert time.monotonic() < until, "etcd does not get healthy"
            time.sleep(0.1)
        yield process, port
    finally:
        process.kill()
        process.wait()


def health(port: int) -> bytes:
    try:
        return bytes(urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read())
    except OSError:
        return b""


def handled(port: int) -> Counter[tuple[str, str]]:
    """What etcd says of the RPCs that it has handled: how many of each method and code."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return Counter(
        {(f"{m[3]}/{m[2]}", _CODES.get(m[1], m[1])): int(m[4]) for m in _HANDLED.finditer(text) if m[4] != "0"}
    )


def test_etcd(tmp_path: Path) -> None:
    """Each RPC that etcd counts has a span of that method and code, and each that its client makes has one, too."""
    control = build(PROGRAMS / "etcd", package="go.etcd.io/etcd/etcdctl/v3")
    with etcd(tmp_path) as (process, port), tracing("--pid", str(process.pid), "--plugins", "grpc") as tracer:
        before = handled(port)
        endpoint = f"--endpoints=127.0.0.1:{port}"

        def run(*arguments: str, code: int = 0) -> str:
            done = subprocess.run(
                [control, endpoint, *arguments], capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == code, (arguments, done.stderr)
            return done.stdout

        watch = subprocess.Popen([control, endpoint, "watch", "key"], stdout=subprocess.PIPE, text=True)
        for number in range(20):
            run("put", f"key{number}", "value")
            assert "value" in run("get", f"key{number}")
        run("del", "key1")
        lease = run("lease", "grant", "60").split()[1]
        run("put", "--lease", lease, "leased", "value")
        run("lease", "timetolive", lease)
        run("lease", "revoke", lease)
        run("lease", "revoke", "1", code=1)  # NOT_FOUND
        run("member", "list")
        run("endpoint", "status")
        run("compact", "10")
        run("compact", "10", code=1)  # OUT_OF_RANGE
        run("snapshot", "save", str(tmp_path / "snapshot"))
        # takes a minute; that it finds this machine too slow is no matter
        subprocess.run([control, endpoint, "check", "perf", "--load=s"], capture_output=True, timeout=150, check=False)
        watch.kill()
        watch.wait()
        with tracing("--plugins", "grpc", "--", str(control), endpoint, "put", "traced", "v", ready=False) as own:
            (made,) = own.stop(0).spans
        time.sleep(1)
        told = handled(port) - before
        ended = tracer.stop()
    assert ended.summary["losses"] == {}
    seen = Counter((span["name"], span["attributes"]["goinst.grpc.status"]) for span in ended.spans)
    assert sum(seen.values()) > 8000
    # a client that goes away ends a stream as CANCELLED; the code that its handler returned then is another thing
    streams = {"etcdserverpb.Watch/Watch", "etcdserverpb.Lease/LeaseKeepAlive"}
    assert {key: count for key, count in seen.items() if key[0] not in streams} == {
        (name, code_name(code)): count for (name, code), count in told.items() if name not in streams
    }
    assert by_name(seen) == by_name(told)
    assert ("etcdserverpb.Lease/LeaseRevoke", "NOT_FOUND") in seen
    assert ("etcdserverpb.KV/Compact", "OUT_OF_RANGE") in seen
    assert (made["name"], made["attributes"]["goinst.grpc.status"]) == ("etcdserverpb.KV/Put", "OK")
    assert made["attributes"]["server.port"] == port


def code_name(code: str) -> str:
    """NotFound: NOT_FOUND."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).upper()


def by_name(counts: Counter[tuple[str, str]]) -> Counter[str]:
    names: Counter[str] = Counter()
    for (name, _), count in counts.items():
        names[name] += count
    return names
