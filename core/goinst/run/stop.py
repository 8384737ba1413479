"""Asking a run to end, also from a signal handler."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType

from goinst.export.ending import Ending

__all__ = ["Stop", "catch_signals"]


class Stop:
    """A flag and a way to sleep until it is set. A threading.Event will not do: a signal handler runs inside its
    ``wait``, where its lock is held, and ``set`` would wait for that lock for ever."""

    def __init__(self) -> None:
        self._set = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(self._read, select.EPOLLIN)

    @property
    def descriptor(self) -> int:
        """Readable while it is set."""
        return self._read

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

    def wakes(self, descriptor: int) -> None:
        """Let a ring buffer end ``wait``, too, when a record is sent with a wake-up; records without one do not (an
        edge-triggered descriptor is looked at only when the kernel wakes its waiters, fs/eventpoll.c)."""
        self._poll.register(descriptor, select.EPOLLIN | select.EPOLLET)

    def wait(self, seconds: float) -> None:
        """Sleep until it is set, or something else wakes it, at most so long."""
        if not self._set and seconds > 0:
            self._poll.poll(seconds)

    def close(self) -> None:
        """Give the descriptors back."""
        read, write = self._read, self._write
        self._read = self._write = -1  # the numbers may soon be somebody else's
        self._poll.close()
        os.close(read)
        os.close(write)


def catch_signals(
    stack: ExitStack, end: Callable[[Ending], None], reload: Callable[[], None] | None, wakeup: int
) -> None:
    """SIGINT and SIGTERM call ``end`` with their name until the stack is unwound; so does SIGHUP, which calls
    ``reload`` when there is one. Their numbers are also written to ``wakeup``, by the interpreter itself: a handler has
    to wait until the main thread is back in Python. Only the main thread can do that: elsewhere nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and reload is not None:
            reload()
        else:
            end(Ending[signal.Signals(number).name])

    stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        stack.callback(signal.signal, number, signal.signal(number, handle))
