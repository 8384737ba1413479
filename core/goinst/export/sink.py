"""Where the bytes of an output go, and what becomes of them when it takes no more."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import BinaryIO

from goinst.diagnostics import get_logger
from goinst.export.base import OutputClosed, OutputEnded, OutputFailed, OutputStalled
from goinst.plugin.exporter import Exporter
from goinst.stream import Stream, UnwrittenError, Waits

__all__ = ["Sink", "SinkExporter", "Whole", "output_failed", "whole_lines", "whole_pieces"]

_LOOK = 1.0  # seconds between two looks at a file
_ADVICE = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there, or have the quota raised",
    errno.EFBIG: "that is as large as a file may be there: see ulimit -f",
    errno.EIO: "the device has a fault: see dmesg",
    errno.EBADF: "it was closed",
}

# of the first n bytes of what was to be written: how many spans, and bytes of them, are there as a whole
Whole = Callable[[int], tuple[int, int]]


def _nothing(_written: int) -> tuple[int, int]:
    return 0, 0


def whole_lines(data: bytes) -> Whole:
    """For text that has a line for each span."""
    return lambda written: (data.count(b"\n", 0, written), data.rfind(b"\n", 0, written) + 1)


def whole_pieces(pieces: Sequence[bytes], joint: int = 0) -> Whole:
    """For pieces, one for each span, with ``joint`` bytes between them."""

    def whole(written: int) -> tuple[int, int]:
        ends = [end for end in accumulate(len(piece) + joint for piece in pieces) if end - joint <= written]
        return len(ends), ends[-1] - joint if ends else 0

    return whole


class Sink:
    """A file or stream that takes all of the bytes given to it, or says why not, and then nothing any more.

    ``name`` is for messages. A stream that was not opened here (``owned`` False) is left open. ``waits`` says how long
    a reader is waited for that takes nothing.
    """

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool, waits: Waits | None = None) -> None:
        self.name = name
        self.ended: OutputEnded | None = None
        self._file = stream
        self._owned = owned
        self._waits = waits
        self._stream: Stream | None
        try:
            self._stream = Stream(stream.fileno(), owned=owned)
        except (OSError, ValueError, AttributeError):
            self._stream = None  # in memory
        self._look = 0.0 if self._stream is not None and self._stream.named else float("inf")

    @classmethod
    def open(cls, path: str, waits: Waits | None = None) -> Sink:
        """Create or empty the file (or open the pipe or device) at ``path``; OSError when that fails."""
        return cls(open(path, "wb", buffering=0), path, owned=True, waits=waits)  # noqa: PTH123

    def write(self, data: bytes, whole: Whole = _nothing) -> None:
        """All of ``data``, with as few system calls as possible. OutputEnded when that cannot be: a file that was
        opened here then ends with the last whole span."""
        if self.ended is not None:
            raise self.ended
        if self._stream is None:
            self._file.write(data)
            return
        try:
            self._stream.write(data, self._waits)
        except UnwrittenError as unwritten:
            self.ended = self._reason(self._stream, unwritten)
            self.ended.spans, kept = whole(unwritten.written)
            if self._owned and self._stream.is_file and kept < unwritten.written:
                self._cut(self._stream.descriptor, unwritten.written - kept)
            raise self.ended from unwritten

    def _reason(self, stream: Stream, unwritten: UnwrittenError) -> OutputEnded:
        if unwritten.error is None:
            return OutputStalled(f"nobody takes the spans from {self.name}")
        if stream.reader_left(unwritten.error):
            return OutputClosed(f"nobody reads {self.name} any more")
        return output_failed(self.name, unwritten.error)

    @staticmethod
    def _cut(descriptor: int, surplus: int) -> None:
        try:
            os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR) - surplus)
        except OSError:  # then its last line is a part of one
            get_logger().debug("the last line of an output is not whole")

    def flush(self) -> None:
        """Nothing waits in here; a stream that has a buffer of its own is flushed. Says once that a file was deleted:
        what is written to it is gone when it is closed."""
        if self._stream is None:
            self._file.flush()
        elif self._look != float("inf") and time.monotonic() >= self._look:
            self._look = time.monotonic() + _LOOK
            if not os.fstat(self._stream.descriptor).st_nlink:
                self._look = float("inf")
                get_logger().warning(
                    "an output was deleted", output=self.name,
                    reason="spans still go to the deleted file, and are gone with it when this run ends",
                )  # fmt: skip

    def close(self) -> None:
        """Close what was opened here. OutputEnded when only now it turns out that it was not written (NFS)."""
        if self._stream is not None:
            self._stream.close()
        if self._owned:
            try:
                self._file.close()
            except OSError as error:
                if self.ended is None:
                    self.ended = output_failed(self.name, error)
                    raise self.ended from error


def output_failed(name: str, error: OSError) -> OutputFailed:
    """The file called so cannot be written any more, for this reason."""
    advice = _ADVICE.get(error.errno or 0, "see that it can be written")
    return OutputFailed(f"cannot write spans to {name}: {error.strerror or error}; {advice}, and run again")


class SinkExporter(Exporter):
    """An exporter that writes bytes to a sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    @property
    def place(self) -> str:
        """Format and file."""
        return f"{self.name} to {self._sink.name}"

    def put(self, data: bytes, whole: Whole, before: int = 0) -> None:
        """Write a part of a batch, ``before`` of whose spans were written already."""
        try:
            self._sink.write(data, whole)
        except OutputEnded as ended:
            ended.spans += before
            raise

    def flush(self) -> None:
        """Nothing is held back."""
        self._sink.flush()

    def close(self) -> None:
        """Close the file."""
        self._sink.close()
