"""DWARF, for what type descriptors lack: types that live on stacks only, and parameter names.

A type or function is found by searching .debug_info for its name's bytes (Go writes names in place, as
DW_FORM_string and as the first attribute) and pyelftools parses just that entry. Nothing is walked.
"""

from __future__ import annotations

import inspect
import io
import mmap
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

from goinst.golang.elf import Image, Section
from goinst.golang.typemeta import KINDS, GoField, GoType

__all__ = ["DebugInfo", "Parameter"]

_GO_KIND, _GO_EMBEDDED = 0x2900, 0x2903  # cmd/internal/dwarf/dwarf.go: DW_AT_go_kind, DW_AT_go_embedded_field
_KINDS: dict[str, frozenset[int]] = {
    "DW_TAG_structure_type": frozenset((23, 24, 25)),
    "DW_TAG_typedef": frozenset((18, 20, 21)),
    "DW_TAG_base_type": frozenset(range(1, 17)),
    "DW_TAG_array_type": frozenset((17,)),
    "DW_TAG_subroutine_type": frozenset((19,)),
}  # the reflect.Kinds that cmd/link/internal/ld/dwarf.go writes with each tag
_INTERFACE_SIZE, _POINTER_SIZE = 16, 8
_SHF_COMPRESSED = 1 << 11
_ZLIB = 1  # ELFCOMPRESS_ZLIB
_LARGEST = 1 << 30  # bytes of a section after decompression
_MOST_HITS = 2000  # places looked at that hold a name
_MOST_CHILDREN = 10_000
_DEEPEST = 16  # typedefs of typedefs


class Parameter(NamedTuple):
    """A parameter or result of a function, in Go's order. Before Go 1.22 unnamed and ``_`` ones are left
    out.
    """

    name: str
    type_name: str
    result: bool


class _UnusableError(Exception):
    """The entry is not what was looked for, or is broken."""


class DebugInfo:
    """The DWARF of a program, compressed or not; answers None where there is none or it is broken.

    The first question decompresses .debug_info when the linker compressed it (about 0.1 s for 20 MB).
    """

    def __init__(self, image: Image) -> None:
        self._image = image

    def type(self, name: str) -> GoType | None:
        """Return the type with this full name; address and hash are 0, and only structs have their parts.

        Pointer types are left to the caller, who knows them by their star.
        """
        for entry in self._entries(name, tuple(_KINDS)):
            try:
                kind = self._kind(entry)
                size = self._size(entry)
                return GoType(name, kind, size, 0, 0, self._fields(entry, size) if kind == "struct" else ())
            except Exception:  # noqa: S112 # pyelftools raises what it likes on broken entries
                continue
        return None

    def parameters(self, function: str) -> tuple[Parameter, ...] | None:
        """Return the parameters and results of the function called ``function``."""
        for entry in self._entries(function, ("DW_TAG_subprogram",)):
            try:
                return tuple(
                    Parameter(
                        _name(child),
                        _name(self._referred(child)),
                        bool(_value(child, "DW_AT_variable_parameter", 0)),
                    )
                    for child in _children(entry)
                    if child.tag == "DW_TAG_formal_parameter"
                )
            except Exception:  # noqa: S112 # pyelftools raises what it likes on broken entries
                continue
        return None

    # Entries

    def _entries(self, name: str, tags: tuple[str, ...]) -> Iterator[Any]:
        """Give the entries of these kinds that have the name."""
        if self._reader is None or not name or "\0" in name:
            return
        wanted = name.encode()
        data, base, end = self._info
        at = data.find(wanted + b"\0", base, end)
        for _ in range(_MOST_HITS):
            if at < 0:
                return
            try:
                # Go's abbreviation codes take one byte. The space in "chan error" could be one, too.
                if not bytes(data[at - 2 : at]).isascii() or not bytes(data[at - 2 : at]).decode().isprintable():
                    entry = self._entry(at - base - 1)
                    if entry.tag in tags and _value(entry, "DW_AT_name") == wanted:
                        yield entry
            except Exception:  # noqa: S110 # the bytes before are not an abbreviation code
                pass
            at = data.find(wanted + b"\0", at + 1, end)

    def _entry(self, offset: int) -> Any:
        unit = bisect_right(self._units, offset) - 1
        if self._reader is None or unit < 0:
            raise _UnusableError
        return self._reader.get_DIE_from_refaddr(offset, self._reader.get_CU_at(self._units[unit]))

    def _referred(self, entry: Any) -> Any:
        return self._entry(_value(entry, "DW_AT_type"))

    def _kind(self, entry: Any) -> str:
        kind = _value(entry, _GO_KIND)
        if kind not in _KINDS[entry.tag]:
            raise _UnusableError
        return KINDS[kind]

    def _size(self, entry: Any, depth: int = 0) -> int:
        size = _value(entry, "DW_AT_byte_size", -1)
        if size >= 0:
            return int(size)
        if entry.tag != "DW_TAG_typedef":
            return _POINTER_SIZE
        kind = _value(entry, _GO_KIND, 0)
        if kind or depth > _DEEPEST:
            return _INTERFACE_SIZE if KINDS[kind] == "interface" else _POINTER_SIZE
        return self._size(self._referred(entry), depth + 1)

    def _fields(self, entry: Any, size: int) -> tuple[GoField, ...]:
        fields = []
        for child in _children(entry):
            type_ = self._referred(child)
            offset = int(_value(child, "DW_AT_data_member_location"))
            if child.tag != "DW_TAG_member" or not 0 <= offset <= size:
                raise _UnusableError
            embedded = bool(_value(child, _GO_EMBEDDED, 0))
            fields.append(GoField(_name(child), offset, _name(type_), self._size(type_), embedded))
        return tuple(fields)

    # Sections

    @cached_property
    def _info(self) -> tuple[bytes | mmap.mmap, int, int]:
        """What to search for names, and from where to where."""
        section = self._image.sections.get(".debug_info")
        if section is not None and not section.flags & _SHF_COMPRESSED:
            return self._image.map, section.offset, section.offset + section.size
        data = self._section("info") or b""
        return data, 0, len(data)

    @cached_property
    def _units(self) -> list[int]:
        """Where the compilation units start."""
        data, base, end = self._info
        units, at = [], base
        while at + 12 <= end:
            units.append(at - base)
            size = int.from_bytes(data[at : at + 4], "little")
            if size >= 0xFFFFFFF0:  # 64-bit DWARF, which Go does not write
                break
            at += 4 + size
        return units

    @cached_property
    def _reader(self) -> DWARFInfo | None:
        """pyelftools with only the sections that parsing an entry needs."""
        data, base, end = self._info
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


def _children(entry: Any) -> Iterator[Any]:
    """Give the entries right below ``entry``."""
    for count, child in enumerate(entry.iter_children()):
        if count > _MOST_CHILDREN:
            raise _UnusableError
        yield child


def _value(entry: Any, attribute: str | int, default: Any = None) -> Any:
    found = entry.attributes.get(attribute)
    if found is None:
        if default is None:
            raise _UnusableError
        return default
    return found.value


def _name(entry: Any) -> str:
    return str(_value(entry, "DW_AT_name", b"").decode("utf-8", "replace"))
