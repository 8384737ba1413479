"""What is known of each traced process, for the resource of its spans."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import orjson

from goinst.plugin.process import TracedProcess
from goinst.spans.span import Resource

__all__ = ["Processes", "Program"]

# Kubernetes and the container engines name control groups after them, with dashes or (systemd) underscores
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_CONTAINER = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_PATH = "process.executable.path"
# what JSON lines have; the rest is for OpenTelemetry
_SHORT = ("service.name", "process.pid", _PATH, "container.id", "k8s.pod.uid")
_ENVIRONMENT = 1 << 20
_LINGERING = 10.0  # seconds for which a process that has ended is remembered: its last records may still come
_MOST = 1 << 14


class Program(NamedTuple):
    """What is traced: the path of the executable, and what its build information says (module path and Go version, or
    nothing). Of a shared library there is no such thing: every process that has it runs a program of its own."""

    executable: str = ""
    module: str = ""
    go: str = ""


class _Known(NamedTuple):
    resource: Resource
    more: Mapping[str, Any]  # what plugins say of it
    began: int  # when, as the kernel told; 0: it was there before
    last: float  # when it was looked at


class Processes:
    """Resources by pid. A process that nobody announced (it began a moment ago) is looked up when its first record
    comes; one that is gone by then has what its program says.

    A service is called by the process's own OTEL_SERVICE_NAME, else ``service``, else by the module path, else by the
    executable. ``ask`` is asked once for each process what else there is to say of it, and that goes before what is
    known here.
    """

    def __init__(self, service: str = "", ask: Callable[[TracedProcess], Mapping[str, Any]] = lambda _: {}) -> None:
        self._service = service
        self._ask = ask
        self._known: dict[int, _Known] = {}

    def add(self, pid: int, program: Program, began: int = 0, service: str = "") -> Resource:
        """Look at a process anew: it runs another program, or is another one than had the pid before. ``service`` is
        what it is called by, if that is known."""
        executable = program.executable or _running(pid)
        module = program.module if program.module != "command-line-arguments" else ""
        name = service or _named(pid) or self._service or module or PurePath(executable).name or "unknown"
        attributes: dict[str, object] = {"service.name": name, "process.pid": pid}
        if executable:
            attributes[_PATH] = executable
            attributes["process.executable.name"] = PurePath(executable).name
        if program.go:
            attributes |= {"process.runtime.name": "go", "process.runtime.version": program.go}
        attributes |= _container(pid) | _host()
        attributes = {key: _utf8(value) for key, value in attributes.items()}
        before = self._known.get(pid)
        if (
            before is not None
            and before.began == began
            and before.resource.attributes.get(_PATH) == attributes.get(_PATH)
        ):
            more = before.more  # of the same process more has become known
        else:
            more = self._ask(TracedProcess(pid, program.module, attributes))
        attributes |= more
        short = orjson.dumps({key: attributes[key] for key in dict.fromkeys((*_SHORT, *more)) if key in attributes})
        resource = Resource(attributes, short)
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]  # it is looked up again when it has something to say
        self._known[pid] = _Known(resource, more, began, time.monotonic())
        return resource

    def join(self, pid: int, program: Program) -> None:
        """A process was found that runs ``program``; what it said when it began still counts."""
        found = self._known.get(pid)
        if found is None or not found.began or found.resource.attributes.get(_PATH) != program.executable:
            self.add(pid, program)

    def began(self, pid: int, moment: int, service: str, program: Program) -> None:
        """A process began, says the kernel (CLOCK_MONOTONIC, ns), with this OTEL_SERVICE_NAME: what was known under its
        pid was another's. Told again of the same, nothing happens."""
        found = self._known.get(pid)
        if found is None or found.began != moment:
            self.add(pid, _as_run(pid, program), moment, service)

    def remove(self, pid: int) -> None:
        """Forget a process that has ended, or runs another program: its pid may be used again."""
        self._known.pop(pid, None)

    def prune(self) -> None:
        """Forget those that have ended a while ago."""
        before = time.monotonic() - _LINGERING
        for pid, known in list(self._known.items()):
            if known.last < before and not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110 - hot
                del self._known[pid]

    def resource(self, pid: int, program: Program) -> Resource:
        """The resource of a process that runs ``program``."""
        found = self._known.get(pid)
        return found.resource if found is not None else self.add(pid, _as_run(pid, program))

    def __len__(self) -> int:
        return len(self._known)


def _as_run(pid: int, program: Program) -> Program:
    """The program under the path by which the process runs it: a file may have several."""
    return program._replace(executable=_running(pid) or program.executable)


def _running(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # noqa: PTH115
    except OSError:
        return ""


def _named(pid: int) -> str:
    try:
        with Path(f"/proc/{pid}/environ").open("rb") as file:
            words = file.read(_ENVIRONMENT).split(b"\0")
    except OSError:
        return ""
    name = b"OTEL_SERVICE_NAME="
    return next((word.removeprefix(name).decode("utf-8", "replace") for word in words if word.startswith(name)), "")


def _container(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text(errors="replace")
    except OSError:
        return {}
    found = {}
    if containers := _CONTAINER.findall(text):
        found["container.id"] = str(containers[-1])
    if pod := _POD.search(text):
        found["k8s.pod.uid"] = pod[1].replace("_", "-")
    return found


@cache
def _host() -> dict[str, str]:
    host = {
        "host.name": platform.node(),
        "host.arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), ""),
    }
    try:
        host["host.id"] = Path("/etc/machine-id").read_text().strip()
    except OSError:
        host["host.id"] = ""
    return {key: value for key, value in host.items() if value} | {"os.type": "linux"}


def _utf8(value: object) -> object:
    # a path may hold any bytes; os.readlink gives them as lone surrogates
    return os.fsencode(value).decode("utf-8", "replace") if isinstance(value, str) else value
