"""How long outputs are waited for: as long as they like while a run goes on, and hardly when it is ending."""

from __future__ import annotations

import os
import time
from contextlib import suppress

__all__ = ["Patience"]

_IDLE = 1.0
_MOST = 10.0


class Patience:
    """Shared by all outputs of a run. ``end`` may be called from a signal handler or another thread, while an output
    waits: it waits no longer then than ``deadline`` says.

    An output that takes nothing for a second after the end is given up, and after 10 seconds one that takes little;
    both at once when it is ended in haste.
    """

    def __init__(self) -> None:
        # a pipe for each of the two things that may happen: readable, and never read, once it has happened
        self._pipes = [os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) for _ in range(2)]
        self._end = float("inf")
        self._hurry = False

    @property
    def ending(self) -> bool:
        """Whether the run is ending."""
        return time.monotonic() >= self._end

    @property
    def hurried(self) -> bool:
        """Whether nothing is to be waited for."""
        return self._hurry

    def end(self, at: float | None = None) -> None:
        """The run ends now, or at a time of time.monotonic() that is known beforehand (--duration). The earliest
        counts."""
        self._end = min(self._end, time.monotonic() if at is None else at)
        if at is None:
            self._tell(0)

    def hurry(self) -> None:
        """It ends, and what is still under way is given up: the user has asked twice."""
        self._hurry = True
        self.end()
        self._tell(1)

    def deadline(self, since: float) -> float:
        """Until when an output that last took something at ``since`` may be waited for (time.monotonic()); infinity
        while nothing is known of an end."""
        if self._hurry:
            return 0.0
        return min(max(since, self._end) + _IDLE, self._end + _MOST)

    def fileno(self) -> int:
        """To poll on while waiting, beside the output: it is readable when the deadline has changed. -1, which poll
        leaves out, when it cannot change any more."""
        if self._hurry or not self._pipes:
            return -1
        return self._pipes[0 if self._end == float("inf") or time.monotonic() < self._end else 1][0]

    def _tell(self, number: int) -> None:
        with suppress(OSError, IndexError):  # somebody knows already; or nobody waits any more
            os.write(self._pipes[number][1], b"!")

    def close(self) -> None:
        """Give the descriptors back; it says what it said."""
        pipes, self._pipes = self._pipes, []
        for pair in pipes:
            for descriptor in pair:
                os.close(descriptor)
