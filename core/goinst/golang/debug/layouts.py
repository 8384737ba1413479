"""How Go values are laid out, from their types in DWARF: what the ABI needs to say where they are.

Tags and attributes: cmd/link/internal/ld/dwarf.go (``newtype``), Go 1.16 to 1.27.
"""

from __future__ import annotations

from typing import Any

from goinst.binary.dwarf.attributes import Unusable, attribute
from goinst.golang.debug.information import GO_KIND, DebugInfo, children, name_of
from goinst.golang.types.abi import Layout, Word, within
from goinst.golang.types.descriptors import KINDS

__all__ = ["Layouts"]

_WORD = 8
_DEEPEST = 64  # types within each other; corrupt DWARF may have one within itself
_MOST_WORDS = 512
_LARGEST = 1 << 30  # bytes: Go's own limit for a frame
_BEHIND = frozenset(("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type"))
_FLOAT = 4  # DW_ATE_float
_PARTS = {"string": 2, "slice": 3, "interface": 2}
_POINTERS = frozenset(("ptr", "map", "chan", "func", "unsafe.Pointer"))


class Layouts:
    """Layouts of types, each computed once. Unusable, or what pyelftools raises, when the DWARF is broken."""

    def __init__(self, debug: DebugInfo) -> None:
        self._debug = debug
        self._known: dict[int, Layout] = {}

    def of(self, entry: Any, depth: int = 0) -> Layout:
        """Return the layout of the type that ``entry`` is."""
        known = self._known.get(entry.offset)
        if known is None:
            if depth > _DEEPEST:
                raise Unusable
            known = self._measure(entry, depth + 1)
            if len(known.words) > _MOST_WORDS or not 0 <= known.size <= _LARGEST:
                raise Unusable
            self._known[entry.offset] = known
        return known

    def _measure(self, entry: Any, depth: int) -> Layout:
        number = attribute(entry, GO_KIND, 0)
        kind = KINDS[number] if 0 < number < len(KINDS) else ""
        if entry.tag in ("DW_TAG_pointer_type", "DW_TAG_subroutine_type") or kind in _POINTERS:
            return _words(1)
        if kind in _PARTS:
            return _words(_PARTS[kind])
        if entry.tag in _BEHIND:
            return self.of(self._debug.referred(entry), depth)
        if entry.tag == "DW_TAG_array_type":
            return self._array(entry, depth)
        if entry.tag in ("DW_TAG_structure_type", "DW_TAG_class_type"):
            return self._struct(entry, depth)
        size = int(attribute(entry, "DW_AT_byte_size"))
        if entry.tag not in ("DW_TAG_base_type", "DW_TAG_enumeration_type") or not 0 < size <= 2 * _WORD:
            raise Unusable
        if kind.startswith("complex"):
            half = size // 2
            return Layout(size, half, (Word("", 0, half, floating=True), Word("", half, half, floating=True)))
        return Layout(size, size, (Word("", 0, size, attribute(entry, "DW_AT_encoding", 0) == _FLOAT),))

    def _array(self, entry: Any, depth: int) -> Layout:
        elem = self.of(self._debug.referred(entry), depth)
        length = 1
        for bound in children(entry):
            if bound.tag == "DW_TAG_subrange_type":
                length *= attribute(bound, "DW_AT_count", attribute(bound, "DW_AT_upper_bound", -1) + 1)
        size = length * elem.size
        if length == 1:
            return Layout(size, elem.align, elem.words, elem.splits)
        return Layout(size, elem.align, (Word("", 0, size),) if size else (), splits=length == 0)

    def _struct(self, entry: Any, depth: int) -> Layout:
        size = int(attribute(entry, "DW_AT_byte_size"))
        align, splits, words = 1, True, list[Word]()
        for member in children(entry):
            if member.tag != "DW_TAG_member":
                raise Unusable
            inner = self.of(self._debug.referred(member), depth)
            offset = int(attribute(member, "DW_AT_data_member_location"))
            if not 0 <= offset <= size - inner.size or len(words) > _MOST_WORDS:
                raise Unusable
            align, splits = max(align, inner.align), splits and inner.splits
            words += within(name_of(member), offset, inner)
        return Layout(size, align, tuple(words), splits)


def _words(count: int) -> Layout:
    return Layout(count * _WORD, _WORD, tuple(Word("", at * _WORD, _WORD) for at in range(count)))
