"""The bundled Go server: built from the package's data, started on a free port of the loopback interface."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from goinst.errors import MachineError

__all__ = ["Go", "Server", "build", "running"]

_SOURCES = ("go.mod", "main.go")
_OLDEST_GO = (1, 18)  # the server's go.mod
_BUILD_SECONDS = 300


class Server:
    """A started server: its process id and where it listens."""

    def __init__(self, pid: int, host: str, port: int) -> None:
        self.pid = pid
        self.host = host
        self.port = port


class Go:
    """The go command on PATH. MachineError when there is none or one that is too old for the server."""

    def __init__(self) -> None:
        found = shutil.which("go")
        if found is None:
            raise MachineError("the demo builds a Go server, but no go command is on PATH: apt install golang-go")
        self.path = found
        # Nothing of the user's Go settings matters here, and the demo must not download anything.
        self.environment = {
            **os.environ,
            "GOENV": "off",
            "GOFLAGS": "",
            "GOWORK": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        self.version = subprocess.run(
            [found, "version"], capture_output=True, text=True, env=self.environment, check=False
        ).stdout
        numbers = re.search(r"\bgo(\d+)\.(\d+)", self.version)
        if numbers and (int(numbers[1]), int(numbers[2])) < _OLDEST_GO:
            raise MachineError(f"the demo needs Go 1.18 or later; {found} is {numbers[0]}: install a newer Go")


def build(go: Go, folder: Path) -> Path:
    """Return the server's executable in ``folder``: compiled, unless an equal one is there.

    MachineError when it does not compile.
    """
    sources = {name: (files("goinst.demo") / "go" / name).read_bytes() for name in _SOURCES}
    key = hashlib.sha256(b"\0".join([go.version.encode(), *sources.values()])).hexdigest()[:16]
    executable = folder / key / "goinst-demo"
    if executable.exists():
        return executable
    print("demo: building a Go JSON-RPC server (standard library only)", file=sys.stderr, flush=True)
    executable.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        for name, text in sources.items():
            (Path(work) / name).write_bytes(text)
        done = subprocess.run(
            [go.path, "build", "-trimpath", "-buildvcs=false", "-o", "server", "."],
            cwd=work,
            env=go.environment,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        if done.returncode:
            first, *_ = [*done.stderr.strip().splitlines(), "no message"]
            raise MachineError(f"go build of the demo's server failed: {first}", detail=done.stderr)
        (Path(work) / "server").rename(executable)
    return executable


@contextmanager
def running(executable: Path) -> Iterator[Server]:
    """Start ``executable``; it ends with the block, or when this process is killed (its stdin closes)."""
    try:
        process = subprocess.Popen(
            [executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except PermissionError as error:
        raise MachineError(
            f"programs cannot be run from {executable.parent} (mounted noexec?): set TMPDIR to another folder"
        ) from error
    try:
        assert process.stdout is not None
        found = re.fullmatch(r"listening (\S+):(\d+)\n", process.stdout.readline())
        if not found:
            raise MachineError("the demo's server does not listen on 127.0.0.1: is the loopback up?")
        yield Server(process.pid, found[1], int(found[2]))
    finally:
        process.kill()
        process.communicate()
