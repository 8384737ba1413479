"""What is known of each traced process, for the resource of its spans."""

from __future__ import annotations

import os
from collections.abc import Callable

import orjson

from goinst.events.span import Resource

__all__ = ["Processes"]


class Processes:
    """Resources by pid. A process that was not announced (it started a moment ago) is looked up when its first record
    comes; one that is gone by then keeps its pid and nothing else."""

    def __init__(self, name_of: Callable[[str], str]) -> None:
        self._name_of = name_of
        self._resources: dict[int, Resource] = {}

    def add(self, pid: int, executable: str) -> None:
        """Announce a process and the path of its executable."""
        name = self._name_of(executable)
        attributes: dict[str, object] = {"service.name": name, "process.pid": pid}
        if executable:
            attributes["process.executable.path"] = executable
        self._resources[pid] = Resource(attributes, orjson.dumps({k: _utf8(v) for k, v in attributes.items()}))

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


def _utf8(value: object) -> object:
    # a path may hold any bytes; os.readlink gives them as lone surrogates
    return os.fsencode(value).decode("utf-8", "replace") if isinstance(value, str) else value
