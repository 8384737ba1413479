"""Runs in the guest: loads every program of every plugin, and counts the tail calls of one hit; one line of JSON.

python3 guest_programs.py PROGRAMS
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
import time
from typing import Any

import msgpack
from uprobed import hit, on_a_function

from goinst.kernel import syscalls as kernel
from goinst.kernel.loader import load
from goinst.kernel.program import BpfObject
from goinst.plan.source import Program
from jit import uses_private_stack


def every_program(path: str, ways: list[bool]) -> dict[str, Any]:
    """What the verifier refuses, and what has a private stack."""
    loaded_in_all, refused, private = 0, [], []
    with open(path, "rb") as file:
        bundles = msgpack.unpackb(file.read())
    for name, wanted, rows, packed in bundles:
        # optional: so that all that are refused are listed
        programs = [Program(**{**members, "required": False}) for members in wanted]
        for multi in ways:
            began = time.monotonic()
            loaded = load(
                BpfObject.unpack(packed), tuple(programs), multi=multi, ring_bytes=1 << 16, operations=64, rows=rows
            )
            refused += [f"{name}: {one}" for one in loaded.rejected]
            private += [f"{name}: {what}" for what, program in loaded.programs.items() if uses_private_stack(program)]
            loaded_in_all += len(loaded.programs)
            loaded.close()
            way = "uprobe_multi" if multi else "perf events"
            print(f"PROGRESS {name}: {len(programs)} programs for {way}, {time.monotonic() - began:.0f} s", flush=True)
    return {"loaded": loaded_in_all, "refused": refused, "private": private}


def tail_calls(multi: bool) -> int:
    """How many programs run when one enters itself by a tail call for ever: the guard must not use up any."""
    counts, tails = kernel.create_map("counts", 2, 4, 8, 1), kernel.create_map("tails", 3, 4, 4, 1)

    def instruction(code: int, to: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
        return struct.pack("<BBhi", code, source << 4 | to, offset, immediate)

    code = b"".join((
        instruction(0xBF, 6, 1),  # r6 = r1
        instruction(0x62, 10, 0, -4, 0), instruction(0xBF, 2, 10), instruction(0x07, 2, 0, 0, -4),
        instruction(0x18, 1, 1, 0, counts), instruction(0), instruction(0x85, 0, 0, 0, 1),  # r0 = lookup(counts, 0)
        instruction(0x15, 0, 0, 2), instruction(0xB7, 1, 0, 0, 1), instruction(0xDB, 0, 1),  # lock *r0 += 1
        instruction(0xBF, 1, 6), instruction(0x18, 2, 1, 0, tails), instruction(0), instruction(0xB7, 3),
        instruction(0x85, 0, 0, 0, 12), instruction(0xB7), instruction(0x95),
    ))  # fmt: skip
    guard = kernel.create_guard()
    program, _ = kernel.load_program("again", code, guard=guard, attach_type=48 if multi else 0)
    kernel.update(tails, struct.pack("<I", 0), struct.pack("<I", program))
    with on_a_function(program, multi=multi):
        hit(0)
    value = kernel.lookup(counts, struct.pack("<I", 0), 8)
    assert value is not None
    return int(struct.unpack("<Q", value)[0])


def main() -> None:
    features = kernel.probe_features()
    ways = [False, True] if features["uprobe_multi"] is True else [False]
    result = {"release": os.uname().release, "features": features, "tail_calls": [tail_calls(multi) for multi in ways]}
    print("RESULT", json.dumps(result | every_program(sys.argv[1], ways)))


assert ctypes.sizeof(ctypes.c_void_p) == 8
main()
