"""Which binary this is: its build id, from the ELF headers and notes alone (a few kilobytes read)."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from goinst.errors import BinaryError

__all__ = ["Identity", "read_build_id", "read_identity"]

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
_PROGRAM = struct.Struct("<IIQQQQQQ")  # Elf64_Phdr
_NOTE = struct.Struct("<III")  # Elf64_Nhdr
_PT_NOTE = 4
_NT_GNU_BUILD_ID = 3
_NT_GO_BUILD_ID = 4  # cmd/link/internal/ld/elf.go: ELF_NOTE_GOBUILDID_TAG, under the name "Go\0\0"
_MAX_PROGRAM_HEADERS = 1024
_MAX_NOTES = 1 << 16  # bytes of one PT_NOTE segment; real ones have about 100
_BLOCK = 1 << 20
# cmd/internal/buildid: actionID/actionID/contentID/contentID, each 120 bits; GNU's is a SHA-1 of the output, unless
# ld's --build-id says otherwise
_HASHES = re.compile(r"(?:[\w-]{20}/){3}[\w-]{20}|[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """``build_id`` is what the linker wrote, or a hash of the file; ``digest`` tells files with one build id
    apart.

    ``strip`` keeps the build id and moves what is in the file: so the digest is over the build id, the file's
    size, the ELF header and the program headers; over all of the file where the build id is not a hash of what the
    linker wrote, as Bazel's ``redacted`` or any that was set by hand. ``size`` is in bytes.
    """

    build_id: str
    digest: str
    size: int


def read_build_id(path: str) -> str:
    """Answer the Go build id, else GNU's in hex, else ``sha256:`` and a hash of the whole file.

    Raises BinaryError when the file cannot be read or is not a 64-bit little-endian ELF file.
    """
    return read_identity(path).build_id


def read_identity(path: str) -> Identity:
    """Like ``read_build_id``, with what tells apart two files that have the same build id."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        words = os.strerror(error.errno or errno.EINVAL) if isinstance(error, OSError) else str(error)
        raise BinaryError(f"{path}: cannot be opened: {words}; name a Go program that can be read") from None
    try:
        return _identify(path, descriptor)
    except OSError as error:
        words = os.strerror(error.errno or errno.EIO)
        raise BinaryError(f"{path}: cannot be read: {words}; name a Go program that can be read") from None
    finally:
        os.close(descriptor)


def _identify(path: str, descriptor: int) -> Identity:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BinaryError(f"{path}: is not a regular file; name a Go program")
    header = os.pread(descriptor, _HEADER.size, 0)
    if not header:
        raise BinaryError(f"{path}: is empty; name a Go program")
    if header[:4] != b"\x7fELF":
        raise BinaryError(f"{path}: is not an ELF file; name a Go program built for Linux")
    if header[4:6] != b"\x02\x01":
        raise BinaryError(f"{path}: is not a 64-bit little-endian ELF file; only amd64 and arm64 can be instrumented")
    if len(header) < _HEADER.size:
        raise BinaryError(f"{path}: ends within its ELF header; build or copy the program again")
    _, _, _, _, _, phoff, _, _, _, phentsize, phnum, _, _, _ = _HEADER.unpack(header)
    if phentsize != _PROGRAM.size or not 0 < phnum <= _MAX_PROGRAM_HEADERS:
        raise BinaryError(f"{path}: has no usable ELF program headers; name an executable Go program")
    programs = os.pread(descriptor, phnum * _PROGRAM.size, phoff) if phoff < status.st_size else b""
    if len(programs) < phnum * _PROGRAM.size:
        raise BinaryError(f"{path}: ends within its ELF program headers; build or copy the program again")
    noted = _from_notes(descriptor, programs, status.st_size)
    content = "" if _HASHES.fullmatch(noted) else _from_content(descriptor)
    build_id = noted or content
    digest = hashlib.sha256(header + programs)
    digest.update(f"{status.st_size} {build_id} {content}".encode())
    return Identity(build_id, digest.hexdigest(), status.st_size)


def _from_notes(descriptor: int, programs: bytes, size: int) -> str:
    found: dict[bytes, str] = {}
    for kind, _, offset, _, _, length, _, alignment in _PROGRAM.iter_unpack(programs):
        if kind != _PT_NOTE or offset >= size:
            continue
        for name, tag, content in _notes(os.pread(descriptor, min(length, _MAX_NOTES), offset), alignment):
            if name == b"Go\0\0" and tag == _NT_GO_BUILD_ID:
                text = content.rstrip(b"\0").decode("ascii", "backslashreplace")
                if text.isprintable():
                    found.setdefault(name, text)
            elif name == b"GNU\0" and tag == _NT_GNU_BUILD_ID:
                found.setdefault(name, content.hex())
    return found.get(b"Go\0\0") or found.get(b"GNU\0") or ""


def _notes(data: bytes, alignment: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Give (name, type, content) of each note; stops at the first that does not fit."""
    step = 8 if alignment == 8 else 4
    at = 0
    while at + _NOTE.size <= len(data):
        name_size, size, tag = _NOTE.unpack_from(data, at)
        start = at + _NOTE.size
        content = start + (name_size + step - 1) // step * step
        if content + size > len(data):
            return
        yield data[start : start + name_size], tag, data[content : content + size]
        at = content + (size + step - 1) // step * step


def _from_content(descriptor: int) -> str:
    """Hash the file: nothing cheaper is as certain where the linker was told what to write."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(descriptor, _BLOCK, offset):
        digest.update(block)
        offset += len(block)
    return f"sha256:{digest.hexdigest()}"
