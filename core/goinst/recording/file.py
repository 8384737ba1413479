"""The files of a recording: written frame by frame, compressed if wanted, a new one when one is large or old enough."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from goinst.errors import MachineError, UsageError
from goinst.extras import need
from goinst.recording.frame import EXTENSIONS

__all__ = ["RotatingFile"]

_LEVEL = 3


class RotatingFile:
    """Appends frames. What was written is with the kernel when ``write`` returns, so that of a process that is killed
    at most the frame at hand is lost.

    The first file is ``path``, created or emptied, readable by its owner only (records hold requests as they came);
    the next ones are ``path.1``, ``path.2`` and so on. ``largest`` bytes and ``oldest`` seconds are when one begins
    (None: never), ``keep`` how many of the last are kept. A name that ends in .zst is compressed. UsageError when it
    cannot be opened, MachineError when it cannot be written any more: it then ends with the last whole frame.
    """

    def __init__(
        self, path: str, *, largest: int | None = None, oldest: float | None = None, keep: int | None = None
    ) -> None:
        self.path = path
        self.part = 0
        self._limits = largest or float("inf"), oldest or float("inf")
        self._keep = keep
        self._compressor = _zstd() if path.endswith(EXTENSIONS) else None
        self._stream: Any = None
        self._open()

    def _name(self, part: int) -> str:
        return f"{self.path}.{part}" if part else self.path

    def _open(self) -> None:
        name = self._name(self.part)
        try:
            self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.fchmod(self._file, 0o600)  # it may have been there
        except OSError as error:
            raise UsageError(f"cannot write the recording {name}: {error.strerror}") from error
        self._stream = self._compressor.compressobj() if self._compressor else None
        self.size = 0
        self._began = time.monotonic()

    @property
    def full(self) -> bool:
        """Whether it is time for the next file."""
        largest, oldest = self._limits
        return self.size >= largest or time.monotonic() - self._began >= oldest

    def rotate(self) -> None:
        """Go on in the next file."""
        self.close()
        self.part += 1
        try:
            self._open()
        except UsageError as error:
            raise MachineError(str(error)) from error
        if self._keep is not None and self.part >= self._keep:
            Path(self._name(self.part - self._keep)).unlink(missing_ok=True)

    def write(self, frame: bytes) -> None:
        """A whole frame."""
        if self._stream is not None:
            # 1: everything so far can be read (COMPRESSOBJ_FLUSH_BLOCK); the window stays
            frame = self._stream.compress(frame) + self._stream.flush(1)
        self._put(frame)

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            self._stream = None  # a compressor's state has what was not written
            raise MachineError(
                f"cannot write the recording {self._name(self.part)}: {error.strerror}; what is in it so far can be"
                " replayed; make room there, and record again"
            ) from error
        self.size += len(data)

    def close(self) -> None:
        """End the file; safe to call twice."""
        if self._file < 0:
            return
        try:
            if self._stream is not None:
                self._put(self._stream.flush())
        finally:
            os.close(self._file)
            self._file, self._stream = -1, None
            if self.part and not self.size:  # one for which there was no room
                Path(self._name(self.part)).unlink(missing_ok=True)


def _zstd() -> Any:
    return need("zstandard", "zstd", "a recording whose name ends in .zst").ZstdCompressor(level=_LEVEL)
