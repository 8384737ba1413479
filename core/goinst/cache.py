"""Answers that are kept from run to run, in the user's cache folder.

What comes out of it decides what is loaded into the kernel, so only files that nobody else can have written are read:
the folder and the file belong to the effective user, nobody else may write to them, and neither is a symbolic link.
The folder is opened once and files are opened, replaced and removed relative to it: whoever owns a folder above it
cannot put another one in its place meanwhile. Anything that is not right is as if it were not there, and is written
anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack

__all__ = ["Cache"]

_SCHEMA = b"goinst cache 1\n"
_HEAD = len(_SCHEMA) + hashlib.sha256().digest_size
_OURS = re.compile(r"(?:[a-z]+|\.new)-[0-9a-f]{40}")
_UNFINISHED = 3600.0  # seconds after which a file that was never completed is left over from a crash


class Cache:
    """Plain data (what msgpack takes) by kind (lower-case letters) and key (any text).

    ``problem`` says in one line why nothing is kept, or is empty. Nothing here raises for what is in the folder or
    happens to it. Sizes are in bytes: of one entry, and of all of them; the entries used longest ago go first.
    """

    def __init__(self, folder: Path, *, largest: int = 16 << 20, total: int = 128 << 20, entries: int = 256) -> None:
        self.folder = folder
        self._largest = largest
        self._total = total
        self._entries = entries
        self.problem = ""
        with self._opened():
            pass

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
        """Return what was put there, or None."""
        with self._opened() as folder:
            body = self._read(folder, _name(kind, key)) if folder is not None else None
        if body is None:
            return None
        try:
            kept = msgpack.unpackb(body, strict_map_key=False)
        except (ValueError, msgpack.UnpackException):
            return None
        return kept[1] if isinstance(kept, list) and len(kept) == 2 and kept[0] == key else None

    def put(self, kind: str, key: str, value: Any) -> None:
        """Keep ``value``, unless it is too large. A full disk or a read-only folder is no error."""
        body = msgpack.packb([key, value])
        if _HEAD + len(body) > self._largest:
            return
        with self._opened() as folder:
            if folder is None:
                return
            unfinished = f".new-{secrets.token_hex(20)}"
            try:
                _write(folder, unfinished, _SCHEMA + hashlib.sha256(body).digest() + body)
                os.replace(unfinished, _name(kind, key), src_dir_fd=folder, dst_dir_fd=folder)
                self._prune(folder)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(unfinished, dir_fd=folder)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Give the folder's descriptor; None, and a ``problem``, when it cannot be trusted or used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            symbolic = self.folder.is_symlink()
            words = "is a symbolic link; remove it" if symbolic else f"cannot be used: {error.strerror}"
            self.problem = f"{self.folder}: {words}"
            yield None
            return
        try:
            doubt = _doubt(os.fstat(folder), stat.S_ISDIR)
            self.problem = f"{self.folder}: {doubt}" if doubt else ""
            yield None if doubt else folder
        finally:
            os.close(folder)

    def _read(self, folder: int, name: str) -> bytes | None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, dir_fd=folder)
        except OSError:
            return None
        with contextlib.suppress(OSError), os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if _doubt(status, stat.S_ISREG) or status.st_size > self._largest:
                return None
            data = file.read(self._largest)
            body = data[_HEAD:]
            if data[:_HEAD] == _SCHEMA + hashlib.sha256(body).digest():
                with contextlib.suppress(OSError):
                    os.utime(descriptor)  # so that pruning sees that it is used
                return body
        return None

    def _prune(self, folder: int) -> None:
        """Remove what was used longest ago, beyond the number and size of entries; only files named by this class."""
        found: list[tuple[int, int, str]] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if not _OURS.fullmatch(entry.name):
                    continue
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if not entry.name.startswith(".new-"):
                        found.append((status.st_mtime_ns, status.st_size, entry.name))
                    elif status.st_mtime < time.time() - _UNFINISHED:
                        os.unlink(entry.name, dir_fd=folder)
        total = 0
        for number, (_, size, name) in enumerate(sorted(found, reverse=True)):
            total += size
            if number >= self._entries or total > self._total:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)


def _name(kind: str, key: str) -> str:
    return f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def _write(folder: int, name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(data)


def _doubt(status: os.stat_result, is_kind: Callable[[int], bool]) -> str:
    """Say why somebody else could have written this, or ''."""
    if not is_kind(status.st_mode):
        return "is not of the right kind; remove it"
    if status.st_uid != os.geteuid():
        return "belongs to another user; remove it or set XDG_CACHE_HOME"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it; chmod go-w it"
    return ""
