"""Answers that are kept from run to run, in the user's cache folder.

What comes out of it decides what is loaded into the kernel, so only files that nobody else can have written are read:
the folder and the file belong to the effective user, nobody else may write to them, and neither is a symbolic link.
Anything that is not right is as if it were not there, and is written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import stat
import tempfile
from pathlib import Path
from typing import Any

import msgpack

__all__ = ["Cache"]

_SCHEMA = b"goinst cache 1\n"
_DIGEST = 32
_LARGEST = 16 << 20
_ENTRIES = 256
_BYTES = 128 << 20


class Cache:
    """Plain data (what msgpack takes) by kind and key. ``problem`` says why nothing is kept, or is empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problem = ""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.problem = _distrust(folder.lstat(), folder, stat.S_ISDIR)
        except OSError as error:
            self.problem = f"{folder}: {error.strerror}"

    @classmethod
    def default(cls) -> Cache:
        """``$XDG_CACHE_HOME/goinst``, else ``.cache/goinst`` in the home of the effective user: under sudo that is
        root's, whatever $HOME says."""
        chosen = os.environ.get("XDG_CACHE_HOME", "")
        if chosen.startswith("/"):
            return cls(Path(chosen) / "goinst")
        try:
            home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
        except KeyError:
            home = Path(os.environ.get("HOME") or "/nonexistent")
        return cls(home / ".cache" / "goinst")

    def get(self, kind: str, key: str) -> Any:
        """What was put there, or None."""
        if self.problem:
            return None
        try:
            descriptor = os.open(self._path(kind, key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if _distrust(status, self.folder, stat.S_ISREG) or status.st_size > _LARGEST:
                return None
            data = file.read()
        head = len(_SCHEMA) + _DIGEST
        body = memoryview(data)[head:]
        if data[: len(_SCHEMA)] != _SCHEMA or hashlib.sha256(body).digest() != data[len(_SCHEMA) : head]:
            return None
        try:
            return msgpack.unpackb(body, strict_map_key=False)
        except (ValueError, msgpack.UnpackException):
            return None

    def put(self, kind: str, key: str, value: Any) -> None:
        """Keep ``value``. A full disk or a read-only folder is no error: then it is not kept."""
        if self.problem:
            return
        body = msgpack.packb(value)
        if len(body) > _LARGEST - len(_SCHEMA) - _DIGEST:
            return
        path = self._path(kind, key)
        temporary = ""
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=self.folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_SCHEMA + hashlib.sha256(body).digest() + body)
            Path(temporary).replace(path)
            self._prune()
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:40]}"

    def _prune(self) -> None:
        """Remove what was used least recently written, beyond a number of entries and of bytes."""
        entries = []
        for entry in os.scandir(self.folder):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                entries.append((status.st_mtime_ns, status.st_size, entry.path))
        entries.sort(reverse=True)
        total = 0
        for number, (_, size, path) in enumerate(entries):
            total += size
            if number >= _ENTRIES or total > _BYTES:
                with contextlib.suppress(OSError):
                    Path(path).unlink()


def _distrust(status: os.stat_result, path: Path, is_kind: Any) -> str:
    """Why somebody else could have written this, or ''."""
    if not is_kind(status.st_mode):
        return f"{path}: is a symbolic link or not of the right kind; remove it"
    if status.st_uid != os.geteuid():
        return f"{path}: belongs to another user; remove it or set XDG_CACHE_HOME"
    if status.st_mode & 0o022:
        return f"{path}: others may write to it; chmod go-w it"
    return ""
