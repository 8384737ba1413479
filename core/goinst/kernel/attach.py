"""Programs onto instructions: uprobe_multi links, or perf events on kernels before 6.6: those of the uprobe PMU, or
tracefs' where the kernel keeps the former for CAP_SYS_ADMIN. Closing detaches."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from goinst.errors import MachineError
from goinst.kernel import syscalls as kernel
from goinst.kernel import tracefs
from goinst.kernel.refusal import is_about_the_machine, probe_in_words, refused

__all__ = ["Attachment", "attach", "open_named_event"]

_CLOSERS = 16
_TRACEPOINT = 2  # PERF_TYPE_TRACEPOINT
Place = tuple[int, int]


@dataclass(slots=True)
class Attachment:
    """What keeps programs attached; ``names`` are those of events in tracefs. ``refused`` holds (file offset, why) for
    each instruction that cannot be probed. ``failure``: some of them because this process may not open so many
    descriptors, or there is no memory."""

    descriptors: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    failure: MachineError | None = None

    def close(self) -> None:
        """Detach. In threads, as many as can be had, this one among them: the kernel waits for a grace period in each
        close, and they can wait side by side."""
        left, self.descriptors = deque(self.descriptors), []
        names, self.names = self.names, []

        def close() -> None:
            with suppress(IndexError):
                while True:
                    os.close(left.popleft())

        helpers = []
        with suppress(RuntimeError, MemoryError):
            for _ in range(min(_CLOSERS, len(left)) - 1):
                helper = Thread(target=close, name="goinst-detach")
                helper.start()
                helpers.append(helper)
        close()
        for helper in helpers:
            helper.join()
        tracefs.remove(names)

    def refuse(self, offset: int, error: OSError) -> None:
        """An instruction goes without."""
        self.refused.append((offset, probe_in_words(error)))
        if is_about_the_machine(error):
            self.failure = refused(error, "attach a probe")


def attach(path: str, programs: Iterable[tuple[int, Sequence[Place]]], *, multi: bool, cookie: int = 0) -> Attachment:
    """Attach (program descriptor, places) pairs to the file at ``path``; a place is the file offset of an instruction
    and that of its semaphore, or 0. The programs can ask for ``cookie``.

    An instruction that the kernel refuses is left out and listed; nothing is raised for it.
    """
    attachment = Attachment()
    try:
        for program, places in programs:
            if multi:
                _multi(attachment, path, program, list(places), cookie)
            else:
                for place in places:
                    _perf(attachment, path, program, place, cookie)
    except BaseException:
        attachment.close()
        raise
    return attachment


def _multi(attachment: Attachment, path: str, program: int, places: list[Place], cookie: int) -> None:
    """One link for all places; when one of them is refused, halves, down to the one that is to blame."""
    offsets, semaphores = [offset for offset, _ in places], [semaphore for _, semaphore in places]
    try:
        attachment.descriptors.append(kernel.create_link_multi(program, path, offsets, semaphores, cookie))
    except OSError as error:
        if len(offsets) == 1 or is_about_the_machine(error):
            for offset in offsets:
                attachment.refuse(offset, error)
            return
        middle = len(places) // 2
        _multi(attachment, path, program, places[:middle], cookie)
        _multi(attachment, path, program, places[middle:], cookie)


def _perf(attachment: Attachment, path: str, program: int, place: Place, cookie: int) -> None:
    offset, semaphore = place
    try:
        event, name = _open_event(path, offset, semaphore)
    except OSError as error:
        attachment.refuse(offset, error)
        return
    except MachineError as error:  # of tracefs
        attachment.refused.append((offset, str(error)))
        attachment.failure = error
        return
    try:
        link = kernel.create_link_perf(program, event, cookie)
    except OSError as error:
        os.close(event)
        tracefs.remove([name] if name else [])
        attachment.refuse(offset, error)
        return
    if link is not None:
        attachment.descriptors.append(link)
    attachment.descriptors.append(event)
    if name:
        attachment.names.append(name)


def _open_event(path: str, offset: int, semaphore: int) -> tuple[int, str]:
    """A perf event, and its name if it is tracefs'."""
    try:
        return kernel.open_perf_uprobe(path, offset, semaphore), ""
    except PermissionError:
        return open_named_event(path, offset, semaphore)


def open_named_event(path: str, offset: int, semaphore: int = 0) -> tuple[int, str]:
    """A perf event of an instruction by way of tracefs, and the name that is to be removed behind it."""
    name, number = tracefs.add(path, offset, semaphore)
    try:
        return kernel.open_perf_event(_TRACEPOINT, number), name
    except BaseException:
        tracefs.remove([name])
        raise
