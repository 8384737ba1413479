"""Runs in the guest: do two tasks ever share a program's stack? One line of JSON.

python3 guest_stack.py guarded|bare SECONDS

The program fills its frame with the number of the task that it runs for, takes some milliseconds, and looks all the
while whether that number is still there. ``bare`` takes the guard away (kernel/guard.py).
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time

from uprobed import hit, on_a_function

from goinst.kernel import syscalls as kernel
from jit import uses_private_stack

TASKS, ROUNDS, CALLS = 6, 4000, 4


def _(code: int, to: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", code, source << 4 | to, offset, immediate)


def program(counts: int) -> bytes:
    def count_and_end(index: int) -> bytes:
        return b"".join((
            _(0x62, 10, 0, -4, index), _(0xBF, 2, 10), _(0x07, 2, 0, 0, -4), _(0x18, 1, 1, 0, counts), _(0),
            _(0x85, 0, 0, 0, 1), _(0x15, 0, 0, 2), _(0xB7, 1, 0, 0, 1), _(0xDB, 0, 1),  # lock *lookup(...) += 1
            _(0xB7), _(0x95),
        ))  # fmt: skip

    whole, shared = count_and_end(0), count_and_end(1)
    return b"".join((
        _(0x85, 0, 0, 0, 14), _(0xBF, 7, 0), _(0x67, 7, 0, 0, 32),  # r7 = the task's number << 32
        *(_(0x7B, 10, 7, -8 * word) for word in range(2, 33)), _(0x77, 7, 0, 0, 32), _(0xB7, 8),
        # a round: bpf_ktime_get_ns takes a while; half of a word, so that the verifier does not know what is in it
        *(_(0x85, 0, 0, 0, 5) for _call in range(CALLS)),
        _(0x61, 1, 10, -196), _(0x5D, 1, 7, 2 + len(whole) // 8),
        _(0x07, 8, 0, 0, 1), _(0xA5, 8, 0, -4 - CALLS, ROUNDS), whole, shared,
    ))  # fmt: skip


def main() -> None:
    if sys.argv[1] == "bare":
        kernel.guarded = lambda code, tails: code  # type: ignore[assignment]
    counts, guard = kernel.create_map("counts", 2, 4, 8, 2), kernel.create_guard()
    multi = kernel.probe_features()["uprobe_multi"] is True
    loaded, _log = kernel.load_program("shared", program(counts), guard=guard, attach_type=48 if multi else 0)
    with on_a_function(loaded, multi=multi):
        tasks = []
        for _task in range(TASKS):
            pid = os.fork()
            if not pid:
                while True:
                    hit(0)
            tasks.append(pid)
        time.sleep(float(sys.argv[2]))
        for pid in tasks:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    values = [kernel.lookup(counts, struct.pack("<I", index), 8) for index in (0, 1)]
    whole, shared = (struct.unpack("<Q", value)[0] for value in values if value is not None)
    print("RESULT", json.dumps({"private": uses_private_stack(loaded), "whole": whole, "shared": shared}))


main()
