"""Types of a native program, one level at a time: from DWARF entries to Shapes.

A reference is a builtin name (``uint32``, ``char``, ``float64``), the offset of a DWARF entry (``@1f3c``; with ``/1``
for the inner dimension of an array, with ``~`` for the address and length inside a Rust String or Vec), or a name as
people write it: ``order``, ``struct order *``, ``*order``, ``ns::Item``.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from elftools.dwarf.die import DIE

from goinst.binary.dwarf.attributes import Unusable
from goinst.binary.dwarf.entries import Dwarf, children, flag, name_of, number, referred, unqualified
from goinst.binary.model import Member, Shape

__all__ = ["BUILTIN", "Shapes"]

_POINTERS = ("DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type")
_RECORDS = {"DW_TAG_structure_type": "struct", "DW_TAG_class_type": "struct", "DW_TAG_union_type": "union"}
_KINDS = {2: "bool", 3: "complex", 4: "float", 5: "int", 6: "int", 7: "uint", 8: "uint", 16: "uint"}  # DW_ATE_*
_WIDE_CHARACTER = 16  # DW_ATE_UTF
_REFERENCE = re.compile(r"@(=?[0-9a-f]{1,16})(?:/(\d)|(~))?")
_TAG = re.compile(r"^(?:const |volatile |struct |class |union |enum )+")
_PAIR = 16  # bytes of an address and a length
_DEEPEST = 24
_MOST_FIELDS = 2000
_MOST_VALUES = 4096
_C_LANGUAGES = (1, 2, 0xC, 0x1D, 0x2C)
_STD_STRING = re.compile(r"(?:std::(?:__cxx11::)?)?basic_string<char, std::char_traits<char>.*>")
BUILTIN = {
    **{f"int{size * 8}": Shape(f"int{size * 8}", "int", size) for size in (1, 2, 4, 8)},
    **{f"uint{size * 8}": Shape(f"uint{size * 8}", "uint", size) for size in (1, 2, 4, 8)},
    **{f"float{size * 8}": Shape(f"float{size * 8}", "float", size) for size in (4, 8)},
    "char": Shape("char", "int", 1),
    "bool": Shape("bool", "bool", 1),
    "void": Shape("void", "void", 0),
    "*char": Shape("*char", "pointer", 8, elem="char"),
    "*void": Shape("*void", "pointer", 8, elem="void"),
}
# what C calls them, where a program has no DWARF
_WRITTEN = {
    "int": "int32", "uint": "uint32", "unsigned": "uint32", "unsigned int": "uint32", "long": "int64",
    "unsigned long": "uint64",
    "long long": "int64", "unsigned long long": "uint64", "short": "int16", "unsigned short": "uint16",
    "signed char": "int8", "unsigned char": "uint8", "size_t": "uint64", "ssize_t": "int64", "byte": "uint8",
    "uintptr": "uint64", "double": "float64", "float": "float32", "u8": "uint8", "i8": "int8", "u16": "uint16",
    "i16": "int16", "u32": "uint32", "i32": "int32", "u64": "uint64", "i64": "int64", "usize": "uint64",
    "isize": "int64", "f32": "float32", "f64": "float64",
    **{f"{kind}{size}_t": f"{kind}{size}" for kind in ("int", "uint") for size in (8, 16, 32, 64)},
}  # fmt: skip


class Shapes:
    """Types of one file; without ``dwarf`` only the builtin ones."""

    def __init__(self, dwarf: Dwarf | None) -> None:
        self._dwarf = dwarf

    def shape(self, reference: str) -> Shape | None:
        """One level of a type, or None when there is none of that reference."""
        if reference in BUILTIN:
            return BUILTIN[reference]
        try:
            if match := _REFERENCE.fullmatch(reference):
                entry = self._at(match[1])
                return self._words(entry) if match[3] else self._entry(entry, int(match[2] or 0), 0)
            return self._written(reference.strip(), 0)
        except Exception:  # Unusable; and pyelftools raises what it likes on broken entries
            return None

    def reference(self, entry: DIE | None) -> str:
        """What ``shape`` takes for an entry."""
        entry = unqualified(entry)
        if entry is None:
            return "void"
        if entry.tag == "DW_TAG_base_type" and name_of(entry) == "char" and number(entry, "DW_AT_byte_size") == 1:
            return "char"
        return f"@{self._place(entry)}"

    def entry(self, name: str) -> DIE:
        """The entry of a type by its name, or by a reference. Unusable without it."""
        match = _REFERENCE.fullmatch(name)
        if match:
            return self._at(match[1])
        if self._dwarf is None:
            raise Unusable
        return self._dwarf.type(_TAG.sub("", name).strip())

    def _at(self, place: str) -> DIE:
        if self._dwarf is None:
            raise Unusable
        return self._dwarf.entry(int(place.removeprefix("="), 16), shared=place.startswith("="))

    def _place(self, entry: DIE) -> str:
        """Where an entry is: in the file, or (``=``) in what it shares with others."""
        shared = self._dwarf is not None and entry.dwarfinfo is not self._dwarf.info
        return f"{'=' if shared else ''}{entry.offset:x}"

    def _written(self, text: str, depth: int) -> Shape | None:
        if depth > _DEEPEST:
            return None
        inner = text[1:] if text.startswith("*") else text[:-1] if text.endswith(("*", "&")) else ""
        if inner or text in ("*", "&"):
            target = self._written(inner.strip(), depth + 1)
            return Shape(f"{target.name} *", "pointer", 8, elem=inner.strip()) if target is not None else None
        name = _TAG.sub("", f"{text} ").strip() if _TAG.match(text) else text
        if name in BUILTIN:
            return BUILTIN[name]
        if self._dwarf is not None:
            with suppress(Unusable):
                return self._entry(self._dwarf.type(name), 0, 0)
        return BUILTIN[_WRITTEN[name]] if name in _WRITTEN else None

    def _entry(self, entry: DIE | None, dimension: int, depth: int) -> Shape:
        entry = unqualified(entry)
        if depth > _DEEPEST:
            raise Unusable
        if entry is None:
            return BUILTIN["void"]
        name, size = self.name(entry), number(entry, "DW_AT_byte_size", 8)
        tag = str(entry.tag)
        if tag == "DW_TAG_base_type":
            kind = _KINDS.get(number(entry, "DW_AT_encoding"), "uint")
            if kind == "uint" and name == "char":  # where char has no sign (arm64), and Rust's
                return BUILTIN["char"] if size == 1 else Shape("char32", "uint", size)
            return Shape(name, kind, size)
        if tag in _POINTERS:
            target = referred(entry)
            name = name or f"{self.name(unqualified(target)) or 'void'} *"
            return Shape(name, "pointer", size, elem=self.reference(target))
        if tag == "DW_TAG_typedef":
            inner = self._entry(referred(entry), dimension, depth + 1)
            plain = inner.name == "char" and inner.size == 1
            return inner if plain or inner.kind == "void" else _renamed(inner, name)
        if tag in _RECORDS:
            return self._record(entry, name, size, depth)
        if tag == "DW_TAG_enumeration_type":
            return self._enumeration(entry, name, size)
        if tag == "DW_TAG_array_type":
            return self._array(entry, dimension, depth)
        if tag == "DW_TAG_subroutine_type":
            return Shape(name or "function", "func", 8)
        if tag == "DW_TAG_ptr_to_member_type":
            return Shape(name or "member", "uint", size)
        if tag == "DW_TAG_unspecified_type":
            return Shape(name, "void", 0)
        raise Unusable

    def name(self, entry: DIE | None) -> str:
        """The name of a type, with the namespaces that it is in."""
        if entry is None:
            return ""
        name = name_of(entry)
        if not name or entry.tag == "DW_TAG_base_type":
            return name
        if number(entry.cu.get_top_DIE(), "DW_AT_language") in _C_LANGUAGES:
            return name
        path = [name]
        for _ in range(_DEEPEST):
            parent = entry.get_parent()
            if parent is None or parent.tag == "DW_TAG_compile_unit":
                break
            entry = parent
            if own := name_of(parent):
                path.append(own)
        return "::".join(reversed(path))

    def _record(self, entry: DIE, name: str, size: int, depth: int) -> Shape:
        if flag(entry, "DW_AT_declaration") and self._dwarf is not None:
            found = self._dwarf.type(name)  # only named here, and defined in another unit
            if flag(found, "DW_AT_declaration"):
                return Shape(name, "struct", 0)
            return self._entry(found, 0, depth + 1)
        fields = []
        for count, child in enumerate(children(entry)):
            if count > _MOST_FIELDS:
                break
            member = self._member(child, count)
            if member is not None:
                fields.append(member)
        shape = Shape(name or _RECORDS[str(entry.tag)], _RECORDS[str(entry.tag)], size, tuple(fields))
        return self._text(shape, entry) or shape

    def _member(self, child: DIE, count: int) -> Member | None:
        offset = number(child, "DW_AT_data_member_location", 0)
        static = flag(child, "DW_AT_external") or flag(child, "DW_AT_declaration")
        bits = "DW_AT_bit_size" in child.attributes
        if child.tag == "DW_TAG_inheritance":
            located = child.attributes.get("DW_AT_data_member_location")
            if located is not None and not isinstance(located.value, int):
                return None  # a virtual base: where it is depends on the object
            target = unqualified(referred(child))
            return Member(name_of(target) if target is not None else "", offset, self.reference(target), embedded=True)
        if child.tag != "DW_TAG_member" or static or bits or offset < 0:
            return None
        name, kind = name_of(child), unqualified(referred(child))
        found = self._place_of_words(kind) if kind is not None and kind.tag in _RECORDS else None
        if kind is not None and found is not None:
            return Member(name or f"_{count}", offset + found[0], f"@{self._place(kind)}~")
        return Member(name or f"_{count}", offset, self.reference(kind), embedded=not name)

    def _text(self, shape: Shape, entry: DIE) -> Shape | None:
        """What is a string or a slice although it is made of fields: those that are known, of C++ and of Rust."""
        fields = {member.name: member for member in shape.fields}
        if set(fields) == {"data_ptr", "length"} and fields["data_ptr"].offset == 0:  # Rust: &str, &[T]
            if shape.name.rpartition("::")[2] == "&str":
                return Shape("&str", "string", shape.size)
            pointer = self.shape(fields["data_ptr"].type)
            return Shape(shape.name, "slice", shape.size, elem=pointer.elem if pointer is not None else "")
        if _STD_STRING.fullmatch(shape.name) and "_M_string_length" in fields:
            # libstdc++: the address, and 8 bytes later the length (bits/basic_string.h)
            return Shape("std::string", "string", shape.size)
        found = self._place_of_words(entry)
        if found is None:
            return None
        at, words = found
        if at == 0:
            return replace(words, size=shape.size)
        return replace(shape, name=words.name, fields=(Member("items", at, f"@{self._place(entry)}~", embedded=True),))

    def _words(self, entry: DIE) -> Shape | None:
        found = self._place_of_words(entry)
        return found[1] if found is not None else None

    def _place_of_words(self, entry: DIE) -> tuple[int, Shape] | None:
        """Where a Rust String or Vec has its address, with its length in the word behind it; the compiler decides."""
        parts = {name_of(child): child for child in children(entry) if child.tag == "DW_TAG_member"}
        offsets = {name: number(part, "DW_AT_data_member_location", 0) for name, part in parts.items()}
        name = self.name(entry)
        if name == "alloc::string::String" and set(parts) == {"vec"}:
            vector = unqualified(referred(parts["vec"]))
            found = self._place_of_words(vector) if vector is not None else None
            return (found[0] + offsets["vec"], Shape("String", "string", _PAIR)) if found is not None else None
        if name.startswith("alloc::vec::Vec<") and {"buf", "len"} <= set(parts):
            at = self._pointer_in(self.reference(referred(parts["buf"])), offsets["buf"], 0)
            if at is not None and offsets["len"] == at + 8:
                return at, Shape(name, "slice", _PAIR, elem=self._argument(entry))
        return None

    def _pointer_in(self, reference: str, offset: int, depth: int) -> int | None:
        """Where the first pointer within a struct is."""
        shape = self.shape(reference) if depth < _DEEPEST else None
        if shape is None:
            return None
        if shape.kind == "pointer":
            return offset
        for member in shape.fields:
            if (found := self._pointer_in(member.type, offset + member.offset, depth + 1)) is not None:
                return found
        return None

    def _argument(self, entry: DIE) -> str:
        """What a generic type was made for."""
        for child in children(entry):
            if child.tag == "DW_TAG_template_type_param":
                return self.reference(referred(child))
        return ""

    def _enumeration(self, entry: DIE, name: str, size: int) -> Shape:
        values = {}
        for count, child in enumerate(children(entry)):
            if child.tag == "DW_TAG_enumerator" and count < _MOST_VALUES:
                values[number(child, "DW_AT_const_value", 0)] = name_of(child)
        signed = any(value < 0 for value in values) or not values
        return Shape(name or "enum", "int" if signed else "uint", size, values=values)

    def _array(self, entry: DIE, dimension: int, depth: int) -> Shape:
        lengths = []
        for child in children(entry):
            if child.tag == "DW_TAG_subrange_type":
                count = number(child, "DW_AT_count")
                lengths.append(count if count >= 0 else number(child, "DW_AT_upper_bound") + 1)
        lengths = lengths[dimension:] or [0]
        target = referred(entry)
        inner = self._entry(target, 0, depth + 1)
        size = inner.size
        for length in lengths:
            size *= length
        elem = self.reference(target) if len(lengths) == 1 else f"@{self._place(entry)}/{dimension + 1}"
        text = "".join(f"[{length}]" for length in lengths)
        return Shape(f"{inner.name}{text}", "array", size, elem=elem, length=lengths[0])


def _renamed(shape: Shape, name: str) -> Shape:
    return replace(shape, name=name) if name else shape
