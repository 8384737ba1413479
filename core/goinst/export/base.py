"""What an exporter is, and where its bytes go."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from typing import BinaryIO, Protocol, runtime_checkable

from goinst.errors import GoinstError
from goinst.events.span import Span
from goinst.events.tap import Telemetry
from goinst.metrics import MetricStore

__all__ = ["Exporter", "Listener", "Meter", "OutputClosed", "Sink"]


class OutputClosed(Exception):  # noqa: N818 - not an error: the reader has had enough
    """The reader of an output went away (``goinst run | head``): end the run quietly."""


class Exporter(Protocol):
    """Takes finished spans, in batches, from one thread.

    ``wants_spans`` False means that ``count(n)`` is called instead of ``export``. ``export`` must not raise
    for one bad span; one that has to give spans up later counts them in a Counter ``losses``, as ``output.reason``. It
    raises OutputClosed when nobody reads any more, and GoinstError when the output
    cannot be written. With a true ``wants_partial`` it also gets spans of what is still open (``Span.partial``).
    """

    name: str
    wants_spans: bool

    def export(self, spans: Sequence[Span]) -> None:
        """Write these spans out."""

    def count(self, n: int) -> None:
        """``n`` spans went by."""

    def flush(self) -> None:
        """Give everything to the operating system."""

    def close(self) -> None:
        """Flush and let go; safe to call twice."""


@runtime_checkable
class Meter(Protocol):
    """An exporter that measures spans, also those that are filtered out of the outputs. ``store`` is where they are
    counted; two meters may have one. ``counts``: it is this one that does; then ``measure`` is called, or, where nobody
    wants spans, records are counted in the store."""

    store: MetricStore
    counts: bool

    def measure(self, spans: Sequence[Span]) -> None:
        """Count these."""


@runtime_checkable
class Listener(Protocol):
    """An exporter that also wants to know how goinst itself does."""

    def telemetry(self, telemetry: Telemetry) -> None:
        """Called about once a second, and when the run has ended."""


class Sink:
    """A file or stream that takes all of the bytes given to it, or says why not.

    ``name`` is for messages. A stream that was not opened here (``owned`` False) is left open.
    """

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool) -> None:
        self.name = name
        self._stream = stream
        self._owned = owned
        try:
            self._fd: int | None = stream.fileno()
        except (OSError, ValueError, AttributeError):
            self._fd = None

    @classmethod
    def open(cls, path: str) -> Sink:
        """Create or empty the file (or open the pipe or device) at ``path``; OSError when that fails."""
        return cls(open(path, "wb", buffering=0), path, owned=True)  # noqa: PTH123

    def write(self, data: bytes) -> None:
        """All of ``data``, with as few system calls as possible."""
        try:
            if self._fd is None:
                self._stream.write(data)
            else:
                self._write(self._fd, data)
        except BrokenPipeError as error:
            raise OutputClosed(self.name) from error
        except OSError as error:
            raise GoinstError(f"cannot write spans to {self.name}: {error.strerror or error}") from error

    def _write(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:  # a terminal or pipe that another program made non-blocking
                select.select([], [fd], [], 1.0)

    def flush(self) -> None:
        """Nothing waits in here; a stream that has a buffer of its own is flushed."""
        if self._fd is None:
            self._stream.flush()

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned:
            self._stream.close()
