"""Go releases: what is different since which, as far as no binary says it itself, and where Go's sources say it.

Whatever a binary can be asked is not here. What is to be done for a new release: docs/NEW-GO-RELEASE.md.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ANY_LATER", "CHANGES", "CLOSURE_OFFSETS", "DICTIONARY_BEHIND_RECEIVER", "FIELD_OFFSETS_WHOLE",
    "GOROUTINE_IN_REGISTER", "INLINED_CALL_SHORT", "ITABS_BEHIND_TYPES", "LENGTHS_AS_VARINTS", "MAP_DESCRIPTOR_LONG",
    "MODULEDATA_ENDS", "NEWEST", "OLDEST", "PCLNTAB_MAGIC", "PCLNTAB_TOO_OLD", "REGISTER_ABI", "RESULTS_NOT_LISTED",
    "SPILLS_CLAIMED", "START_LINES", "SWISS_MAPS", "TEXT_OFFSETS", "UNNAMED_LISTED", "Change", "Release",
]  # fmt: skip

Release = tuple[int, int]

OLDEST: Release = (1, 16)
NEWEST: Release = (1, 27)
"""The newest that was tried. Later ones are read as this one, and refused where they do not fit its shape."""
ANY_LATER: Release = (1, 99)
"""Behind a site that is for all later releases, too."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is so ``since`` a release, up to ``last`` where it has ended; ``source``: the files of Go that say it."""

    since: Release
    what: str
    source: str
    last: Release | None = None

    def holds(self, version: Release) -> bool:
        """Whether it is so in a release."""
        return self.since <= version and (self.last is None or version <= self.last)


# Tables of the runtime

PCLNTAB_MAGIC: dict[int, Release] = {0xFFFFFFFA: (1, 16), 0xFFFFFFF0: (1, 18), 0xFFFFFFF1: (1, 20)}
"""First word of a pclntab -> the first release with it (internal/abi/symtab.go, before debug/gosym/pclntab.go)."""
PCLNTAB_TOO_OLD = 0xFFFFFFFB
"""The first word in Go 1.2 to 1.15."""

MODULEDATA_ENDS: tuple[tuple[Release, tuple[str, ...]], ...] = (
    (
        (1, 27),
        (
            *("covctrs", "ecovctrs", "end", "gcdata", "gcbss", "types", "typedesclen", "etypes"),
            *("itaboffset", "itabsize", "rodata", "gofunc", "epclntab"),
        ),
    ),
    (
        (1, 26),
        ("covctrs", "ecovctrs", "end", "gcdata", "gcbss", "types", "etypes", "rodata", "gofunc", "epclntab"),
    ),
    ((1, 20), ("covctrs", "ecovctrs", "end", "gcdata", "gcbss", "types", "etypes", "rodata", "gofunc")),
    ((1, 18), ("end", "gcdata", "gcbss", "types", "etypes", "rodata", "gofunc")),
    ((1, 16), ("end", "gcdata", "gcbss", "types", "etypes")),
)
"""What follows enoptrbss in moduledata, by the first release with it, newest first (runtime/symtab.go of each)."""

TEXT_OFFSETS = Change(
    (1, 18), "function entries are offsets from the text, of 4 bytes; the header of pclntab has textStart",
    "runtime/symtab.go: pcHeader, functab; runtime/runtime2.go: _func",
)  # fmt: skip
START_LINES = Change((1, 20), "a `_func` has 4 bytes more, its start line", "runtime/runtime2.go: _func")
INLINED_CALL_SHORT = Change(
    (1, 20),
    "a record of an inline tree has 16 bytes, before 20",
    "runtime/symtabinl.go: inlinedCall (before 1.21: symtab.go)",
)
ITABS_BEHIND_TYPES = Change(
    (1, 27),
    "itabs are behind the types, and moduledata has no typelinks, no itablinks",
    "runtime/symtab.go: moduledata",
)

# Type descriptors

LENGTHS_AS_VARINTS = Change(
    (1, 17), "the length of a name is a varint, before two bytes", "internal/abi/type.go: Name (reflect/type.go)"
)
FIELD_OFFSETS_WHOLE = Change(
    (1, 19), "a field's offset is whole, before shifted by the flag that it is embedded, which its name has now",
    "internal/abi/type.go: StructField (reflect/type.go)",
)  # fmt: skip
SWISS_MAPS = Change(
    (1, 24),
    "maps are groups of slots, their descriptors longer (112 bytes, before 88)",
    "internal/abi/map_swiss.go (now map.go)",
)
MAP_DESCRIPTOR_LONG = Change(
    (1, 27), "a map's descriptor tells keys and elements apart (136 bytes)", "internal/abi/map.go"
)

# Calls

REGISTER_ABI: dict[str, Change] = {
    "amd64": Change((1, 17), "arguments and results are in registers, on amd64", "cmd/compile/abi-internal.md"),
    "arm64": Change((1, 18), "arguments and results are in registers, on arm64", "cmd/compile/abi-internal.md"),
}
"""By architecture; what is so where a binary does not show it (golang/convention.py)."""
GOROUTINE_IN_REGISTER = Change(
    (1, 17),
    "a register tells everywhere which goroutine runs, on amd64 too",
    "cmd/compile/abi-internal.md",
)
DICTIONARY_BEHIND_RECEIVER = Change(
    (1, 20), "a generic method takes its dictionary behind the receiver, before in front",
    "cmd/compile/internal/noder/reader.go (before: stencil.go)",
)  # fmt: skip

# What DWARF says

RESULTS_NOT_LISTED = Change(
    (1, 17), "hardly any result that is in a register is listed", "cmd/compile/internal/dwarfgen", last=(1, 17)
)
SPILLS_CLAIMED = Change(
    (1, 17), "parameters in registers are said to be on the stack from the start", "cmd/compile/internal/dwarfgen",
    last=(1, 17),
)  # fmt: skip
UNNAMED_LISTED = Change(
    (1, 22), "parameters without a name are listed, as `~p0`", "cmd/compile/internal/ir/func.go: declareParams"
)
CLOSURE_OFFSETS = Change(
    (1, 23), "a captured variable has its offset in the closure (DW_AT_go_closure_offset)",
    "cmd/internal/dwarf/dwarf.go",
)  # fmt: skip

CHANGES = (
    TEXT_OFFSETS, START_LINES, INLINED_CALL_SHORT, ITABS_BEHIND_TYPES, LENGTHS_AS_VARINTS, FIELD_OFFSETS_WHOLE,
    SWISS_MAPS, MAP_DESCRIPTOR_LONG, *REGISTER_ABI.values(), GOROUTINE_IN_REGISTER, DICTIONARY_BEHIND_RECEIVER,
    RESULTS_NOT_LISTED, SPILLS_CLAIMED, UNNAMED_LISTED, CLOSURE_OFFSETS,
)  # fmt: skip
"""All of them, in the order of docs/NEW-GO-RELEASE.md."""
