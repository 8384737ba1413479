"""Debugging information that distributions keep in files of their own.

Found as GDB finds it ("Debugging Information in Separate Files"): by build id, else by name and checksum.
"""

from __future__ import annotations

import mmap
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePath

from goinst.binary.elf import Image, Section, read_sections
from goinst.binary.identity import read_identity
from goinst.errors import BinaryError

__all__ = ["DebugFile", "find_debug_file"]

_ROOT = "/usr/lib/debug"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class DebugFile:
    """A file with symbols and DWARF only: its segments hold no code."""

    path: str
    map: mmap.mmap
    sections: dict[str, Section]


def find_debug_file(image: Image, root: str = _ROOT) -> DebugFile | None:
    """The debugging information of ``image`` that was kept apart, or None."""
    build_id = image.build_id.partition("+")[0]
    if len(build_id) > 2 and not set(build_id) - set("0123456789abcdef"):
        found = _open(f"{root}/.build-id/{build_id[:2]}/{build_id[2:]}.debug")
        if found is not None and read_build(found.path) == build_id:
            return found
    name, checksum = _link(image)
    if not name:
        return None
    folder = PurePath(image.path).parent
    for path in (folder / name, folder / ".debug" / name, PurePath(f"{root}{folder}") / name):
        found = _open(str(path)) if str(path) != image.path else None
        if found is not None and _checksum(found.map) == checksum:
            return found
    return None


def read_build(path: str) -> str:
    """The build id of a file, or nothing."""
    try:
        return read_identity(path).build_id
    except BinaryError:
        return ""


def _link(image: Image) -> tuple[str, int]:
    """.gnu_debuglink: a file's name without folder, and its CRC-32."""
    section = image.sections.get(".gnu_debuglink")
    if section is None or not 8 < section.size < 4096:
        return "", 0
    data = image.map[section.offset : section.offset + section.size]
    name = data.partition(b"\0")[0].decode("utf-8", "replace")
    return (name if "/" not in name else ""), int.from_bytes(data[-4:], "little")


def _open(path: str) -> DebugFile | None:
    try:
        with Path(path).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    sections = read_sections(data)
    return DebugFile(path, data, sections) if sections else None


def _checksum(data: mmap.mmap) -> int:
    value = 0
    for start in range(0, len(data), _BLOCK):
        value = zlib.crc32(data[start : start + _BLOCK], value)
    return value
