"""Programs onto instructions: uprobe_multi links, or perf events on kernels before 6.6. Closing detaches."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from goinst.engine import sys as kernel
from goinst.engine.refusal import is_about_the_machine, refused
from goinst.errors import MachineError

__all__ = ["Attachment", "attach"]

_CLOSERS = 16
Place = tuple[int, int]


@dataclass(slots=True)
class Attachment:
    """What keeps programs attached. ``refused`` holds (file offset, why) for each instruction that cannot be probed.
    ``failure``: some of them because this process may not open so many descriptors, or there is no memory."""

    descriptors: list[int] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    failure: MachineError | None = None

    def close(self) -> None:
        """Detach. In threads, as many as can be had, this one among them: the kernel waits for a grace period in each
        close, and they can wait side by side."""
        left, self.descriptors = deque(self.descriptors), []

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

    def refuse(self, offset: int, error: OSError) -> None:
        """An instruction goes without."""
        self.refused.append((offset, error.strerror or str(error)))
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
        event = kernel.open_perf_uprobe(path, offset, semaphore)
    except OSError as error:
        attachment.refuse(offset, error)
        return
    try:
        link = kernel.create_link_perf(program, event, cookie)
    except OSError as error:
        os.close(event)
        attachment.refuse(offset, error)
        return
    if link is not None:
        attachment.descriptors.append(link)
    attachment.descriptors.append(event)
