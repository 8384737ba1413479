"""The compile child: `python -m goinst.kernel.compiler_bcc`. The only module that imports bcc.

It reads one msgpack map ``{"source", "flags", "include"}`` from standard input and writes one to the descriptor
that its argument names: ``{"maps", "programs", "library"}``, or ``{"error"}``. What clang and LLVM say goes to standard
error, which the parent keeps; if LLVM aborts or exits, that is all there is.
"""

from __future__ import annotations

import ctypes
import os
import sys

import msgpack

__all__: list[str] = []


def main() -> None:
    """Import bcc first: the parent starts this process before it knows what to compile."""
    from bcc import BPF
    from bcc.libbcc import lib

    from goinst.kernel.compiler import stamp
    from goinst.kernel.program import relocate

    request = msgpack.unpackb(sys.stdin.buffer.read())
    os.environ["BCC_KERNEL_SOURCE"] = request["include"]
    answer: dict[str, object]
    try:
        compiled = BPF(text=request["source"].encode(), cflags=request["flags"])
    except Exception as error:
        answer = {"error": str(error).strip() or type(error).__name__}
    else:
        module = ctypes.c_void_p(compiled.module) if isinstance(compiled.module, int) else compiled.module
        lib.bpf_table_name.restype = ctypes.c_char_p
        maps, index = [], {}
        for number in range(lib.bpf_num_tables(module)):
            row = [lib.bpf_table_name(module, number).decode()]
            for what in ("type", "key_size", "leaf_size", "max_entries", "flags"):
                row.append(getattr(lib, f"bpf_table_{what}_id")(module, number))
            index[lib.bpf_table_fd_id(module, number)] = number
            maps.append(row)
        programs = {}
        for number in range(lib.bpf_num_functions(module)):
            name = lib.bpf_function_name(module, number)
            programs[name.decode()] = relocate(compiled.dump_func(name), index)
        answer = {"maps": maps, "programs": programs, "library": stamp(_library())}
    with os.fdopen(int(sys.argv[1]), "wb") as out:
        out.write(msgpack.packb(answer))
    # Skip the interpreter's and BCC's clean-up (it wants tracefs): the kernel closes what is open.
    os._exit(0)


def _library() -> str:
    """The file that BCC, with clang and LLVM in it, was loaded from."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        return next((line.split(maxsplit=5)[5].rstrip("\n") for line in file if "/libbcc.so" in line), "")


if __name__ == "__main__":
    main()
