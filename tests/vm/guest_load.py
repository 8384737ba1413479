"""Runs in the guest: a Go service under load, with every plugin on it; one line of JSON at the end.

python3 guest_load.py guarded|bare SECONDS PLUGINS

/chain is four services that call each other by HTTP/1, HTTP/2 and gRPC; /netrpc and /connectrpc are asked from here.
``bare`` takes the guard away from goinst's programs (kernel/guard.py).
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from jit import bpf, kind_and_name, uses_private_stack

ROLES = ("leaf", "rpc", "middle", "edge")
GOINST = "import sys, compiled_before; from goinst.cli.main import main; sys.exit(main())"
BARE = "import goinst.kernel.syscalls as kernel; kernel.guarded = lambda code, tails: code; "
EACH = 200  # requests of one run of the driver
AT_ONCE = 20


class Service:
    """A Go program that prints where it listens, and then what it wants."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[1]
        self.wrong: list[str] = []
        self.errors: list[str] = []
        for stream, keep, lines in (
            (self.process.stdout, lambda line: "wrong" in line, self.wrong),
            (self.process.stderr, lambda line: True, self.errors),
        ):
            threading.Thread(target=self._read, args=(stream, keep, lines), daemon=True).start()

    @staticmethod
    def _read(stream: Any, keep: Callable[[str], bool], lines: list[str]) -> None:
        for line in stream:
            if keep(line) and len(lines) < 50:
                lines.append(line)

    def end(self) -> bool:
        """Whether it was still there."""
        alive = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        return alive


class Caller(threading.Thread):
    """Calls one after the other until it is told to stop; counts what was answered as it should be, and what not."""

    def __init__(self, call: Callable[[int], bool]) -> None:
        super().__init__(daemon=True)
        self.call, self.stop, self.right, self.wrong = call, threading.Event(), 0, collections.Counter[str]()
        self.start()

    def run(self) -> None:
        for number in itertools.count():
            if self.stop.is_set():
                return
            try:
                if self.call(number):
                    self.right += 1
                else:
                    self.wrong["another answer"] += 1
            except Exception as error:
                self.wrong[repr(error)[:200]] += 1
                time.sleep(0.1)
            time.sleep(0.01)


def by_netrpc(address: str) -> Callable[[int], bool]:
    host, _, port = address.rpartition(":")
    lines = socket.create_connection((host, int(port))).makefile("rw")

    def call(number: int) -> bool:
        lines.write(json.dumps({"method": "Arith.Multiply", "params": [{"A": number, "B": 7}], "id": number}) + "\n")
        lines.flush()
        answer = json.loads(lines.readline())
        return bool(answer == {"id": number, "result": number * 7, "error": None})

    return call


def by_connect(address: str) -> Callable[[int], bool]:
    def call(number: int) -> bool:
        body = json.dumps(f"n{number}").encode()
        request = urllib.request.Request(
            f"http://{address}/test.v1.PingService/Unary", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            return bool(json.loads(answer.read()) == f"n{number}")

    return call


def programs() -> Iterator[tuple[str, bool]]:
    """(name, whether it has a private stack) of each of goinst's programs in the kernel."""
    number = 0
    while True:
        try:
            number = struct.unpack_from("<I", bpf(11, struct.pack("<IIII", number, 0, 0, 0))[1], 4)[0]
        except FileNotFoundError:
            return
        descriptor, _ = bpf(13, struct.pack("<IIII", number, 0, 0, 0))
        try:
            kind, name = kind_and_name(descriptor)
            if kind == 2 and name.startswith("goinst"):
                yield name, uses_private_stack(descriptor)
        finally:
            os.close(descriptor)


def main() -> None:
    mode, seconds = sys.argv[1], float(sys.argv[2])
    services: dict[str, Service] = {}
    behind: tuple[str, ...] = ()
    for role in ROLES:
        services[role] = Service("/chain", role, *behind)
        behind = (services[role].address,)
    services["netrpc"] = Service("/netrpc", "-codec", "json")
    services["connect"] = Service("/connectrpc", "serve")
    with open("/tmp/said", "w") as said:
        command = ["run", "--plugins", sys.argv[3], "--propagate", "--output", "json:/tmp/spans"]
        for exe in ("/chain", "/netrpc", "/connectrpc"):
            command += ["--exe", exe]
        goinst = subprocess.Popen(
            [sys.executable, "-c", (BARE if mode == "bare" else "") + GOINST, *command],
            stdout=said, stderr=said,
        )  # fmt: skip
    events = wait_for("ready", goinst)
    result: dict[str, Any] = {"ready": events[-1], "programs": list(programs())}
    private = [name for name, has in result["programs"] if has]
    print(f"PROGRESS ready: {len(result['programs'])} programs, private stacks: {private}", flush=True)

    shutil.copy("/chain", "/tmp/driver")
    callers = {
        "netrpc": Caller(by_netrpc(services["netrpc"].address)),
        "connect": Caller(by_connect(services["connect"].address)),
    }
    driven, failed, end, next_word = 0, [], time.monotonic() + seconds, 0.0
    while time.monotonic() < end and all(service.process.poll() is None for service in services.values()):
        done = subprocess.run(
            ["/tmp/driver", "drive", f"http://{services['edge'].address}/go", str(EACH), str(AT_ONCE)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        driven += EACH
        if done.returncode or not done.stdout.strip().endswith("failed 0"):
            failed.append(done.stdout.strip() + done.stderr[:500])
        if time.monotonic() > next_word:
            next_word = time.monotonic() + 60
            said_so = {name: caller.right for name, caller in callers.items()}
            print(f"PROGRESS {driven} requests, failed {len(failed)} runs, {said_so}", flush=True)
    for caller in callers.values():
        caller.stop.set()
        caller.join(300)
    time.sleep(2)
    goinst.send_signal(signal.SIGINT)
    result["exit"] = goinst.wait(600)
    result["died"] = [role for role, service in services.items() if not service.end()]
    result["errors"] = {role: "".join(service.errors)[:2000] for role, service in services.items() if service.errors}
    result["wrong"] = {role: service.wrong for role, service in services.items() if service.wrong}
    result |= {"driven": driven, "failed": failed[:5]}
    result["called"] = {name: [caller.right, dict(caller.wrong)] for name, caller in callers.items()}
    with open("/tmp/said") as said:
        result["events"] = [json.loads(line) for line in said if line.startswith("{")]
    kinds = collections.Counter[str]()
    with open("/tmp/spans") as spans:
        for line in spans:
            span = json.loads(line)
            kinds[f"{span['plugin']} {span['kind']}"] += 1
            if span["kind"] == "server" and span["attributes"].get("url.path") == "/go":
                kinds["edge"] += 1
    result["spans"] = dict(kinds)
    print("RESULT", json.dumps(result))


def wait_for(event: str, goinst: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    while True:
        with open("/tmp/said") as said:
            text = said.read()
        events = [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
        if events and events[-1].get("event") == event:
            return events
        assert goinst.poll() is None, text
        time.sleep(0.5)


main()
