"""One executable of a run: its file, who runs it, and its tracer."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from goinst.errors import GoinstError
from goinst.plan.plan import Plan
from goinst.processes.openfile import FileKey, OpenFile
from goinst.processes.process import Process
from goinst.run.build import Built
from goinst.run.tracer import Tracer

__all__ = ["Executable", "Identity"]

_IDLE = 30.0  # seconds for which a file that somebody may start again keeps its probes when nobody runs it

Identity = tuple[int, float, FileKey]


@dataclass(eq=False)
class Executable:
    """One file. ``file`` is held open through one mount; ``members`` run it, by identity, each with the mount that it
    runs it through. ``every``: each process that runs it is traced, also one that nobody has looked at yet; ``named``:
    a pattern of the user's leads to it, so that it is traced also when nobody runs it.

    ``tracer`` is None while it is prepared, and where there is nothing to trace: ``hopeless`` says why, ``final`` that
    it stays so as long as the file does, ``told`` whether the user knows. ``gone`` says why its probes were taken away.
    ``traced_since`` is the Unix time of its probes. ``markers`` are for ``inodes.same_inode``.
    """

    file: OpenFile
    every: bool
    named: bool = False
    members: dict[Identity, tuple[Process, int]] = field(default_factory=dict)
    tracer: Tracer | None = None
    preparing: Future[Built | Plan] | None = None
    waiting: list[Process] = field(default_factory=list)
    markers: tuple[int, ...] = ()
    hopeless: GoinstError | None = None
    final: bool = False
    told: bool = False
    gone: str = ""
    idle_since: float = 0.0
    traced_since: float = 0.0

    @property
    def name(self) -> str:
        """The path to show."""
        return self.file.name

    def withdraw(self, why: str) -> None:
        """Take the probes away at once, and let whoever waits write the file; ``why`` nothing: the run ends. From any
        thread."""
        self.gone = self.gone or why
        tracer = self.tracer
        if tracer is not None:
            tracer.detach()
        self.file.release()

    def missed(self, process: Process) -> float:
        """For how many seconds a process ran before it was traced; start times are known to 10 ms."""
        since = self.traced_since if self.every else time.time()
        return max(round(since - process.start_time, 2), 0.0)

    def useless(self, now: float) -> str:
        """Why probes in a file that nobody runs are of no use any more, or nothing."""
        if self.file.unlinked:
            return "it was deleted, and nobody runs it"
        if not self.file.leased:
            return "nobody runs it, and there is no lease on it"
        if self.named:
            return ""
        if not _reachable(self.file):
            return "nobody runs it, and its mount or path is gone"
        return "nobody runs it" if now - self.idle_since > _IDLE else ""

    def close(self) -> None:
        """Give everything back, also what was prepared and is not wanted any more."""
        if self.preparing is not None and not self.preparing.cancelled() and self.preparing.exception() is None:
            made = self.preparing.result()
            if isinstance(made, Built):
                made.loaded.close()
        if self.tracer is not None:
            self.tracer.close()
        self.file.close()


def _reachable(file: OpenFile) -> bool:
    """Whether the path leads to the file, as goinst sees it: somebody may start it again."""
    try:
        status = os.stat(file.name)  # noqa: PTH116
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == file.key
