"""Asking a run to end, also from a signal handler."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType

__all__ = ["Stop", "catch_signals"]


class Stop:
    """A flag and a way to sleep until it is set. A threading.Event will not do: a signal handler runs inside its
    ``wait``, where its lock is held, and ``set`` would wait for that lock for ever."""

    def __init__(self) -> None:
        self._set = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def is_set(self) -> bool:
        """Whether it is time to end."""
        return self._set

    def set(self) -> None:
        """End soon. May be called at any time, any number of times."""
        self._set = True
        with suppress(OSError):  # full: somebody wakes up already; closed: nobody sleeps
            os.write(self._write, b"!")

    def clear(self) -> None:
        """Go on after all."""
        self._set = False
        with suppress(OSError):
            while os.read(self._read, 64):
                pass

    def wait(self, seconds: float) -> None:
        """Sleep until it is set, at most so long."""
        if not self._set and seconds > 0:
            select.select([self._read], [], [], seconds)

    def close(self) -> None:
        """Give the descriptors back."""
        read, write = self._read, self._write
        self._read = self._write = -1  # the numbers may soon be somebody else's
        os.close(read)
        os.close(write)


def catch_signals(stack: ExitStack, end: Callable[[str], None], reload: Callable[[], None] | None) -> None:
    """SIGINT and SIGTERM call ``end`` with their name until the stack is unwound; so does SIGHUP, which calls
    ``reload`` when there is one. Only the main thread can do that: elsewhere nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and reload is not None:
            reload()
        else:
            end(signal.Signals(number).name)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        stack.callback(signal.signal, number, signal.signal(number, handle))
