"""Runs in the guest: goinst under one set of capabilities after the other, on one Go server; one line of JSON.

python3 guest_privileges.py
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOINST = "import sys, compiled_before; from goinst.cli.main import main; sys.exit(main())"
# as a kernel with the mend of CVE-2025-38466 does it, also where this one is without
REFUSE = """
import goinst.kernel.syscalls as kernel
def refuse(*_): raise PermissionError(13, "Permission denied")
kernel.open_perf_uprobe = refuse
"""
before = ""
NUMBERS = {
    "DAC_OVERRIDE": 1,
    "DAC_READ_SEARCH": 2,
    "SYS_PTRACE": 19,
    "SYS_ADMIN": 21,
    "LEASE": 28,
    "PERFMON": 38,
    "BPF": 39,
}
DEPLOYED = ("BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "LEASE")
EVENTS = Path("/sys/kernel/tracing/uprobe_events")
REQUESTS = 20
ASKED = ("kernel", "privileges", "load a program", "attaching")
libc = ctypes.CDLL(None, use_errno=True)


def only(capabilities: tuple[str, ...], user: int = 0) -> Callable[[], None]:
    """For the child: these and no others; as another user they are ambient (capabilities(7))."""
    kept = {NUMBERS[name] for name in capabilities}

    def prctl(*arguments: int) -> None:
        if libc.prctl(*(ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0)[:5])) != 0:
            raise OSError(ctypes.get_errno(), f"prctl{arguments}")

    def change() -> None:
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
        prctl(8, 1)  # PR_SET_KEEPCAPS
        for number in range(last + 1):
            if number not in kept:
                prctl(24, number)  # PR_CAPBSET_DROP
        if user:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        words = [sum(1 << number - 32 * word for number in kept if number // 32 == word) for word in (0, 1)]
        head = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)(words[0], words[0], words[0], words[1], words[1], words[1])
        if libc.capset(head, data) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        for number in kept if user else ():
            prctl(47, 2, number)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE

    return change


class Server:
    def __init__(self) -> None:
        self.process = subprocess.Popen(["/ping"], stdout=subprocess.PIPE, text=True, preexec_fn=only((), 1001))
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[1]

    def ask(self, times: int) -> None:
        for number in range(times):
            with urllib.request.urlopen(f"http://{self.address}/ping?n={number}", timeout=60) as answer:
                answer.read()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", before + GOINST, *arguments]


def trace(server: Server, *, end: int = signal.SIGINT, **child: Any) -> dict[str, Any]:
    """A run: how it attached, its spans, how it ended, what it said, and what is in tracefs during and after it."""
    with open("/tmp/spans", "w") as spans, open("/tmp/said", "w") as said:
        run = ("run", "--pid", str(server.process.pid), "--plugins", "nethttp", "--output", "json")
        goinst = subprocess.Popen(command(*run), stdout=spans, stderr=said, **child)
    ready: dict[str, Any] = {}
    while goinst.poll() is None and not ready:
        for line in Path("/tmp/said").read_text().splitlines():
            if line.endswith("}") and json.loads(line)["event"] == "ready":
                ready = json.loads(line)
        time.sleep(0.1)
    during = names()
    if ready:
        server.ask(REQUESTS)
        time.sleep(1)
        goinst.send_signal(end)
    code = goinst.wait(300)
    server.ask(1)
    said_text = Path("/tmp/said").read_text()
    return {
        "code": code, "attach": ready.get("attach"), "spans": len(Path("/tmp/spans").read_text().splitlines()),
        "said": [line for line in said_text.splitlines() if not line.startswith("{")],
        "missing": [line for line in said_text.splitlines() if "capability missing" in line],
        "during": during, "after": names(), "seconds": ready.get("seconds"),
    }  # fmt: skip


def names() -> list[str]:
    """goinst's in uprobe_events."""
    if not EVENTS.exists():
        return []
    return [line.split()[0] for line in EVENTS.read_text().splitlines() if "goinst_" in line]


def doctor(**child: Any) -> dict[str, Any]:
    # not the compiler's, which take a minute each here
    code = f"{before}import goinst.cli.checks as c; c.CHECKS = {{n: c.CHECKS[n] for n in {ASKED}}}; {GOINST}"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--json"], capture_output=True, text=True, check=False, **child
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    return {"code": done.returncode} | checks


def paranoid(level: int) -> None:
    Path("/proc/sys/kernel/perf_event_paranoid").write_text(f"{level}\n")


def main() -> None:
    global before
    server, results = Server(), {}

    def case(name: str, **child: Any) -> None:
        results[name] = {"run": trace(server, **child), "doctor": doctor(**child)}
        print(f"PROGRESS {name}: {json.dumps(results[name]['run'])}", flush=True)

    os.environ["XDG_CACHE_HOME"] = "/tmp/cache"
    case("root")
    paranoid(3)
    case("deployed, paranoid", preexec_fn=only(DEPLOYED))
    paranoid(2)
    case("deployed", preexec_fn=only(DEPLOYED))
    os.environ["XDG_CACHE_HOME"] = "/tmp/cache-of-1000"
    case("user", preexec_fn=only(DEPLOYED, 1000))
    case("user who may write", preexec_fn=only((*DEPLOYED, "DAC_OVERRIDE"), 1000))
    os.environ["XDG_CACHE_HOME"] = "/tmp/cache"
    if results["root"]["run"]["attach"] != "uprobe_multi":
        before = REFUSE
        case("perf events refused", preexec_fn=only(DEPLOYED))
        before = ""
    results["killed"] = {"run": trace(server, end=signal.SIGKILL, preexec_fn=only(DEPLOYED))}
    case("behind the killed one", preexec_fn=only(DEPLOYED))
    subprocess.run(["umount", "/sys/kernel/tracing"], check=True)
    subprocess.run(["umount", "/sys/kernel/debug"], check=True)
    case("no tracefs", preexec_fn=only(DEPLOYED))
    case("admin, no tracefs", preexec_fn=only((*DEPLOYED, "SYS_ADMIN")))
    print("RESULT", json.dumps(results))


main()
