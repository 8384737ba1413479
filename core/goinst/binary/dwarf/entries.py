"""The DWARF of a native program: entries by address, by name and by reference.

Only the units that a question is about are parsed. ``Unusable`` is raised for what is not there; what is broken raises
whatever pyelftools does: who answers a question takes both for no answer.
"""

from __future__ import annotations

import mmap
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

from goinst.binary.dwarf.attributes import Unusable
from goinst.binary.elf import Section

__all__ = ["Dwarf", "flag", "name_of", "number", "referred", "unqualified"]

_LARGEST = 1 << 30  # bytes of all sections that are read, decompressed
_MOST_UNITS = 1 << 18
_MOST_HITS = 4096
_MOST_CHILDREN = 1 << 16
_MOST_ENTRIES = 1 << 18
_DEEPEST = 24
_SHF_COMPRESSED = 1 << 11
_SECTIONS = re.compile(r"\.z?debug_(?:info|abbrev|str|line_str|str_offsets|addr|aranges|loc|loclists|ranges|rnglists)")
_SCOPES = ("DW_TAG_namespace", "DW_TAG_class_type", "DW_TAG_structure_type", "DW_TAG_module")
_TYPES = (
    "DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type", "DW_TAG_enumeration_type", "DW_TAG_typedef",
    "DW_TAG_base_type",
)  # fmt: skip
_QUALIFIERS = (
    "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type", "DW_TAG_atomic_type", "DW_TAG_packed_type",
)  # fmt: skip


class Dwarf:
    """The debugging information in one file: its bytes and sections, and its path (for what it refers to)."""

    def __init__(self, data: mmap.mmap, sections: dict[str, Section], path: str) -> None:
        self._data = data
        self._sections = sections
        self._path = path
        self._found: dict[int, DIE] = {}

    # Units and entries

    @cached_property
    def info(self) -> Any:
        """pyelftools' view of it. Unusable without DWARF, or with too much of it."""
        sizes = [
            int.from_bytes(self._data[s.offset + 8 : s.offset + 16], "little") if s.flags & _SHF_COMPRESSED else s.size
            for name, s in self._sections.items()
            if _SECTIONS.fullmatch(name)
        ]
        if not sizes or sum(sizes) > _LARGEST:
            raise Unusable
        try:
            elf = ELFFile(self._data, self._load)  # type: ignore[arg-type]
            return elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=True)
        except Exception as error:  # pyelftools raises what it likes on broken sections
            raise Unusable from error

    def _load(self, path: str) -> IO[bytes]:
        """What the file shares with others (dwz's .gnu_debugaltlink)."""
        return Path(os.path.join(os.path.dirname(self._path), path)).open("rb")  # noqa: PTH118, PTH120

    @cached_property
    def units(self) -> list[Any]:
        """The compilation units, in order."""
        found = []
        try:
            for unit in self.info.iter_CUs():
                found.append(unit)
                if len(found) >= _MOST_UNITS:
                    break
        except Unusable:
            return []
        except Exception:  # noqa: S110 # pyelftools raises what it likes: what came before can be used
            pass
        return found

    def entry(self, offset: int, *, shared: bool = False) -> DIE:
        """The entry at an offset of .debug_info, or of the one that the file shares with others (dwz)."""
        try:
            if shared:
                found: DIE = self.info.supplementary_dwarfinfo.get_DIE_from_refaddr(offset)
            else:
                found = self.info.get_DIE_from_refaddr(offset, self._unit_of(offset))
        except Unusable:
            raise
        except Exception as error:  # pyelftools raises what it likes
            raise Unusable from error
        if found.is_null():
            raise Unusable
        return found

    def _unit_of(self, offset: int) -> Any:
        at = bisect_right(self._unit_offsets, offset) - 1
        if at < 0:
            raise Unusable
        return self.units[at]

    @cached_property
    def _unit_offsets(self) -> list[int]:
        return [unit.cu_offset for unit in self.units]

    # Functions

    def function(self, address: int) -> DIE:
        """The entry of the function whose code starts at ``address``."""
        if address not in self._found:
            self._found[address] = self._function(address)
        return self._found[address]

    def _function(self, address: int) -> DIE:
        for unit in self._units_at(address):
            found = next(self._functions(unit.get_top_DIE(), address, 0), None)
            if found is not None:
                return found
        raise Unusable

    def _functions(self, entry: DIE, address: int, depth: int) -> Iterator[DIE]:
        if depth > _DEEPEST:
            return
        for child in children(entry):
            if child.tag == "DW_TAG_subprogram":
                low = child.attributes.get("DW_AT_low_pc")
                if low.value == address if low is not None else address in self._starts(child):
                    yield child
            elif child.tag in _SCOPES and child.has_children:
                yield from self._functions(child, address, depth + 1)

    def inlined_in(self, name: str) -> list[int]:
        """Where functions begin that hold an inlined body of the function called ``name`` (``ns::f``)."""
        path = name.split("::")
        found: list[int] = []
        for unit in self._units_with(path[-1]):
            top = unit.get_top_DIE()
            bodies = {entry.offset for entry in self._inlines(top, path, 0)}
            if not bodies:
                continue
            for count, entry in enumerate(unit.iter_DIEs()):
                if count > _MOST_ENTRIES:
                    break
                if entry.tag == "DW_TAG_inlined_subroutine":
                    origin = referred(entry, "DW_AT_abstract_origin")
                    if origin is not None and origin.offset in bodies:
                        found += self._starts(entry)[:1]
        return found

    def _inlines(self, entry: DIE, path: list[str], depth: int) -> Iterator[DIE]:
        """The functions of this name that have been inlined somewhere."""
        for child in children(entry) if depth < _DEEPEST else ():
            if len(path) == 1 and child.tag == "DW_TAG_subprogram" and "DW_AT_inline" in child.attributes:
                if name_of(child) == path[0]:
                    yield child
            elif len(path) > 1 and child.tag in _SCOPES and name_of(child) == path[0]:
                yield from self._inlines(child, path[1:], depth + 1)

    def _starts(self, entry: DIE) -> list[int]:
        return [low for low, _ in self._ranges(entry)]

    def _units_at(self, address: int) -> Iterator[Any]:
        """The units that may hold it: as the table of ranges says, else as they say themselves."""
        offset = self._aranges.cu_offset_at_addr(address) if self._aranges is not None else None
        seen = self._unit_of(offset) if offset is not None else None
        if seen is not None:
            yield seen
        for unit in self.units:
            if unit is not seen and self._covers(unit, address):
                yield unit

    @cached_property
    def _aranges(self) -> Any:
        """The table of ranges, where there is one that can be read."""
        try:
            return self.info.get_aranges()
        except Exception:  # Unusable; and pyelftools raises what it likes
            return None

    def _covers(self, unit: Any, address: int) -> bool:
        try:
            return any(low <= address < high for low, high in self._ranges(unit.get_top_DIE()))
        except Exception:  # pyelftools raises what it likes
            return False

    def _ranges(self, entry: DIE) -> list[tuple[int, int]]:
        attributes = entry.attributes
        if "DW_AT_ranges" in attributes:
            lists = self.info.range_lists()
            base = attributes["DW_AT_low_pc"].value if "DW_AT_low_pc" in attributes else 0
            unit_low = entry.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
            base = unit_low.value if unit_low is not None else base
            found = []
            for row in lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value, entry.cu):
                if hasattr(row, "base_address"):
                    base = row.base_address
                    continue
                offset = 0 if row.is_absolute else base
                found.append((row.begin_offset + offset, row.end_offset + offset))
            return found
        if "DW_AT_low_pc" not in attributes or "DW_AT_high_pc" not in attributes:
            return []
        low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        return [(low, high.value if high.form == "DW_FORM_addr" else low + high.value)]

    def locations(self, entry: DIE, attribute: str) -> list[tuple[int, int, Any]] | Any:
        """A location list as (low, high, expression) or one expression (bytes) that always counts."""
        from elftools.dwarf.locationlists import LocationParser

        found: Any = LocationParser(self.info.location_lists()).parse_from_attribute(
            entry.attributes[attribute], entry.cu["version"], entry
        )
        if not isinstance(found, list):
            return bytes(found.loc_expr)
        low = entry.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = low.value if low is not None else 0
        rows: list[tuple[int, int, Any]] = []
        for row in found:
            if hasattr(row, "base_address"):
                base = row.base_address
            else:
                offset = 0 if row.is_absolute else base
                rows.append((row.begin_offset + offset, row.end_offset + offset, bytes(row.loc_expr)))
        return rows

    # Types

    def type(self, name: str) -> DIE:
        """The entry that defines the type with this name: ``order``, ``ns::Item``; a C tag and a typedef alike."""
        path = name.split("::")
        declared = None
        for unit in self._units_with(path[-1]):
            for entry in self._named(unit.get_top_DIE(), path, 0):
                if not flag(entry, "DW_AT_declaration"):
                    return entry
                declared = declared or entry
        if declared is None:
            raise Unusable
        return declared

    def _named(self, entry: DIE, path: list[str], depth: int) -> Iterator[DIE]:
        if depth > _DEEPEST:
            return
        for child in children(entry):
            own = name_of(child)
            if len(path) == 1 and own == path[0] and child.tag in _TYPES:
                yield child
            elif len(path) > 1 and child.tag in _SCOPES and own == path[0]:
                yield from self._named(child, path[1:], depth + 1)

    def _units_with(self, name: str) -> Iterator[Any]:
        """The units that mention a name: written in place, or by its offset in .debug_str; all where neither helps."""
        try:
            info = self.info.debug_info_sec.stream.getvalue()
            text = self.info.debug_str_sec
            strings = text.stream.getvalue() if text is not None else b""
        except (Unusable, AttributeError):
            return
        shared = self.info.supplementary_dwarfinfo
        if shared is not None or self.info.debug_str_offsets_sec is not None:
            yield from self.units
            yield from islice(shared.iter_CUs() if shared is not None else (), _MOST_UNITS)
            return
        wanted = name.encode() + b"\0"
        patterns = [wanted]
        at = strings.find(wanted)
        while at >= 0 and len(patterns) < _MOST_HITS:
            if at == 0 or strings[at - 1] == 0:
                patterns.append(at.to_bytes(4, "little"))
            at = strings.find(wanted, at + 1)
        hits: set[int] = set()
        for pattern in patterns:
            at = info.find(pattern)
            for _ in range(_MOST_HITS):
                if at < 0:
                    break
                hits.add(bisect_right(self._unit_offsets, at) - 1)
                at = info.find(pattern, at + 1)
        yield from (self.units[number] for number in sorted(hits) if number >= 0)


def children(entry: DIE) -> Iterator[DIE]:
    """The entries right below one; they end where they are broken."""
    try:
        for count, child in enumerate(entry.iter_children()):
            if count > _MOST_CHILDREN:
                return
            yield child
    except Exception:  # pyelftools raises what it likes
        return


def referred(entry: DIE, attribute: str = "DW_AT_type") -> DIE | None:
    """The entry that an attribute leads to; None without it. Unusable when it leads nowhere."""
    if attribute not in entry.attributes:
        return None
    try:
        found = entry.get_DIE_from_attribute(attribute)
    except Exception as error:  # pyelftools raises what it likes
        raise Unusable from error
    return found if not found.is_null() else None


def unqualified(entry: DIE | None) -> DIE | None:
    """A type without const, volatile and their like; None for void."""
    for _ in range(_DEEPEST):
        if entry is None or entry.tag not in _QUALIFIERS:
            return entry
        entry = referred(entry)
    raise Unusable


def name_of(entry: DIE) -> str:
    """Its name, of what it is an instance of when it has none itself."""
    for _ in range(4):
        found = entry.attributes.get("DW_AT_name")
        if found is not None:
            value = found.value
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        origin = referred(entry, "DW_AT_abstract_origin") or referred(entry, "DW_AT_specification")
        if origin is None:
            return ""
        entry = origin
    return ""


def number(entry: DIE, attribute: str, default: int = -1) -> int:
    """A constant attribute."""
    found = entry.attributes.get(attribute)
    return found.value if found is not None and isinstance(found.value, int) else default


def flag(entry: DIE, attribute: str) -> bool:
    """Whether the entry has the flag."""
    found = entry.attributes.get(attribute)
    return found is not None and bool(found.value)
