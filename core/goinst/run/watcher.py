"""A thread that takes probes away at once, whatever the rest of the run is held up by.

Three things cannot wait for an output that nobody reads or a decoder that is busy: somebody wants to write a file that
is probed, the last process of a file without a lease has ended, and the run is to end.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from goinst.export.ending import Ending
from goinst.processes.openfile import OpenFile
from goinst.run.stop import Stop

__all__ = ["Watcher"]

_LOOK = 1.0  # seconds between two looks at the leases, should a signal be lost
_SIGNALFD_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK  # SFD_CLOEXEC, SFD_NONBLOCK
_SIGINFO = 128
_HURRY = 3.0  # seconds that a run has, which is asked a second time to end


class Watcher:
    """``end(why)`` is called when a signal or ``deadline`` (time.monotonic) asks for it, ``ended()`` once when the run
    is to end, for whatever reason; ``again()`` at a second signal. All of them, and what ``watch`` and ``watch_exit``
    are given, are called in the watcher's own thread."""

    def __init__(
        self, stop: Stop, end: Callable[[Ending], None], ended: Callable[[], None], again: Callable[[], None]
    ) -> None:
        self._stop, self._end, self._ended, self._again = stop, end, ended, again
        self._files: dict[OpenFile, Callable[[], None]] = {}
        self._exits: dict[int, Callable[[], None]] = {}
        self._signals, self._deadline, self._last_moment = 0, float("inf"), float("inf")
        self._over = False
        self._poll = select.epoll()
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="goinst-watcher", daemon=True)
        self._started = threading.Event()
        self._thread.start()
        self._started.wait()

    @property
    def thread(self) -> int:
        """The native id of the thread: who owns leases."""
        return self._thread.native_id or 0

    @property
    def wakeup(self) -> int:
        """For signal.set_wakeup_fd: the numbers of signals go here, also while Python cannot run a handler."""
        return self._write

    def ends_at(self, deadline: float) -> None:
        """When the run is to end by itself."""
        self._deadline = deadline
        self._wake()

    def watch(self, file: OpenFile, withdraw: Callable[[], None]) -> None:
        """Call ``withdraw`` when somebody wants to write a leased file. It must release the lease."""
        self._files[file] = withdraw

    def forget(self, file: OpenFile) -> None:
        """Watch it no more."""
        self._files.pop(file, None)

    def watch_exit(self, pid: int, gone: Callable[[], None]) -> bool:
        """Call ``gone`` when a process ends; False when it has already."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        self._exits[descriptor] = gone
        self._poll.register(descriptor, select.EPOLLIN)
        return True

    def close(self) -> None:
        """The run is over."""
        self._over = True
        self._wake()
        self._thread.join()
        for descriptor in self._exits:
            os.close(descriptor)
        self._poll.close()
        os.close(self._read)
        os.close(self._write)

    def _wake(self) -> None:
        with suppress(OSError):
            os.write(self._write, b"\0")

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        leases = _signal_descriptor(signal.SIGURG)
        self._poll.register(leases, select.EPOLLIN)
        self._poll.register(self._read, select.EPOLLIN)
        self._poll.register(self._stop.descriptor, select.EPOLLIN)
        self._started.set()
        ending = False
        while not self._over:
            due = min(self._deadline, self._last_moment) - time.monotonic()
            ready = {descriptor for descriptor, _ in self._poll.poll(max(min(due, _LOOK), 0))}
            if leases in ready:
                with suppress(OSError):
                    os.read(leases, 64 * _SIGINFO)
            for file, withdraw in list(self._files.items()):
                if file.wanted:
                    with suppress(OSError):  # closed by now
                        withdraw()
            for descriptor in ready & self._exits.keys():
                self._poll.unregister(descriptor)
                os.close(descriptor)
                self._exits.pop(descriptor)()
            if self._read in ready:
                self._took(os.read(self._read, 64))
            if not ending and time.monotonic() >= self._deadline:
                self._end(Ending.DURATION)
            if not ending and self._stop.is_set():
                ending, self._deadline = True, float("inf")
                self._poll.unregister(self._stop.descriptor)
                self._ended()
            if time.monotonic() >= self._last_moment and not self._over:
                _leave(self._signals)
        os.close(leases)

    def _took(self, numbers: bytes) -> None:
        """Signals, as the interpreter's own handler writes them."""
        for number in numbers:
            if number in (signal.SIGINT, signal.SIGTERM):
                if self._signals:
                    self._last_moment = min(self._last_moment, time.monotonic() + _HURRY)
                    self._again()
                self._signals = number
                self._end(Ending[signal.Signals(number).name])


def _signal_descriptor(number: int) -> int:
    """signalfd(2) for one signal. Only the thread that a signal is sent to reads it there."""
    # a sigset_t: a bit for each signal, the first in bit 0
    mask = struct.pack("<Q", 1 << number - 1).ljust(128, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.signalfd(-1, ctypes.create_string_buffer(mask, len(mask)), _SIGNALFD_FLAGS)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(descriptor)


def _leave(number: int) -> None:
    """The run was asked twice and does not end: something holds it in the kernel, or does not come back. Its probes are
    gone."""
    with suppress(OSError):
        os.set_blocking(2, False)
        os.write(2, b"goinst: asked twice to end: left at once; outputs may lack their end, and there is no summary\n")
    os._exit(128 + number)
