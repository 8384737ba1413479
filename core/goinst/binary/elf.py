"""An ELF file as the loader sees it: program headers, memory at virtual addresses, relocations applied."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from elftools.elf.elffile import ELFFile

from goinst.binary.identity import read_identity
from goinst.errors import BinaryError

__all__ = ["Image", "Section", "Segment", "read_sections"]

Arch = Literal["amd64", "arm64"]

_ARCHES: dict[str, Arch] = {"EM_X86_64": "amd64", "EM_AARCH64": "arm64"}
_RELATIVE = {"amd64": 8, "arm64": 1027}  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE
_DT_RELA, _DT_RELASZ, _DT_FLAGS_1 = 7, 8, 0x6FFFFFFB
_DF_1_PIE = 0x08000000
_EHDR_SIZE, _PHDR_SIZE = 64, 56
_MAX_SECTIONS = 4096
_CHUNK = 8 << 20  # bytes searched before the pages are given back; a multiple of any page size


class Segment(NamedTuple):
    """A PT_LOAD: ``size`` bytes at file offset ``offset`` are mapped at ``va``. Zero-filled memory is not in
    it.
    """

    va: int
    offset: int
    size: int
    writable: bool
    executable: bool


class Section(NamedTuple):
    """A section that has bytes in the file; ``flags`` are its SHF_ bits."""

    va: int
    offset: int
    size: int
    flags: int


class Image:
    """A 64-bit little-endian ELF program for amd64 or arm64, mapped read-only and read on demand.

    Addresses are virtual addresses as linked (no load bias). What is read has R_*_RELATIVE relocations
    applied, as the program would see it at load bias 0; DT_RELR needs nothing, its addends are in place.
    Section headers are optional and never needed to read memory. Everything raises BinaryError, nothing else.
    """

    def __init__(self, path: str, data: mmap.mmap, build_id: str, arch: Arch, pie: bool) -> None:
        self.path = path
        self.map = data
        self.build_id = build_id
        self.arch: Arch = arch
        self.pie = pie
        self.size = len(data)
        self.segments: tuple[Segment, ...] = ()
        self._dynamic: tuple[int, int] | None = None  # file offset and size of PT_DYNAMIC
        self._interpreted = False

    @classmethod
    def open(cls, path: str) -> Image:
        """Map the file. Raises BinaryError, one line, when it is not a whole ELF program for amd64 or arm64.

        ``build_id`` is the linker's build id and a digest that tells a stripped or relinked copy apart.
        """
        identity = read_identity(path)
        try:
            with Path(path).open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BinaryError(f"{path}: cannot be mapped: {error}; name a Go program that can be read") from None
        if len(data) != identity.size:
            raise BinaryError(f"{path}: changes while it is read; try again when it is written")
        headers = _headers(path, data)
        arch = _ARCHES.get(str(headers["e_machine"]))
        if arch is None:
            raise BinaryError(f"{path}: is for {headers['e_machine']}; only amd64 and arm64 can be instrumented")
        if headers["e_type"] not in ("ET_EXEC", "ET_DYN"):
            raise BinaryError(f"{path}: is not an executable ({headers['e_type']}); name a linked Go program")
        image = cls(path, data, f"{identity.build_id}+{identity.digest[:16]}", arch, headers["e_type"] == "ET_DYN")
        image._load(headers)
        return image

    def _load(self, headers: ELFFile) -> None:
        segments = []
        for number in range(headers.num_segments()):
            header = headers.get_segment(number).header
            offset, size = header["p_offset"], header["p_filesz"]
            self._interpreted = self._interpreted or header["p_type"] == "PT_INTERP"
            if header["p_type"] not in ("PT_LOAD", "PT_DYNAMIC"):
                continue
            if offset + size > self.size:
                raise BinaryError(
                    f"{self.path}: is truncated: {self.size} bytes, but a segment ends at {offset + size}; "
                    "build or copy the program again"
                )
            if header["p_type"] == "PT_DYNAMIC":
                self._dynamic = (offset, size)
            elif header["p_vaddr"] + size >= 1 << 63:
                raise BinaryError(f"{self.path}: has a segment outside user memory; build or copy the program again")
            elif size:
                flags = header["p_flags"]
                segments.append(Segment(header["p_vaddr"], offset, size, bool(flags & 2), bool(flags & 1)))
        if not segments:
            raise BinaryError(f"{self.path}: has no loadable segments; name an executable Go program")
        self.segments = tuple(sorted(segments))

    # Memory

    def segment(self, va: int, size: int = 1) -> Segment | None:
        """Return the segment that holds all ``size`` bytes at ``va`` in the file."""
        for segment in self.segments:
            if segment.va <= va and va + size <= segment.va + segment.size:
                return segment
        return None

    def file_offset(self, va: int) -> int | None:
        """Return where the byte at ``va`` is in the file: the offset that a uprobe wants."""
        segment = self.segment(va)
        return None if segment is None else va - segment.va + segment.offset

    def read(self, va: int, n: int) -> bytes:
        """Return ``n`` bytes at ``va``; BinaryError when they are not all in the file."""
        return bytes(self.view(va, n))

    def view(self, va: int, n: int) -> memoryview:
        """Like ``read``; not copied where no relocation applies."""
        segment = self.segment(va, n) if n >= 0 else None
        if segment is None:
            raise BinaryError(
                f"{self.path}: refers to {n} bytes at {va:#x}, which it does not hold; build or copy it again"
            )
        start = va - segment.va + segment.offset
        whole = memoryview(self.map)
        if self._dynamic is None:
            return whole[start : start + n]
        places, _ = self._relocations
        first, last = (int(at) for at in np.searchsorted(places, np.array([va - 7, va + n], np.int64)))
        if first == last:
            return whole[start : start + n]
        return self._patched(segment, va, n, first, last)

    def _patched(self, segment: Segment, va: int, n: int, first: int, last: int) -> memoryview:
        low = max(va - 8, segment.va)  # a relocation can straddle either end
        high = min(va + n + 8, segment.va + segment.size)
        start = low - segment.va + segment.offset
        copy = np.frombuffer(self.map, np.uint8, high - low, start).copy()
        places, addends = self._relocations
        inside = slice(first, last)
        at = places[inside] - low
        fits = (at >= 0) & (at + 8 <= len(copy))
        values = np.ascontiguousarray(addends[inside][fits]).view(np.uint8).reshape(-1, 8)
        copy[at[fits][:, None] + np.arange(8)] = values
        return copy.data[va - low : va - low + n]

    def release(self, va: int, n: int) -> None:
        """Give the pages of ``n`` bytes at ``va`` back to the kernel, so that what was read once does not count as this
        process's memory."""
        start = self.file_offset(va)
        if start is not None:
            page = start - start % mmap.PAGESIZE
            self.map.madvise(mmap.MADV_DONTNEED, page, min(start + n, self.size) - page)

    def u32(self, va: int) -> int:
        """Return the unsigned 32-bit number at ``va``."""
        return int.from_bytes(self.view(va, 4), "little")

    def u64(self, va: int) -> int:
        """Return the unsigned 64-bit number at ``va``."""
        return int.from_bytes(self.view(va, 8), "little")

    def i32(self, va: int) -> int:
        """Return the signed 32-bit number at ``va``."""
        return int.from_bytes(self.view(va, 4), "little", signed=True)

    def words(self, va: int, count: int) -> tuple[int, ...]:
        """Return ``count`` unsigned 64-bit numbers at ``va``."""
        return struct.unpack(f"<{count}Q", self.view(va, 8 * count))

    def pointers_to(self, va: int) -> Iterator[int]:
        """Give the 8-aligned addresses in writable segments that hold ``va``."""
        if self._dynamic is not None:
            places, addends = self._relocations
            yield from (int(place) for place in places[addends == va] if place % 8 == 0)
        yield from self.find(va.to_bytes(8, "little"), alignment=8, writable=True)

    def find(self, pattern: bytes, *, alignment: int, writable: bool = False) -> Iterator[int]:
        """Give the aligned addresses at which the file (before relocation) has ``pattern``.

        ``writable`` looks into writable segments only. Pages searched through are given back to the kernel,
        so that a search in a large file does not count as this process's memory.
        """
        for segment in self.segments:
            if writable and not segment.writable:
                continue
            start, end = segment.offset, segment.offset + segment.size
            while start < end:
                stop = min(end, (start // _CHUNK + 1) * _CHUNK)
                at = self.map.find(pattern, start, min(end, stop + len(pattern) - 1))
                while at >= 0:
                    va = at - segment.offset + segment.va
                    if va % alignment == 0:
                        yield va
                    at = self.map.find(pattern, at + 1, min(end, stop + len(pattern) - 1))
                page = start - start % mmap.PAGESIZE
                self.map.madvise(mmap.MADV_DONTNEED, page, stop - page)
                start = stop

    @property
    def executable(self) -> bool:
        """Whether it is a program that can be started, and no shared library."""
        return not self.pie or self._interpreted or bool(self._tags.get(_DT_FLAGS_1, 0) & _DF_1_PIE)

    @cached_property
    def _tags(self) -> dict[int, int]:
        """What PT_DYNAMIC says."""
        if self._dynamic is None:
            return {}
        offset, size = self._dynamic
        tags = np.frombuffer(self.map, "<u8", size // 16 * 2, offset).reshape(-1, 2)
        ends = np.flatnonzero(tags[:, 0] == 0)
        return {int(tag): int(value) for tag, value in tags[: ends[0] if len(ends) else None][:4096]}

    @cached_property
    def _relocations(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The places of R_*_RELATIVE relocations in rising order, and what each holds."""
        none = np.empty(0, np.int64)
        table = self._tags
        if not table.get(_DT_RELASZ) or _DT_RELA not in table:
            return none, none
        va, size = table[_DT_RELA], table[_DT_RELASZ]
        segment = self.segment(va, size)
        if segment is None:
            raise BinaryError(f"{self.path}: has a relocation table outside the file; build or copy it again")
        rows = np.frombuffer(self.map, "<i8", size // 24 * 3, va - segment.va + segment.offset).reshape(-1, 3)
        rows = rows[(rows[:, 1] & 0xFFFFFFFF) == _RELATIVE[self.arch]]
        order = np.argsort(rows[:, 0], kind="stable")
        return np.ascontiguousarray(rows[order, 0]), np.ascontiguousarray(rows[order, 2])

    # Sections

    def section(self, name: str) -> tuple[int, int, int] | None:
        """Return (va, file offset, size) of the section called ``name``."""
        found = self.sections.get(name)
        return None if found is None else (found.va, found.offset, found.size)

    @cached_property
    def sections(self) -> dict[str, Section]:
        """The sections with bytes in the file by name; empty when there are no usable section headers."""
        return read_sections(self.map)

    @property
    def has_symtab(self) -> bool:
        """Whether there is a symbol table for linkers and debuggers."""
        return ".symtab" in self.sections

    @property
    def has_dwarf(self) -> bool:
        """Whether there is DWARF debugging information."""
        return ".debug_info" in self.sections or ".zdebug_info" in self.sections


def read_sections(data: mmap.mmap) -> dict[str, Section]:
    """Return the sections of an ELF file that have bytes in it; none when the headers are not usable."""
    found: dict[str, Section] = {}
    try:
        elf = ELFFile(data)  # type: ignore[arg-type]
        for number in range(min(elf.num_sections(), _MAX_SECTIONS)):
            section = elf.get_section(number)
            header: Any = section.header
            start, size = header["sh_offset"], header["sh_size"]
            if header["sh_type"] not in ("SHT_NULL", "SHT_NOBITS") and start + size <= len(data):
                found[section.name] = Section(header["sh_addr"], start, size, header["sh_flags"])
    except Exception:  # noqa: S110 # pyelftools raises what it likes on bad headers; they are optional
        pass
    return found


def _headers(path: str, data: mmap.mmap) -> ELFFile:
    """Parse the ELF header and the program headers (whose place and number read_identity has checked) alone.

    The section headers are hidden from pyelftools here: programs run well with broken ones.
    """
    header = bytearray(data[:_EHDR_SIZE])
    start, count = struct.unpack_from("<Q", header, 32)[0], struct.unpack_from("<H", header, 56)[0]
    struct.pack_into("<QQ", header, 32, _EHDR_SIZE, 0)  # e_phoff, e_shoff
    struct.pack_into("<HHH", header, 58, 0, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    try:
        return ELFFile(io.BytesIO(bytes(header) + data[start : start + count * _PHDR_SIZE]))
    except Exception as error:  # pyelftools raises what it likes on bad headers
        raise BinaryError(f"{path}: has a broken ELF header ({error}); build or copy the program again") from None
