"""A program that goinst itself starts, held before its first instruction."""

from __future__ import annotations

import os
import select
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from goinst.errors import TargetError, UsageError
from goinst.limits import restore_files
from goinst.processes.process import Process, exe_of, read_process, start_time

__all__ = ["Command"]

_PATIENCE = 3.0  # seconds between SIGTERM and SIGKILL


class Command:
    """``goinst run -- ARGV``: fork, hold the child, let the tracer attach, release it, wait for it.

    The executable is looked up and checked at once, with a UsageError or TargetError for what cannot be
    traced.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
        self.path = _executable(self.argv)
        self.pid = 0
        self._gate = -1
        self._code: int | None = None
        self._described: Process | None = None

    def start_held(self) -> Process:
        """Fork a child that waits, and describe the process that it will be.

        Its standard output goes to our standard error, because spans have standard output to themselves;
        standard input and the process group are ours (a Ctrl-C reaches it, as it would without goinst).
        """
        status = os.stat(self.path)  # noqa: PTH116
        gate, self._gate = os.pipe()  # both close on exec
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)
            _become(gate, self.path, self.argv)
        os.close(gate)
        self._described = Process(
            pid=self.pid,
            exe=self.path,
            binary=self.path,
            device=status.st_dev,
            inode=status.st_ino,
            start_time=start_time(self.pid),
            command=self.argv,
            matched="started by goinst",
        )
        return self._described

    def process(self) -> Process | None:
        """The child as what it is by now, since it may become another program; until it is one at all, as what it will
        be. None when it has ended."""
        if self._described is None or self.poll() is not None:
            return None
        now = read_process(self.pid, self._described.matched)
        # between fork and exec it still runs goinst
        if now is not None and (now.exe != exe_of(os.getpid()) or self._described.exe == now.exe):
            self._described = now
        return self._described

    def moved(self) -> bool:
        """Whether it has become another program since it was asked what it is."""
        before = self._described
        now = self.process()
        return before is not None and now is not None and now.identity != before.identity

    def release(self) -> None:
        """Let the child become the program."""
        if self._gate >= 0:
            os.write(self._gate, b"!")
            self._shut()

    def poll(self) -> int | None:
        """The exit status as a shell gives it (128 + signal), or None while it runs."""
        if self._code is None and self.pid:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has asked for it
                self._code = 0
                return self._code
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._code = code if code >= 0 else 128 - code
        return self._code

    def terminate(self) -> None:
        """End the child: SIGTERM, then SIGKILL after three seconds. Only that process. Does nothing when it
        ended.
        """
        held = self._gate >= 0
        self._shut()  # a child that is still held sees the end of the pipe, and leaves
        if not self.pid or self.poll() is not None:
            return
        if not held:
            os.kill(self.pid, signal.SIGTERM)
        if not self._ends_within(_PATIENCE):
            os.kill(self.pid, signal.SIGKILL)
            self._ends_within(_PATIENCE)

    def _shut(self) -> None:
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1

    def _ends_within(self, seconds: float) -> bool:
        descriptor = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(seconds * 1000)
        finally:
            os.close(descriptor)
        return self.poll() is not None


def _become(gate: int, path: str, argv: tuple[str, ...]) -> None:
    """In the child: wait for the gate, then exec. Nothing but system calls: other threads did not survive the
    fork.
    """
    code = 127
    try:
        if os.read(gate, 1):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores both, which exec would pass on
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            os.dup2(2, 1)
            restore_files()
            os.execv(path, argv)  # noqa: S606 - the user's own command
        code = 0
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        os.write(2, f"goinst: cannot start {path}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _executable(argv: tuple[str, ...]) -> str:
    if not argv or not argv[0]:
        raise UsageError("a command is missing behind --: goinst run -- ./server --its-options")
    name = argv[0]
    found = shutil.which(name)
    if found is None:
        path = Path(name)
        if "/" not in name and path.is_file():
            raise UsageError(f"{name}: not found in PATH; for the file in this folder write ./{name}")
        if path.is_dir():
            raise UsageError(f"{name}: this is a folder, not a program")
        if path.exists():
            raise UsageError(f"{name}: not executable; chmod +x {name}")
        raise UsageError(f"{name}: no such program")
    if Path(found).name == "go" and argv[1:2] == ("run",):
        raise TargetError("go run starts another program: build yours first, then `goinst run -- ./program`")
    try:
        with Path(found).open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise TargetError(f"{found}: {error.strerror}") from error
    if head.startswith(b"#!"):
        interpreter = head[2:].split(b"\n")[0].strip().decode("utf-8", "replace")
        raise TargetError(
            f"{found}: a script ({interpreter}), not a Go program; start it yourself and use --exe or --port"
        )
    return str(Path(found).resolve())
