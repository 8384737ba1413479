"""Where Go's runtime keeps what the core's own headers (bpf/) read."""

from __future__ import annotations

from goinst.binary.facts import Facts
from goinst.errors import BinaryError

__all__ = ["runtime_macros"]

# What the core itself needs of every Go program: bpf/goroutine.h
_GOROUTINE = {"GOINST_G_GOID": ("runtime.g", "goid"), "GOINST_G_STACK_HI": ("runtime.g", "stack.hi")}
# What it can use when it is there: bpf/operation.h, Go 1.21 and later; bpf/go_map.h, Go 1.24 and later, and before
_OPTIONAL = {
    "GOINST_G_PARENT": ("runtime.g", "parentGoid"),
    "GOINST_MAP_DIRECTORY": ("internal/runtime/maps.Map", "dirPtr"),
    "GOINST_MAP_DIRLEN": ("internal/runtime/maps.Map", "dirLen"),
    "GOINST_TABLE_GROUPS": ("internal/runtime/maps.table", "groups"),
    "GOINST_HMAP_BUCKETS": ("runtime.hmap", "buckets"),
    "GOINST_HMAP_B": ("runtime.hmap", "B"),
}


def runtime_macros(facts: Facts) -> dict[str, int]:
    """The macros of a Go program; BinaryError when it does not tell where goroutines are."""
    macros: dict[str, int] = {}
    for macro, (type_name, path) in _GOROUTINE.items():
        fact = facts.field(type_name, path)
        if fact is None:
            raise BinaryError(
                f"{facts.info.path}: no {type_name}.{path} in its type metadata or DWARF, so goroutines cannot"
                " be told apart; is it built by the standard Go toolchain (not gccgo, TinyGo or garble)?"
            )
        macros[macro] = fact.value
    for macro, (type_name, path) in _OPTIONAL.items():
        fact = facts.field(type_name, path)
        if fact is not None:
            macros[macro] = fact.value
    return macros
