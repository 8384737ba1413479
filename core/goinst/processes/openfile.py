"""A file that is to be probed: held open, known by its content's stamp, and leased, so that nobody writes it unseen.

A uprobe sits on the inode, whatever its bytes are by now. So who opens the file to write has to wait until the probes
are gone: a read lease (fcntl(2), F_SETLEASE) makes the kernel tell its holder first, and wait for up to
/proc/sys/fs/lease-break-time (45 s). Where there are no leases (NFS, some FUSE), the stamp tells afterwards.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
from collections.abc import Iterable

from goinst.errors import TargetError

__all__ = ["BeingWritten", "FileKey", "OpenFile", "mount_of"]

# (st_dev, st_ino): of a file as it is seen through one mount; overlayfs has a device number for each mount
FileKey = tuple[int, int]

_F_SETSIG, _F_SETOWN_EX, _OWNER_THREAD = 10, 15, 0  # include/uapi/asm-generic/fcntl.h, F_OWNER_TID
_CODE = 16  # the longest instruction of amd64 has 15 bytes


class BeingWritten(TargetError):  # noqa: N818 - what it is, and not for long
    """Somebody has the file open for writing: what it will be is not known yet."""


class OpenFile:
    """Opened by ``path``; ``name`` is for messages. OSError when it cannot be opened.

    ``key`` and ``mount`` say which file it is and through which mount it was opened. ``leased`` is false until
    ``lease`` was called and got one.
    """

    def __init__(self, path: str, name: str) -> None:
        self.name = name
        self._opened = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self.descriptor)
        self.key: FileKey = (status.st_dev, status.st_ino)
        self.size = status.st_size
        self.mount = _mount_id(self.descriptor)
        self.leased = False
        self._stamp = (status.st_size, status.st_mtime_ns)
        self._touched = status.st_ctime_ns
        self._code: dict[int, bytes] = {}

    @property
    def path(self) -> str:
        """A path to the very file, whatever becomes of the one by which it was opened."""
        return f"/proc/self/fd/{self.descriptor}"

    def lease(self, thread: int) -> str:
        """Take a lease; SIGURG goes to ``thread`` (a native id, in which it must be blocked) when somebody wants to
        write. Why there is none, or nothing. BeingWritten when somebody has it open for writing now."""
        try:
            fcntl.fcntl(self.descriptor, _F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self.descriptor, _F_SETOWN_EX, struct.pack("ii", _OWNER_THREAD, thread))
            fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                words = f"{self.name} is open for writing; it is traced when whoever writes it is done"
                raise BeingWritten(words) from None
            if error.errno == errno.EACCES:
                return "it is another user's, and CAP_LEASE is missing"
            return f"its file system has no leases ({os.strerror(error.errno or 0)})"
        self.leased = True
        return ""

    @property
    def wanted(self) -> bool:
        """Whether somebody waits to write: the kernel says what the lease is to become (fs/locks.c,
        fcntl_getlease)."""
        if not self.leased:
            return False
        try:
            return fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK
        except OSError:
            return True

    def release(self) -> None:
        """Give the lease up: whoever waits may write."""
        if self.leased and self.descriptor >= 0:
            self.leased = False
            fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def remember(self, offsets: Iterable[int]) -> None:
        """Keep the code at these file offsets, to know it again."""
        for offset in offsets:
            self._code[offset] = os.pread(self.descriptor, _CODE, offset)

    @property
    def remembered(self) -> tuple[int, ...]:
        """The file offsets whose code was kept."""
        return tuple(self._code)

    def changed(self) -> str:
        """What tells that its content is another, or nothing. Names, links and modes may change as they like. Of a file
        that was closed: that its path leads to another one, too."""
        try:
            status = os.fstat(self.descriptor) if self.descriptor >= 0 else os.stat(self._opened)  # noqa: PTH116
        except OSError as error:
            return os.strerror(error.errno or 0)
        if (status.st_dev, status.st_ino) != self.key:
            return "its path leads to another file"
        if status.st_size != self._stamp[0]:
            return f"its size was {self._stamp[0]} and is {status.st_size}"
        if status.st_mtime_ns != self._stamp[1]:
            return "it was written"
        if status.st_ctime_ns != self._touched:
            if any(os.pread(self.descriptor, _CODE, offset) != code for offset, code in self._code.items()):
                return "its code is another"
            self._touched = status.st_ctime_ns
        return ""

    @property
    def unlinked(self) -> bool:
        """Whether no name is left: nobody can start it any more."""
        return os.fstat(self.descriptor).st_nlink == 0

    def close(self) -> None:
        """Let go; the lease goes, too."""
        descriptor, self.descriptor, self.leased = self.descriptor, -1, False
        if descriptor >= 0:
            os.close(descriptor)


def mount_of(pid: int) -> int:
    """The id of the mount through which a process runs its executable; -1 when it is gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/exe", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        return _mount_id(descriptor)
    finally:
        os.close(descriptor)


def _mount_id(descriptor: int) -> int:
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line.split()[1])
    return -1
