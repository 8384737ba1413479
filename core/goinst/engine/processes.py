"""What is known of each traced process, for the resource of its spans."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePath
from typing import NamedTuple

import orjson

from goinst.events.span import Resource

__all__ = ["Built", "Processes"]

# Kubernetes and the container engines name control groups after them, with dashes or (systemd) underscores
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_CONTAINER = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
# what JSON lines have; the rest is for OpenTelemetry
_SHORT = ("service.name", "process.pid", "process.executable.path", "container.id", "k8s.pod.uid")
_ENVIRONMENT = 1 << 20


class Built(NamedTuple):
    """What the build information in an executable says: module path and Go version, or nothing."""

    module: str = ""
    go: str = ""


class Processes:
    """Resources by pid. A process that was not announced (it started a moment ago) is looked up when its first record
    comes; one that is gone by then keeps its pid and nothing else.

    ``built(path)`` is what the executable says of itself. A service is called by the process's own OTEL_SERVICE_NAME,
    else ``service``, else by the module path, else by the executable.
    """

    def __init__(self, built: Callable[[str], Built], service: str = "") -> None:
        self._built = built
        self._service = service
        self._resources: dict[int, Resource] = {}

    def add(self, pid: int, executable: str) -> None:
        """Announce a process and the path of its executable."""
        built = self._built(executable)
        module = built.module if built.module != "command-line-arguments" else ""
        name = _named(pid) or self._service or module or PurePath(executable).name or "unknown"
        attributes: dict[str, object] = {"service.name": name, "process.pid": pid}
        if executable:
            attributes["process.executable.path"] = executable
            attributes["process.executable.name"] = PurePath(executable).name
        if built.go:
            attributes |= {"process.runtime.name": "go", "process.runtime.version": built.go}
        attributes |= _container(pid) | _host()
        attributes = {key: _utf8(value) for key, value in attributes.items()}
        short = orjson.dumps({key: attributes[key] for key in _SHORT if key in attributes})
        self._resources[pid] = Resource(attributes, short)

    def remove(self, pid: int) -> None:
        """Forget a process that has ended: its pid may be used again."""
        self._resources.pop(pid, None)

    def resource(self, pid: int) -> Resource:
        """The resource of a process."""
        found = self._resources.get(pid)
        if found is None:
            try:
                executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # noqa: PTH115
            except OSError:
                executable = ""
            self.add(pid, executable)
            found = self._resources[pid]
        return found


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
