"""Bytes to a descriptor, without ever being stuck in write(2): a reader that does not read is waited for by poll(2)."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket

__all__ = ["Stream", "UnwrittenError", "Waits"]

_LOOK = 1.0  # seconds between two looks at a deadline
_AGAIN = 0.01  # when poll says that there is room, and there is not
# what a write takes at once, or not at all, where a descriptor cannot be made non-blocking: of pipes a page (pipe(7));
# a terminal has so much room when it says that it has any (drivers/tty/n_tty.c, WAKEUP_CHARS)
_PIPE_PIECE, _TERMINAL_PIECE = select.PIPE_BUF, 256
_DONT_WAIT = 0x40  # MSG_DONTWAIT, include/linux/socket.h
_AWAY = frozenset((errno.EPIPE, errno.ECONNRESET))


class Waits(Protocol):
    """How long a reader is waited for; a Patience is one."""

    def deadline(self, since: float) -> float:
        """Until when, one that last took something at ``since`` (both of time.monotonic())."""

    def fileno(self) -> int:
        """Readable when that should be asked again; -1: it will not change."""


class _Forever:
    def deadline(self, _since: float) -> float:
        return float("inf")

    def fileno(self) -> int:
        return -1


class UnwrittenError(Exception):
    """Not all was taken: ``written`` bytes were. ``error`` is why; None when nobody took the rest in time."""

    def __init__(self, written: int, error: OSError | None) -> None:
        super().__init__(str(error) if error is not None else "nobody takes it")
        self.written = written
        self.error = error


class Stream:
    """Writes to ``descriptor``, which is left open. One that was opened here (``owned``) is made non-blocking. That is
    a property of what is open and not of the descriptor, so a standard output that was inherited, from a shell that
    still uses it, is opened once more; a socket is told for each write; and what can be neither gets small pieces.

    ``is_file``: a regular file, whose writes are as long as its file system makes them; ``named``: one with a name.
    """

    def __init__(self, descriptor: int, *, owned: bool = False) -> None:
        self.descriptor = descriptor
        status = os.fstat(descriptor)
        kind = status.st_mode
        self.is_file = stat.S_ISREG(kind) or stat.S_ISBLK(kind)
        self.named = stat.S_ISREG(kind) and status.st_nlink > 0
        self.is_terminal = os.isatty(descriptor)
        self._ours = -1
        self._socket: socket.socket | None = None
        self._piece = 0
        if self.is_file:
            return
        if owned:
            os.set_blocking(descriptor, False)
        elif stat.S_ISSOCK(kind):
            import socket  # most outputs are none

            self._socket = socket.socket(fileno=os.dup(descriptor))
        else:
            try:
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
                self._ours = os.open(f"/proc/self/fd/{descriptor}", flags)
            except OSError:  # somebody else's, /proc is not there, nobody reads
                self._piece = _TERMINAL_PIECE if self.is_terminal else _PIPE_PIECE

    def write(self, data: bytes | memoryview, waits: Waits | None = None) -> None:
        """All of it, however long that takes, or as long as ``waits`` says. UnwrittenError when not all was taken."""
        waits = waits or _Forever()
        rest, size = memoryview(data), len(data)
        since, waited = 0.0, False
        while rest:
            try:
                taken = self._put(rest)
            except BlockingIOError:
                taken = 0
            except OSError as error:
                raise UnwrittenError(size - len(rest), error) from error
            if taken:
                rest, since, waited = rest[taken:], 0.0, False
                continue
            since = since or time.monotonic()
            left = waits.deadline(since) - time.monotonic()
            if left <= 0:
                raise UnwrittenError(size - len(rest), None)
            waited = self._wait(min(left, _LOOK), waits.fileno(), again=waited)

    def _put(self, data: memoryview) -> int:
        if self._socket is not None:
            return self._socket.send(data, _DONT_WAIT)
        if not self._piece:
            return os.write(self._ours if self._ours >= 0 else self.descriptor, data)
        if not self._room(0):
            return 0
        return os.write(self.descriptor, data[: self._piece])

    def _room(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    def _wait(self, seconds: float, wake: int, *, again: bool) -> bool:
        """Until there is room, or there is news, or so long; whether there was room. ``again``: there was said to be,
        but nothing was taken."""
        poll = select.poll()
        if not again:
            poll.register(self.descriptor, select.POLLOUT)
        if wake >= 0:
            poll.register(wake, select.POLLIN)
        ready = poll.poll(max(min(seconds, _AGAIN) if again else seconds, 0) * 1000)
        return any(descriptor == self.descriptor for descriptor, _ in ready)

    def reader_left(self, error: OSError) -> bool:
        """Whether that is what an error means: a terminal that was hung up says that there is a fault in a device."""
        return error.errno in _AWAY or (error.errno == errno.EIO and self.is_terminal)

    def close(self) -> None:
        """Give back what was opened beside the descriptor."""
        ours, self._ours = self._ours, -1
        if ours >= 0:
            os.close(ours)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
