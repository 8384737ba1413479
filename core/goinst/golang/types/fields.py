"""Fields of Go types by path: through structs by value, promoted ones as in Go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary
    from goinst.golang.types.descriptors import GoField, GoType

__all__ = ["find_field", "find_field_type", "source_of"]

_EMBEDDED_DEPTH = 8


def source_of(kind: GoType) -> str:
    """Say in words where a type was found."""
    return f"type metadata, {kind.name} at {kind.address:#x}" if kind.address else f"DWARF, {kind.name}"


def find_field(binary: GoBinary, type_name: str, path: str) -> list[Any] | None:
    """Return offset, source in words and size of a field; None when there is none."""
    steps = _steps(binary, type_name, path)
    if not steps:
        return None
    sources = dict.fromkeys(source_of(kind) for kind, _, _ in steps)
    return [sum(at for _, at, _ in steps), "; ".join(sources), steps[-1][2].size]


def find_field_type(binary: GoBinary, type_name: str, path: str) -> str | None:
    """Return the full name of a field's type; None when there is no such field."""
    steps = _steps(binary, type_name, path)
    return steps[-1][2].type_name if steps else None


def _steps(binary: GoBinary, type_name: str, path: str) -> list[tuple[GoType, int, GoField]]:
    """Return each struct on the way to a field, with the offset and the member that lead on; nothing when one is not
    there."""
    kind = binary.type(type_name)
    steps: list[tuple[GoType, int, GoField]] = []
    for name in path.split("."):
        found = _member(binary, kind, name) if kind is not None else None
        if kind is None or found is None:
            return []
        steps.append((kind, *found))
        kind = _type_of(binary, found[1])
    return steps


def _member(binary: GoBinary, kind: GoType, name: str) -> tuple[int, GoField] | None:
    """Return a field, or one promoted from an embedded struct: the shallowest (Go specification,
    Selectors)."""
    level: list[tuple[int, GoType]] = [(0, kind)]
    for _ in range(_EMBEDDED_DEPTH):
        below: list[tuple[int, GoType]] = []
        for base, struct in level:
            for member in struct.fields:
                if member.name == name:
                    return base + member.offset, member
                inner = _type_of(binary, member) if member.embedded else None
                if inner is not None and inner.kind == "struct":
                    below.append((base + member.offset, inner))
        level = below
    return None


def _type_of(binary: GoBinary, member: GoField) -> GoType | None:
    return binary.type_at(member.type_address) if member.type_address else binary.type(member.type_name)
