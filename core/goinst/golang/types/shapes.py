"""Go types one level at a time, from type descriptors, from DWARF, or from how the type is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from goinst.binary.model import Member, Shape
from goinst.errors import BinaryError
from goinst.golang.types.notation import BUILTIN

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary
    from goinst.golang.types.descriptors import GoType

__all__ = ["full_name", "shape_of"]

_KINDS = {
    **dict.fromkeys(("int", "int8", "int16", "int32", "int64"), "int"),
    **dict.fromkeys(("uint", "uint8", "uint16", "uint32", "uint64", "uintptr"), "uint"),
    **dict.fromkeys(("float32", "float64"), "float"),
    **dict.fromkeys(("complex64", "complex128"), "complex"),
    **{"ptr": "pointer", "unsafe.Pointer": "pointer"},
}
_WORDS = ("pointer", "map", "chan", "func")
_ARRAY = re.compile(r"\[(\d{1,12})\](.+)", re.DOTALL)
_MOST = 1 << 40


def shape_of(binary: GoBinary, reference: str) -> Shape | None:
    """The type behind a reference: a full name, or ``@`` and a descriptor's address; None when it is not known."""
    if reference.startswith("@"):
        return _shape(binary, binary.type_at(int(reference[1:], 16)))
    reference = {"byte": "uint8", "rune": "int32", "any": "interface {}"}.get(reference, reference)
    found = binary.type(reference)
    if found is not None:
        return _shape(binary, found)
    return _written(binary, reference)


def _shape(binary: GoBinary, found: GoType) -> Shape:
    kind = _KINDS.get(found.kind, found.kind)
    elem = f"@{found.elem:x}" if found.elem else ""
    key = f"@{found.key:x}" if found.key else ""
    length = found.length
    if not found.address and kind in ("slice", "array", "map", "chan", "pointer"):
        elem, key, length = binary.debug.parts(found.name) or ("", "", 0)
        if not elem and (written := _written(binary, found.name)) is not None:
            elem, key, length = written.elem, written.key, written.length
    fields = tuple(
        Member(
            field.name,
            field.offset,
            f"@{field.type_address:x}" if field.type_address else field.type_name,
            field.embedded,
        )
        for field in found.fields
    )
    return Shape(found.name, kind, found.size, fields, elem, key, length, hash=found.hash)


def _written(binary: GoBinary, name: str) -> Shape | None:
    """A type that has no entry of its own and says in its name what it is."""
    if name in BUILTIN:
        kind, size = BUILTIN[name]
        word = {"int": "uint" if name.startswith(("u", "byte")) else "bool" if name == "bool" else "int"}.get(
            kind, kind
        )
        return Shape(name, word, size)
    if name.startswith("*"):
        return Shape(name, "pointer", 8, elem=name[1:])
    if name.startswith("[]"):
        return Shape(name, "slice", 24, elem=name[2:])
    if match := _ARRAY.fullmatch(name):
        inner = shape_of(binary, match[2])
        length = int(match[1])
        if inner is None or length * inner.size > _MOST:
            return None
        return Shape(name, "array", length * inner.size, elem=match[2], length=length)
    if name.startswith("map[") and (end := _closing(name, 3)) > 0:
        return Shape(name, "map", 8, key=name[4:end], elem=name[end + 1 :])
    for prefix in ("chan<- ", "<-chan ", "chan "):
        if name.startswith(prefix):
            return Shape(name, "chan", 8, elem=name.removeprefix(prefix))
    if name.startswith("func("):
        return Shape(name, "func", 8)
    if name.startswith("interface {"):
        return Shape(name, "interface", 16)
    return None


def _closing(text: str, opening: int) -> int:
    """Where the bracket at ``opening`` is closed, or -1."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "[") - (text[at] == "]")
        if not depth:
            return at
    return -1


def full_name(binary: GoBinary, written: str) -> str:
    """A type as people write it, ``*http.Request``, with its full package path: ``*net/http.Request``.

    BinaryError when the binary has no such type, or several packages of that name have one.
    """
    prefix = re.match(r"(?:\*|\[\d*\])*", written)
    head = prefix[0] if prefix else ""
    base = written[len(head) :]
    if base.startswith("map[") and (end := _closing(base, 3)) > 0:
        return f"{head}map[{full_name(binary, base[4:end])}]{full_name(binary, base[end + 1 :])}"
    for word in ("chan<- ", "<-chan ", "chan "):
        if base.startswith(word):
            return f"{head}{word}{full_name(binary, base.removeprefix(word))}"
    base = re.sub(r"\b(struct|interface)\{", r"\1 {", base)  # as the runtime writes it
    base = {"byte": "uint8", "rune": "int32", "any": "interface {}"}.get(base, base)
    if base in BUILTIN or base.startswith(("func(", "struct", "interface ")) or binary.type(base) is not None:
        return head + base
    if "." not in base and binary.type(f"main.{base}") is not None:
        return f"{head}main.{base}"
    names = binary.types.spelled(base) or binary.debug.spelled(base)
    if len(names) == 1:
        return head + names[0]
    if names:
        raise BinaryError(f"type {written}: can be {', '.join(names[:5])}; write the full package path")
    raise BinaryError(f"type {written}: the binary has none of that name; write its full package path")
