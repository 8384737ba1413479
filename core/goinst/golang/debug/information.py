"""DWARF, for what type descriptors lack: types that live on stacks only, and parameter names.

A type or function is found by searching .debug_info for its name's bytes (Go writes names in place, as
DW_FORM_string and as the first attribute) and pyelftools parses just that entry. Nothing is walked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from goinst.binary.dwarf.attributes import Unusable, attribute
from goinst.binary.dwarf.sections import DebugSections
from goinst.binary.elf import Image
from goinst.binary.model import Function
from goinst.golang.symbols import escaped, package_of, renamed, unescaped
from goinst.golang.types.descriptors import KINDS, GoField, GoType

__all__ = ["GO_KIND", "DebugInfo", "children", "name_of"]

# cmd/internal/dwarf/dwarf.go: DW_AT_go_kind, key, elem, embedded_field
GO_KIND, _GO_KEY, _GO_ELEM, _GO_EMBEDDED = 0x2900, 0x2901, 0x2902, 0x2903
_LONGEST_NAME = 512
_GO_DICTIONARY_INDEX = 0x2906  # DW_AT_go_dict_index
_SHAPE = re.compile(r"(^|[\]*() ])go\.shape\.([^\s(),\[]*?)(_\d+)?(?=[\s()\[,\]]|$)")  # Go 1.18 numbers them
_KINDS: dict[str, frozenset[int]] = {
    "DW_TAG_structure_type": frozenset((23, 24, 25)),
    "DW_TAG_typedef": frozenset((18, 20, 21)),
    "DW_TAG_base_type": frozenset(range(1, 17)),
    "DW_TAG_array_type": frozenset((17,)),
    "DW_TAG_subroutine_type": frozenset((19,)),
}  # the reflect.Kinds that cmd/link/internal/ld/dwarf.go writes with each tag
_INTERFACE_SIZE, _POINTER_SIZE = 16, 8
_MOST_HITS = 2000  # places looked at that hold a name
_MOST_CHILDREN = 10_000
_MOST_REFERENCES = 20_000  # bodies and inlined bodies of one function
_DEEPEST = 16  # typedefs of typedefs


class DebugInfo:
    """The DWARF of a program, compressed or not; answers None where there is none or it is broken.

    The first question decompresses .debug_info when the linker compressed it (about 0.1 s for 20 MB).
    """

    def __init__(self, image: Image) -> None:
        self.sections = DebugSections(image)
        self._subprograms: dict[tuple[str, int], Any] = {}
        self._statements: dict[int, frozenset[int]] = {}

    def type(self, name: str) -> GoType | None:
        """Return the type with this full name; address and hash are 0, and only structs have their parts.

        Pointer types are left to the caller, who knows them by their star.
        """
        # a package's path is as in the names of functions
        for entry in self._entries(renamed(name, escaped), tuple(_KINDS)):
            try:
                kind = self._kind(entry)
                size = self._size(entry)
                return GoType(name, kind, size, 0, 0, self._fields(entry, size) if kind == "struct" else ())
            except Exception:  # noqa: S112 # pyelftools raises what it likes on broken entries
                continue
        return None

    def subprogram(self, name: str, address: int = 0) -> Any | None:
        """Return the entry of the function called ``name`` whose body starts at ``address`` (0: the first body).

        Where it has no body of its own, and is only inlined: its abstract entry. Names of generic functions are as in
        pclntab (``F[...]``), or as in DWARF (``F[go.shape.int]``).
        """
        key = (name, address)
        if key not in self._subprograms:
            self._subprograms[key] = self._subprogram(name, address)
        return self._subprograms[key]

    def _subprogram(self, name: str, address: int) -> Any | None:
        unit = self.sections.packages.get(package_of(name).replace("%2e", "."))
        places = (unit, None) if unit is not None else (None,)  # bodies of generic functions are where they are used
        abstract = None
        for entry in chain.from_iterable(self._entries(name, ("DW_TAG_subprogram",), place) for place in places):
            bodies: Iterable[Any] = (entry,)
            if "DW_AT_inline" in entry.attributes:
                bodies, abstract = self.referring(entry, "DW_TAG_subprogram"), abstract or entry
            for body in bodies:
                low = attribute(body, "DW_AT_low_pc", 0)
                if low and low == (address or low):
                    return body
        return abstract

    def address(self, name: str) -> int:
        """Return where the function of this name starts; 0 when it is not there."""
        entry = self.subprogram(name)
        return 0 if entry is None else int(attribute(entry, "DW_AT_low_pc", 0))

    def bodies(self, name: str) -> Iterator[tuple[str, int]]:
        """Give full name and address of the bodies that share a name with ``[...]`` in it."""
        for entry in self._entries(name, ("DW_TAG_subprogram",)):
            low = attribute(entry, "DW_AT_low_pc", 0)
            if low:
                yield name_of(entry), int(low)

    def referring(self, entry: Any, tag: str) -> Iterator[Any]:
        """Give the entries of a kind whose abstract origin is ``entry``: bodies, inlined bodies."""
        data, base, end = self.sections.info
        wanted = int(entry.offset).to_bytes(4, "little")
        kinds: dict[int, bool] = {}
        at = data.find(wanted, base, end)
        left = _MOST_REFERENCES
        while at >= 0 and left:
            code = data[at - 1] if at > base else 0
            if code not in kinds:
                kinds[code] = _first_is_origin(entry.cu.get_abbrev_table(), code, tag)
            if kinds[code]:
                left -= 1
                try:
                    found = self.entry(at - base - 1)
                    if found.tag == tag and attribute(found, "DW_AT_abstract_origin") == entry.offset:
                        yield found
                except Exception:  # noqa: S110 # the byte before is not an abbreviation code
                    pass
            at = data.find(wanted, at + 1, end)

    def resolved(self, entry: Any) -> Any:
        """Return what has the name and type of ``entry``: its abstract origin, or itself."""
        origin = attribute(entry, "DW_AT_abstract_origin", -1)
        return entry if origin < 0 else self.entry(origin)

    def type_name(self, entry: Any) -> str:
        """Return the name of the type of a variable or parameter, with full package paths.

        In the body of a generic function it is that of the shape that the body is for: ``[]int`` for ``[]T``.
        """
        kind = self.referred(entry)
        if attribute(kind, _GO_DICTIONARY_INDEX, -1) >= 0:  # a stand-in for what the dictionary says
            kind = self.referred(kind)
        return _SHAPE.sub(r"\1\2", name_of(kind))

    def parts(self, name: str) -> tuple[str, str, int] | None:
        """Return the names of what a slice, array, map, channel or pointer type is made of, (elem, key), and an
        array's length."""
        for entry in self._entries(name, tuple(_KINDS)):
            try:
                elem = attribute(entry, _GO_ELEM, 0) or attribute(entry, "DW_AT_type", 0)
                key = attribute(entry, _GO_KEY, 0)
                names = [name_of(self.entry(at)) if at else "" for at in (elem, key)]
                counts = [attribute(child, "DW_AT_count", 0) for child in children(entry) if "range" in child.tag]
                return names[0], names[1], int(counts[0]) if counts else 0
            except Exception:  # noqa: S112 # pyelftools raises what it likes on broken entries
                continue
        return None

    def spelled(self, text: str) -> tuple[str, ...]:
        """Return the full names of the types whose last path element and name are ``text``, as ``http.Request``."""
        if not text or "\0" in text:
            return ()
        data, base, end = self.sections.info
        found, at = set(), base
        for _ in range(_MOST_HITS):
            at = data.find(b"/" + text.encode() + b"\0", at, end)
            if at < 0:
                break
            start = at
            while start > base and at - start < _LONGEST_NAME and data[start - 1] > 32:
                start -= 1
            for first in range(start, min(start + 3, at)):  # an abbreviation code can look like a letter
                name = bytes(data[first : at + 1 + len(text.encode())]).decode("utf-8", "replace")
                if name not in found and self.type(name) is not None:
                    found.add(name)
                    break
            at += 1
        return tuple(sorted(found))

    def statements(self, function: Function) -> frozenset[int]:
        """Return the instructions that start a statement, as the line table marks them; none without one."""
        if function.entry not in self._statements:
            try:
                entry = self.subprogram(function.name, function.entry)
                found = frozenset() if entry is None else self.sections.statements(entry, function.entry)
            except Exception:  # pyelftools raises what it likes on broken tables
                found = frozenset()
            self._statements[function.entry] = found
        return self._statements[function.entry]

    # Entries

    def _entries(self, name: str, tags: tuple[str, ...], place: tuple[int, int] | None = None) -> Iterator[Any]:
        """Give the entries of these kinds that have the name; ``place``: from where to where to look."""
        if self.sections.reader is None or not name or "\0" in name:
            return
        first, generic, _ = name.partition("[...]")
        pattern = re.compile(re.escape(name.encode()).replace(rb"\[\.\.\.\]", rb"\[.*\]"), re.DOTALL)
        wanted = f"{first}[".encode() if generic else name.encode() + b"\0"
        data, base, end = self.sections.info
        start, end = place or (base, end)
        at = data.find(wanted, start, end)
        for _ in range(_MOST_HITS):
            if at < 0:
                return
            try:
                # Go's abbreviation codes take one byte. The space in "chan error" could be one, too.
                if not bytes(data[at - 2 : at]).isascii() or not bytes(data[at - 2 : at]).decode().isprintable():
                    entry = self.entry(at - base - 1)
                    if entry.tag in tags and pattern.fullmatch(attribute(entry, "DW_AT_name")):
                        yield entry
            except Exception:  # noqa: S110 # the bytes before are not an abbreviation code
                pass
            at = data.find(wanted, at + 1, end)

    def entry(self, offset: int) -> Any:
        """Return the entry at ``offset`` of .debug_info; whatever pyelftools raises when there is none."""
        unit = bisect_right(self.sections.units, offset) - 1
        if self.sections.reader is None or unit < 0:
            raise Unusable
        parsed = self.sections.reader.get_CU_at(self.sections.units[unit])
        parsed.get_top_DIE()  # before others: addresses that are given by number depend on it
        return self.sections.reader.get_DIE_from_refaddr(offset, parsed)

    def referred(self, entry: Any) -> Any:
        """Return the type of an entry."""
        return self.entry(attribute(entry, "DW_AT_type"))

    def _kind(self, entry: Any) -> str:
        kind = attribute(entry, GO_KIND)
        if kind not in _KINDS[entry.tag]:
            raise Unusable
        return KINDS[kind]

    def _size(self, entry: Any, depth: int = 0) -> int:
        size = attribute(entry, "DW_AT_byte_size", -1)
        if size >= 0:
            return int(size)
        if entry.tag != "DW_TAG_typedef":
            return _POINTER_SIZE
        kind = attribute(entry, GO_KIND, 0)
        if kind or depth > _DEEPEST:
            return _INTERFACE_SIZE if KINDS[kind] == "interface" else _POINTER_SIZE
        return self._size(self.referred(entry), depth + 1)

    def _fields(self, entry: Any, size: int) -> tuple[GoField, ...]:
        fields = []
        for child in children(entry):
            type_ = self.referred(child)
            offset = int(attribute(child, "DW_AT_data_member_location"))
            if child.tag != "DW_TAG_member" or not 0 <= offset <= size:
                raise Unusable
            embedded = bool(attribute(child, _GO_EMBEDDED, 0))
            kind = unescaped(name_of(type_))
            fields.append(GoField(name_of(child), offset, kind, self._size(type_), embedded))
        return tuple(fields)


def children(entry: Any) -> Iterator[Any]:
    """Give the entries right below ``entry``."""
    for count, child in enumerate(entry.iter_children()):
        if count > _MOST_CHILDREN:
            raise Unusable
        yield child


def _first_is_origin(abbreviations: Any, code: int, tag: str) -> bool:
    """Say whether entries of this abbreviation have the tag and start with their abstract origin."""
    try:
        declared = abbreviations.get_abbrev(code)
    except KeyError:
        return False
    return declared["tag"] == tag and next(iter(declared.iter_attr_specs()), ("", ""))[0] == "DW_AT_abstract_origin"


def name_of(entry: Any) -> str:
    """Return the name of an entry; empty without one."""
    return str(attribute(entry, "DW_AT_name", b"").decode("utf-8", "replace"))
