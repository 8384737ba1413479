"""The DWARF sections of a program, decompressed when they are asked for, and pyelftools set up to read them."""

from __future__ import annotations

import inspect
import io
import mmap
import zlib
from functools import cached_property
from itertools import pairwise
from typing import Any

from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from elftools.dwarf.lineprogram import LineProgram
from elftools.dwarf.locationlists import LocationLists
from elftools.dwarf.ranges import RangeLists

from goinst.binary.elf import Image, Section

__all__ = ["DebugSections"]

_SHF_COMPRESSED = 1 << 11
_ZLIB = 1  # ELFCOMPRESS_ZLIB
_LARGEST = 1 << 30  # bytes of a section after decompression
_LONGEST_PATH = 1 << 10  # bytes of a package's path
_LONGEST_LIST = 1 << 18  # bytes of one location or range list, or of one function's lines
_SET_ADDRESS = b"\0\x09\x02"  # DW_LNE_set_address
_END_SEQUENCE = b"\0\x01\x01"  # DW_LNE_end_sequence


class DebugSections:
    """What a program has of DWARF 2 to 5; nothing of it is read before it is needed.

    Decompressing takes about 0.1 s for 20 MB.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._lists: dict[str, bytes] = {}
        self._programs: dict[int, LineProgram | None] = {}  # of a unit

    @cached_property
    def info(self) -> tuple[bytes | mmap.mmap, int, int]:
        """.debug_info: what to search, and from where to where."""
        section = self._image.sections.get(".debug_info")
        if section is not None and not section.flags & _SHF_COMPRESSED:
            return self._image.map, section.offset, section.offset + section.size
        data = self._section("info") or b""
        return data, 0, len(data)

    @cached_property
    def units(self) -> list[int]:
        """Where the compilation units start in .debug_info."""
        data, base, end = self.info
        units, at = [], base
        while at + 12 <= end:
            units.append(at - base)
            size = int.from_bytes(data[at : at + 4], "little")
            if size >= 0xFFFFFFF0:  # 64-bit DWARF, which Go does not write
                break
            at += 4 + size
        return units

    @cached_property
    def packages(self) -> dict[str, tuple[int, int]]:
        """Where the unit of each Go package is in what ``info`` says to search: from, to."""
        data, base, end = self.info
        found = {}
        for start, until in pairwise((*self.units, end - base)):
            name = base + start + (13 if data[base + start + 4 : base + start + 5] >= b"\5" else 12)  # behind its code
            stop = data.find(b"\0", name, name + _LONGEST_PATH)
            if stop > name:
                found[bytes(data[name:stop]).decode("utf-8", "replace")] = (base + start, base + until)
        return found

    @cached_property
    def reader(self) -> DWARFInfo | None:
        """Pyelftools with only the sections that parsing an entry needs; None without DWARF."""
        data, base, end = self.info
        abbreviations = self._section("abbrev")
        if end <= base or not abbreviations:
            return None
        sections: dict[str, Any] = dict.fromkeys(
            inspect.signature(DWARFInfo).parameters
        )  # they vary between its releases
        config = DwarfConfig(
            little_endian=True,
            machine_arch={"amd64": "x64", "arm64": "AArch64"}[self._image.arch],
            default_address_size=8,
        )
        stream = io.BytesIO(data) if isinstance(data, bytes) else io.BytesIO(data[base:end])
        sections.update(config=config, debug_info_sec=_described("info", stream, end - base))
        sections.update(debug_abbrev_sec=_described("abbrev", io.BytesIO(abbreviations), len(abbreviations)))
        for name in ("addr", "str", "line_str"):
            content = self._section(name)
            if content:
                sections[f"debug_{name}_sec"] = _described(name, io.BytesIO(content), len(content))
        return DWARFInfo(**sections)

    def locations(self, entry: Any, offset: int) -> list[Any]:
        """Return the location list at ``offset`` that an attribute of ``entry`` names, as pyelftools has it."""
        new = entry.cu["version"] >= 5
        window = self._window("loclists" if new else "loc", offset)
        lists = LocationLists(window, entry.cu.structs, 5 if new else 4, entry.dwarfinfo)
        return lists.get_location_list_at_offset(0, entry)

    def ranges(self, entry: Any, offset: int) -> list[Any]:
        """Return the range list at ``offset`` that an attribute of ``entry`` names, as pyelftools has it."""
        new = entry.cu["version"] >= 5
        window = self._window("rnglists" if new else "ranges", offset)
        lists = RangeLists(window, entry.cu.structs, 5 if new else 4, entry.dwarfinfo)
        return lists.get_range_list_at_offset(0, entry.cu)

    def statements(self, entry: Any, start: int) -> frozenset[int]:
        """Return the addresses that the line table marks as starting a statement, of the code at ``start``.

        ``entry`` is in the code's unit. Go writes a sequence of its own for each function, since Go 1.15.
        """
        if self.reader is None:
            return frozenset()
        if self.reader.debug_line_sec is None:
            content = self._section("line") or b""
            self.reader.debug_line_sec = _described("line", io.BytesIO(content), len(content))
            self._lists["line"] = content
        if entry.cu.cu_offset not in self._programs:
            self._programs[entry.cu.cu_offset] = self.reader.line_program_for_CU(entry.cu)
        whole = self._programs[entry.cu.cu_offset]
        if whole is None:
            return frozenset()
        data = self._lists["line"]
        first = data.find(
            _SET_ADDRESS + start.to_bytes(8, "little"), whole.program_start_offset, whole.program_end_offset
        )
        if first < 0:
            return frozenset()
        behind = data.find(_END_SEQUENCE + _SET_ADDRESS, first, min(whole.program_end_offset, first + _LONGEST_LIST))
        last = behind + len(_END_SEQUENCE) if behind >= 0 else min(whole.program_end_offset, first + _LONGEST_LIST)
        program = LineProgram(whole.header, io.BytesIO(data), whole.structs, first, last)
        states = (each.state for each in program.get_entries() if each.state is not None)
        return frozenset(state.address for state in states if state.is_stmt and not state.end_sequence)

    def _window(self, name: str, offset: int) -> io.BytesIO:
        """Give a bounded piece of a section: a list without an end must not be read for ever."""
        if name not in self._lists:
            self._lists[name] = self._section(name) or b""
        return io.BytesIO(self._lists[name][offset : offset + _LONGEST_LIST])

    def _section(self, name: str) -> bytes | None:
        """Return a debug section's bytes, decompressed; None when it is missing or broken."""
        sections = self._image.sections
        plain, old = sections.get(f".debug_{name}"), sections.get(f".zdebug_{name}")
        if plain is not None:
            data = self._raw(plain)
            if not plain.flags & _SHF_COMPRESSED:
                return data
            if int.from_bytes(data[:4], "little") != _ZLIB:  # Elf64_Chdr: type, reserved, size, alignment
                return None
            return _inflate(data[24:], int.from_bytes(data[8:16], "little"))
        if old is not None:  # Go before 1.19: "ZLIB", big-endian size
            data = self._raw(old)
            return _inflate(data[12:], int.from_bytes(data[4:12], "big")) if data[:4] == b"ZLIB" else None
        return None

    def _raw(self, section: Section) -> bytes:
        return self._image.map[section.offset : section.offset + section.size]


def _inflate(data: bytes, size: int) -> bytes | None:
    if not 0 < size <= _LARGEST:
        return None
    try:
        plain = zlib.decompressobj().decompress(data, size)
    except zlib.error:
        return None
    return plain if len(plain) == size else None


def _described(name: str, stream: io.BytesIO, size: int) -> DebugSectionDescriptor:
    return DebugSectionDescriptor(stream=stream, name=f".debug_{name}", global_offset=0, size=size, address=0)
