"""A BpfObject into the kernel: maps, programs, the tail-call array, and the verifier's complaint in one line."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol

from goinst.errors import BuildError
from goinst.kernel import syscalls as kernel
from goinst.kernel.program import BpfObject, relocate
from goinst.kernel.refusal import ENOTSUPP, is_about_the_machine, refused

__all__ = ["Loaded", "Rejected", "load"]

_RINGBUF, _LRU_HASH, _PROG_ARRAY = 27, 9, 3
_UPROBE_MULTI = 48
_LOG_SIZE = 1 << 22
_TURNS = 5
# lines of the verifier's log that are no complaint: statistics, instructions, states, source
_STATE = re.compile(
    r"processed \d+ insns|verification time|stack depth|\d+: |R\d+=|from \d+ to|(cur|old) state:|;|max_"
)


# a complaint that stands behind an instruction, in its line
_IN_A_LINE = re.compile(r"infinite loop detected at insn \d+")


class Program(Protocol):
    """A program of an object that is to be loaded."""

    @property
    def function(self) -> str:
        """Its name in the object."""

    @property
    def slot(self) -> int | None:
        """Where it is in the array of tail calls, if others enter it."""

    @property
    def required(self) -> bool:
        """Whether nothing is of use without it."""


class Rejected(BuildError):  # noqa: N818 - what the verifier calls it
    """The verifier refused a program. ``str`` is its complaint in one line, ``detail`` its log."""

    def __init__(self, function: str, message: str, log: str) -> None:
        super().__init__(f"the verifier refuses {function}: {message}", detail=log)
        self.function = function


@dataclass(slots=True)
class Loaded:
    """Descriptors of what is in the kernel. ``maps`` and ``programs`` by name; ``close`` gives all of it back."""

    multi: bool
    maps: dict[str, int] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Close every descriptor."""
        self.stack.close()


def load(
    built: BpfObject,
    programs: Sequence[Program],
    *,
    multi: bool,
    ring_bytes: int,
    operations: int,
    rows: Mapping[str, Sequence[tuple[bytes, bytes]]],
) -> Loaded:
    """Create the maps and load the programs; ``rows`` are what maps hold from the start, by name.

    Rejected for a required program; a rejected optional one is left out and listed. MachineError when the kernel does
    not let this process do it at all."""
    kernel.raise_memlock()
    loaded = Loaded(multi)
    try:
        replace: dict[int, int] = {}
        for index, definition in enumerate(built.maps):
            entries = definition.entries
            if definition.name == "goinst_events":
                entries = ring_bytes
            elif definition.name == "goinst_operations":
                entries = operations
            elif definition.name in rows:
                entries = max(len(rows[definition.name]), 1)
            key_size, value_size = definition.key_size, definition.value_size
            if definition.type == _RINGBUF:
                key_size = value_size = 0
            try:
                descriptor = kernel.create_map(
                    definition.name, definition.type, key_size, value_size, entries, definition.flags
                )
            except OSError as error:
                raise refused(error, f"create the map {definition.name}") from None
            loaded.stack.callback(os.close, descriptor)
            loaded.maps[definition.name] = replace[index] = descriptor
            loaded.sizes[definition.name] = (key_size, value_size, entries)
            for key, value in rows.get(definition.name, ()):
                kernel.update(descriptor, key, value)
        _load_programs(loaded, built, programs, replace)
        tails = loaded.maps.get("goinst_tails")
        for program in programs:
            if program.slot is not None and tails is not None and program.function in loaded.programs:
                kernel.update(
                    tails,
                    struct.pack("<I", program.slot),
                    struct.pack("<I", loaded.programs[program.function]),
                )
    except BaseException:
        loaded.close()
        raise
    return loaded


def _load_programs(loaded: Loaded, built: BpfObject, programs: Sequence[Program], replace: dict[int, int]) -> None:
    try:
        guard = kernel.create_guard()
    except OSError as error:
        raise refused(error, "create a map of programs") from None
    try:
        for program in programs:
            _load_program(loaded, built, program, replace, guard)
    finally:
        os.close(guard)  # the programs keep it


def _load_program(loaded: Loaded, built: BpfObject, program: Program, replace: dict[int, int], guard: int) -> None:
    try:
        code = relocate(built.programs[program.function], replace)
    except KeyError:
        raise BuildError(f"the compiler left out the program {program.function}") from None
    attach_type = _UPROBE_MULTI if loaded.multi else 0
    try:
        descriptor = _tried(program.function, code, guard, attach_type)
    except OSError as error:
        rejected = _explain(program, code, attach_type, guard, error)
        if program.required:
            raise rejected from None
        loaded.rejected.append(rejected)
        return
    loaded.stack.callback(os.close, descriptor)
    loaded.programs[program.function] = descriptor


def _tried(name: str, code: bytes, guard: int, attach_type: int, log_size: int = 0) -> int:
    """Load it; again when the verifier stopped because a signal came (EAGAIN; bpf_check, since Linux 5.0)."""
    for _ in range(_TURNS):
        with suppress(BlockingIOError):
            return kernel.load_program(name, code, guard=guard, attach_type=attach_type, log_size=log_size)[0]
    return kernel.load_program(name, code, guard=guard, attach_type=attach_type, log_size=log_size)[0]


def _explain(program: Program, code: bytes, attach_type: int, guard: int, error: OSError) -> Rejected:
    """Load it again with a log: without one loading is faster, and nearly always succeeds. MachineError when there is
    no complaint in it, and the error is not about programs: the verifier says E2BIG and ENOMEM, too."""
    what = f"load the program {program.function}"
    if is_about_the_machine(error) and error.errno != errno.ENOMEM:
        raise refused(error, what) from None
    log = ""
    try:
        os.close(_tried(program.function, code, guard, attach_type, _LOG_SIZE))
    except OSError as again:
        log = again.strerror or ""
        if again.errno in (errno.ENOMEM, errno.E2BIG, errno.EMFILE, errno.ENFILE) and not _complaint(log):
            raise refused(again, what) from None
        # after the verifier took it (kernel/bpf/core.c, bpf_prog_select_runtime)
        untranslated = again.errno == ENOTSUPP and not _complaint(log)
        said = "the kernel's JIT compiler cannot translate it (ENOTSUPP)" if untranslated else _summary(log)
        return Rejected(program.function, said, log)
    return Rejected(program.function, "it was refused once and taken a moment later", "")


def _complaint(log: str) -> str:
    if found := _IN_A_LINE.search(log):
        return found[0]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not _STATE.match(line)), "")


def _summary(log: str) -> str:
    """The line in which the verifier says what is wrong: the last one that is neither state nor statistics."""
    return (_complaint(log) or (log.strip().splitlines() or ["no reason given"])[-1].strip())[:200]
