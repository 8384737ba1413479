"""A traced process's memory, for decoders of operations that are still open."""

from __future__ import annotations

import os

__all__ = ["Memory"]

_MOST = 1 << 16


class Memory:
    """Reads the memory of the process that ``open`` named last. What is read may be torn, freed or anything: the
    process runs on."""

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = -1

    def open(self, pid: int) -> bool:
        """Turn to a process; False when it is gone or may not be read."""
        self.close()
        try:
            self._descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        return True

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes (at most 64 KiB) at an address; none when they cannot be read."""
        if self._descriptor < 0 or not 0 < address < 1 << 63 or not 0 < size <= _MOST:
            return b""
        try:
            data = os.pread(self._descriptor, size, address)
        except (OSError, OverflowError):
            return b""
        return data if len(data) == size else b""

    def integer(self, address: int, size: int = 8) -> int | None:
        """A signed little-endian integer at an address, or None."""
        data = self.read(address, size)
        return int.from_bytes(data, "little", signed=True) if data else None

    def text(self, address: int, limit: int) -> bytes:
        """A Go string that is stored at an address, up to ``limit`` bytes of it."""
        data, length = self.integer(address), self.integer(address + 8)
        return self.read(data, min(length, limit)) if data and length and length > 0 else b""

    def close(self) -> None:
        """Let the process go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
