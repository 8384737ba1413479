"""What types are to the C ABI: which of their bytes go into which kind of register."""

from __future__ import annotations

from collections.abc import Iterator

from elftools.dwarf.die import DIE

from goinst.binary.dwarf.attributes import Unusable
from goinst.binary.dwarf.entries import children, flag, name_of, number, referred, unqualified
from goinst.native.abi import Arch, Value

__all__ = ["classify", "scalars"]

_WORD = 8
_TWO = 16
_BY_REFERENCE, _BY_VALUE = 4, 5  # DW_CC_pass_by_reference, DW_CC_pass_by_value
_RUST = 0x1C
_DEEPEST = 16
_MOST_LEAVES = 64
_FLOAT, _COMPLEX = 4, 3  # DW_ATE_*
_RECORDS = ("DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type")
_WORDS = (
    "DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type", "DW_TAG_unspecified_type",
    "DW_TAG_subroutine_type",
)  # fmt: skip
# (offset, size, "int", "float" or "memory") of what a value is made of
_Leaf = tuple[int, int, str]


def classify(entry: DIE | None, arch: Arch) -> Value:
    """A parameter's or result's type. Unusable when DWARF does not tell its size."""
    entry = _resolved(entry)
    if entry is None:
        return Value(0, 1, ())
    size = _size(entry)
    leaves = sorted(_leaves(entry, 0, 0))
    align = max((min(part, _TWO) for _, part, _ in leaves), default=1)
    if any(kind == "memory" for _, _, kind in leaves):
        return Value(size, _TWO, (), reference=arch == "arm64" and size > _TWO)
    record = entry.tag in _RECORDS
    if record and not leaves:
        return Value(0, 1, ())  # an empty class: nothing is passed
    rust = number(entry.cu.get_top_DIE(), "DW_AT_language") == _RUST
    if record and rust:
        return _of_rust(size, align, leaves)
    if record and not _trivial(entry, 0):
        return Value(size, align, (), reference=True)
    if arch == "arm64" and record and (floats := _alike(leaves)):
        return Value(size, align, floats)
    if size > _TWO:
        return Value(size, align, (), reference=arch == "arm64")
    return Value(size, align, tuple(_words(leaves, size, mixed=arch == "amd64")))


def scalars(entry: DIE | None) -> list[tuple[int, int]]:
    """(offset, size) of what a value of the type is made of, without padding; at most two words of it."""
    entry = _resolved(entry)
    return [(at, size) for at, size, _ in _leaves(entry, 0, 0) if at < _TWO] if entry is not None else []


def _words(leaves: list[_Leaf], size: int, *, mixed: bool) -> Iterator[_Leaf]:
    """The words of a value of at most two: "float" when nothing else is in one (amd64 only, in records)."""
    alone = len(leaves) == 1
    for start in range(0, size, _WORD):
        inside = [kind for at, _, kind in leaves if start <= at < start + _WORD]
        floating = inside and all(kind == "float" for kind in inside) and (mixed or alone)
        yield start, min(_WORD, size - start), "float" if floating else "int"


def _alike(leaves: list[_Leaf]) -> tuple[_Leaf, ...]:
    """Up to four floats of one size, which take a register each (AAPCS64: homogeneous aggregates)."""
    same = len({size for _, size, _ in leaves}) == 1 and all(kind == "float" for _, _, kind in leaves)
    return tuple(leaves) if same and len(leaves) <= 4 else ()


def _trivial(entry: DIE, depth: int) -> bool:
    """Whether a C++ class is copied as its bytes are (Itanium C++ ABI, 3.1.2.3): not with a destructor or a copy
    constructor of its own, or a table of virtual functions, or a part that has one."""
    convention = number(entry, "DW_AT_calling_convention")
    if convention in (_BY_REFERENCE, _BY_VALUE) or depth > _DEEPEST:
        return convention != _BY_REFERENCE
    own = name_of(entry).partition("<")[0]
    for child in children(entry):
        name = name_of(child)
        if child.tag == "DW_TAG_subprogram" and not flag(child, "DW_AT_defaulted"):
            if name.startswith("~") or (name == own and _copies(child, entry)):
                return False
        elif child.tag in ("DW_TAG_member", "DW_TAG_inheritance") and not flag(child, "DW_AT_external"):
            part = _resolved(referred(child))
            while part is not None and part.tag == "DW_TAG_array_type":
                part = _resolved(referred(part))
            if name.startswith("_vptr") or (
                part is not None and part.tag in _RECORDS and not _trivial(part, depth + 1)
            ):
                return False
    return True


def _copies(constructor: DIE, entry: DIE) -> bool:
    """Whether a constructor takes nothing but another object of the class."""
    taken = [child for child in children(constructor) if child.tag == "DW_TAG_formal_parameter"]
    if len(taken) != 2:
        return False
    given = unqualified(referred(taken[1]))
    if given is None or given.tag not in ("DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"):
        return False
    target = _resolved(referred(given))
    return target is not None and target.offset == entry.offset


def _of_rust(size: int, align: int, leaves: list[_Leaf]) -> Value:
    """rustc's own ABI, as it has been: one or two scalars in registers of their own, up to two words as integers,
    else by address."""
    if len(leaves) <= 2 and all(kind != "memory" for _, _, kind in leaves):
        return Value(size, align, tuple(leaves))
    if size > _TWO:
        return Value(size, align, (), reference=True)
    return Value(size, align, tuple((at, min(_WORD, size - at), "int") for at in range(0, size, _WORD)))


def _resolved(entry: DIE | None) -> DIE | None:
    for _ in range(_DEEPEST):
        entry = unqualified(entry)
        if entry is None or entry.tag != "DW_TAG_typedef":
            return entry
        entry = referred(entry)
    raise Unusable


def _size(entry: DIE) -> int:
    size = number(entry, "DW_AT_byte_size")
    if size >= 0:
        return size
    if entry.tag == "DW_TAG_array_type":
        inner = _resolved(referred(entry))
        if inner is None:
            raise Unusable
        return _size(inner) * _count(entry)
    if entry.tag in _WORDS:
        return _WORD
    raise Unusable


def _count(entry: DIE) -> int:
    total = 1
    for child in children(entry):
        if child.tag == "DW_TAG_subrange_type":
            count = number(child, "DW_AT_count")
            total *= max(count if count >= 0 else number(child, "DW_AT_upper_bound") + 1, 0)
    return total


def _leaves(entry: DIE | None, offset: int, depth: int) -> Iterator[_Leaf]:
    """The scalars that a type is made of; those of a union lie upon each other."""
    entry = _resolved(entry)
    if entry is None or depth > _DEEPEST:
        raise Unusable
    if entry.tag == "DW_TAG_array_type":
        inner = _resolved(referred(entry))
        if inner is None:
            raise Unusable
        each, count = _size(inner), _count(entry)
        if count * each > _TWO and count > 4:
            yield offset, 1, "int"  # too large for registers, whatever is in it
            return
        for index in range(min(count, _MOST_LEAVES)):
            yield from _leaves(inner, offset + index * each, depth + 1)
    elif entry.tag in _RECORDS:
        for child in children(entry):
            if child.tag in ("DW_TAG_member", "DW_TAG_inheritance") and not flag(child, "DW_AT_external"):
                at = number(child, "DW_AT_data_member_location", 0)
                if not flag(child, "DW_AT_declaration"):
                    yield from _leaves(referred(child), offset + at, depth + 1)
            elif child.tag == "DW_TAG_variant_part":  # a Rust enum with contents
                yield from ((offset + at, min(_WORD, _size(entry) - at), "int") for at in range(0, _size(entry), _WORD))
    elif entry.tag == "DW_TAG_base_type":
        yield from _scalar(entry, offset)
    else:
        yield offset, _size(entry), "int"


def _scalar(entry: DIE, offset: int) -> Iterator[_Leaf]:
    size, encoding = _size(entry), number(entry, "DW_AT_encoding")
    if encoding == _COMPLEX:
        yield offset, size // 2, "float"
        yield offset + size // 2, size // 2, "float"
    elif encoding == _FLOAT and size > _WORD:
        yield offset, size, "memory"  # long double
    elif encoding == _FLOAT:
        yield offset, size, "float"
    else:
        for at in range(0, size, _WORD):
            yield offset + at, min(_WORD, size - at), "int"
