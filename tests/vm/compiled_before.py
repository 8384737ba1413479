"""Imported in a guest before goinst runs: what was compiled on the host is not compiled again, by an emulated clang."""

from __future__ import annotations

import hashlib
import sys

import msgpack

from goinst.kernel.compiler import Compiler
from goinst.kernel.program import BpfObject

with open("/programs", "rb") as file:
    KEPT = msgpack.unpackb(file.read())
compile_here, warm_up = Compiler.compile, Compiler.warm_up


def take_or_compile(self: Compiler, source: str) -> BpfObject:
    kept = KEPT.get(hashlib.sha256(source.encode()).hexdigest())
    if kept is not None:
        return BpfObject.unpack(kept)
    print("not compiled before", file=sys.stderr)
    Compiler.warm_up = warm_up  # type: ignore[method-assign]
    return compile_here(self, source)


Compiler.compile = take_or_compile  # type: ignore[method-assign]
Compiler.warm_up = lambda self: None  # type: ignore[method-assign]
