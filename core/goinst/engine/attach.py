"""Programs onto instructions: uprobe_multi links, or perf events on kernels before 6.6. Closing detaches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from goinst.engine import sys as kernel

__all__ = ["Attachment", "attach"]

_CLOSERS = 16
Place = tuple[int, int]


@dataclass(slots=True)
class Attachment:
    """What keeps programs attached. ``refused`` holds (file offset, why) for each instruction that cannot be probed."""

    descriptors: list[int] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def close(self) -> None:
        """Detach. In threads: the kernel waits for a grace period in each close, and they can wait side by side."""
        descriptors, self.descriptors = self.descriptors, []
        if len(descriptors) < 2:
            for descriptor in descriptors:
                os.close(descriptor)
            return
        with ThreadPoolExecutor(_CLOSERS) as pool:
            list(pool.map(os.close, descriptors))


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
        if len(offsets) == 1:
            attachment.refused.append((offsets[0], error.strerror or str(error)))
            return
        middle = len(places) // 2
        _multi(attachment, path, program, places[:middle], cookie)
        _multi(attachment, path, program, places[middle:], cookie)


def _perf(attachment: Attachment, path: str, program: int, place: Place, cookie: int) -> None:
    offset, semaphore = place
    try:
        event = kernel.open_perf_uprobe(path, offset, semaphore)
    except OSError as error:
        attachment.refused.append((offset, error.strerror or str(error)))
        return
    try:
        link = kernel.create_link_perf(program, event, cookie)
    except OSError as error:
        os.close(event)
        attachment.refused.append((offset, error.strerror or str(error)))
        return
    if link is not None:
        attachment.descriptors.append(link)
    attachment.descriptors.append(event)
