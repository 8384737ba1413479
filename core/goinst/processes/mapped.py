"""The files whose code a process has mapped: its executable, shared libraries, and what was made at run time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

from goinst.processes.process import DELETED

__all__ = ["MappedFile", "mapped_files", "named"]

_MOST = 1 << 22  # bytes of /proc/PID/maps that are read
_LINE = re.compile(
    rb"(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) ..x. [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ (?P<inode>[1-9]\d*) +(?P<path>.+)"
)


@dataclass(frozen=True)
class MappedFile:
    """A file with code in a process. ``path`` is as the process sees it, without the mark of a deleted file;
    ``binary`` opens the very file, in whatever mount namespace, deleted or in memory only."""

    pid: int
    path: str
    binary: str
    device: int
    inode: int

    @cached_property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def mapped_files(pid: int) -> list[MappedFile]:
    """The files that are mapped to be executed, each once; none when the process is gone or not ours to look at."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:  # noqa: PTH123 - hot
            text = file.read(_MOST)
    except OSError:
        return []
    found: dict[tuple[bytes, bytes], str] = {}
    for match in _LINE.finditer(text):
        # as maps has it, but never padded
        area = f"{int(match['start'], 16):x}-{int(match['end'], 16):x}"
        found.setdefault((match["inode"], match["path"]), area)
    files = (_read(pid, area, os.fsdecode(path)) for (_, path), area in found.items())
    return list({(each.device, each.inode): each for each in files if each is not None}.values())


def _read(pid: int, area: str, text: str) -> MappedFile | None:
    path = text.removesuffix(DELETED).replace("\\012", "\n")
    # by its mapping (the kernel wants CAP_CHECKPOINT_RESTORE for it), else by its path, if that has the same file still
    for binary in (f"/proc/{pid}/map_files/{area}", f"/proc/{pid}/root{path}"):
        try:
            status = os.stat(binary)  # noqa: PTH116
        except OSError:
            continue
        return MappedFile(pid, path, binary, status.st_dev, status.st_ino)
    return None


def named(name: str) -> re.Pattern[str]:
    """What the path of a library that users call ``name`` looks like: ``libssl`` (any version), ``libssl.so.3``
    (``libssl.so.3.0.1`` too), a path, or a shell pattern for either."""
    if "/" in name or set(name) & set("*?["):
        whole = translate(name).removesuffix(r"\Z")
        return re.compile(whole + r"\Z" if name.startswith("/") else rf"(?:.*/)?{whole}\Z")
    if ".so" in name:
        return re.compile(rf"(?:.*/)?{re.escape(name)}(?:\.[\w.]+)?\Z")
    prefix = "" if name.startswith("lib") else "(?:lib)?"
    return re.compile(rf"(?:.*/)?{prefix}{re.escape(name)}(?:-[\w.]+)?\.so(?:\.[\w.]+)?\Z")
