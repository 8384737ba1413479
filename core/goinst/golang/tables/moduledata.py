"""Where things are in a Go program: the header of its pclntab and its runtime.firstmoduledata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from goinst.binary.elf import Image
from goinst.errors import BinaryError
from goinst.golang.refusal import why_no_table
from goinst.golang.releases import (
    ITABS_BEHIND_TYPES,
    MODULEDATA_ENDS,
    PCLNTAB_MAGIC,
    PCLNTAB_TOO_OLD,
    TEXT_OFFSETS,
    Release,
)

__all__ = ["Module", "TextSection", "find_module"]

_QUANTUM = {"amd64": 1, "arm64": 4}
_MAX_FUNCTIONS = 20_000_000
_COMMON = 32  # words from pcHeader to enoptrbss, the same since Go 1.16 (runtime/symtab.go: moduledata)
_MOST = 60


@dataclass(frozen=True, slots=True)
class TextSection:
    """One row of moduledata.textsectmap: text offsets from ``start`` to ``end`` lie at ``base``."""

    start: int
    end: int
    base: int


@dataclass(frozen=True, slots=True)
class Module:
    """What moduledata says; addresses as linked, sizes in bytes.

    ``version`` is the Go version to decode by. ``types`` to ``types + types_size`` holds all type descriptors
    and names; ``itabs`` (start, end) the static itabs. ``gofunc`` is 0 before Go 1.18.
    """

    address: int
    version: Release
    quantum: int
    functions: int
    pclntab: int
    pclntab_size: int
    names: int
    names_size: int
    units: int
    units_size: int
    files: int
    files_size: int
    pctab: int
    functab: int
    text: int
    min_pc: int
    max_pc: int
    types: int
    types_size: int
    gofunc: int
    itabs: Release
    text_sections: tuple[TextSection, ...]


@dataclass(frozen=True, slots=True)
class _Header:
    """A pclntab's header that looks right; ``names`` is the address of the function names."""

    address: int
    magic: int
    functions: int
    names: int


def find_module(image: Image, version: Release | None) -> Module:
    """Find pclntab and the moduledata that points to it; BinaryError when this is no Go program.

    ``version`` is what the build information says, or None: then the shape of the data tells.
    """
    too_old = False
    for header in _headers(image):
        if header.magic == PCLNTAB_TOO_OLD:
            too_old = True
            continue
        for address in image.pointers_to(header.address):
            module = _parse(image, header, address, version)
            if module is not None:
                return module
    if too_old:
        raise BinaryError(f"{image.path}: was built with Go 1.15 or older; build it with Go 1.16 or newer")
    raise BinaryError(f"{image.path}: {why_no_table(image)}")


def _headers(image: Image) -> Iterator[_Header]:
    """Give pclntab candidates: at the sections' starts, then by magic anywhere."""
    for name in (".gopclntab", ".data.rel.ro.gopclntab"):
        section = image.section(name)
        if section and (header := _header(image, section[0])):
            yield header
    common = bytes((0xFF, 0xFF, 0xFF, 0, 0, _QUANTUM[image.arch], 8))
    for at in image.find(common, alignment=1):
        if at % 8 == 1 and (header := _header(image, at - 1)):
            yield header


def _header(image: Image, va: int) -> _Header | None:
    """Read a pcHeader (runtime/symtab.go): magic, quantum, pointer size, nfunc, nfiles, [textStart], 5
    offsets.
    """
    segment = image.segment(va, 72)
    if segment is None:
        return None
    head = image.read(va, 8)
    magic = int.from_bytes(head[:4], "little")
    if head[4:] != bytes((0, 0, _QUANTUM[image.arch], 8)):
        return None
    if magic == PCLNTAB_TOO_OLD:
        return _Header(va, magic, 0, 0)
    if magic not in PCLNTAB_MAGIC:
        return None
    functions, *rest = image.words(va + 8, 8)
    offsets = rest[2:7] if TEXT_OFFSETS.holds(PCLNTAB_MAGIC[magic]) else rest[1:6]
    rising = all(low < high for low, high in pairwise(offsets))
    if not 0 < functions <= _MAX_FUNCTIONS or not 64 <= offsets[0] <= 128 or not rising:
        return None
    if offsets[-1] >= segment.va + segment.size - va:
        return None
    return _Header(va, magic, functions, va + offsets[0])


def _parse(image: Image, header: _Header, address: int, version: Release | None) -> Module | None:
    """Read the moduledata at ``address`` in the first shape that makes sense, the version's own first."""
    segment = image.segment(address)
    if segment is None:
        return None
    count = min(_MOST, (segment.va + segment.size - address) // 8)
    words = image.words(address, count)
    if count < _COMMON or words[1] != header.names or words[2] != words[3]:
        return None
    oldest = PCLNTAB_MAGIC[header.magic]
    newer = [since for since in sorted(PCLNTAB_MAGIC.values()) if since > oldest]
    shapes = [shape for shape in MODULEDATA_ENDS if shape[0] >= oldest and (not newer or shape[0] < newer[0])]
    if version is not None:
        shapes.sort(key=lambda shape: shape[0] > version)  # stable: newest first among those it can be
    for since, names in shapes:
        module = _shaped(image, header, address, words, since, names, version)
        if module is not None:
            return module
    return None


def _shaped(
    image: Image,
    header: _Header,
    address: int,
    words: tuple[int, ...],
    since: Release,
    names: tuple[str, ...],
    version: Release | None,
) -> Module | None:
    """Read moduledata as Go ``since`` has it; None when the values do not fit that shape."""
    tail = _COMMON + len(names)
    slices = [words[at : at + 3] for at in range(tail, tail + (3 if ITABS_BEHIND_TYPES.holds(since) else 9), 3)]
    if any(len(slice_) < 3 or slice_[1] != slice_[2] for slice_ in slices):
        return None
    value = dict(zip(names, words[_COMMON:tail], strict=True))
    types, types_size = value["types"], value["etypes"] - value["types"]
    if types_size <= 0 or image.segment(types, types_size) is None:
        return None
    tables = [words[at : at + 3] for at in (1, 4, 7, 10, 13)]  # funcnametab cutab filetab pctab pclntable
    ends = [start + size for start, size, _ in tables]
    size = max(ends) - header.address
    if min(start for start, _, _ in tables) < header.address or image.segment(header.address, size) is None:
        return None
    functab, entries, _ = words[16:19]
    if entries != header.functions + 1 or functab != tables[4][0] or words[20] >= words[21]:
        return None
    if ITABS_BEHIND_TYPES.holds(since):
        itabs = types + value["itaboffset"], value["itabsize"]
        if value["typedesclen"] > types_size or value["itaboffset"] + value["itabsize"] > types_size:
            return None
    else:
        itabs = _itab_range(image, slices[2])
    if itabs[1] and image.segment(itabs[0], itabs[1]) is None:
        return None
    return Module(
        address=address,
        version=version if version is not None and version >= since else since,
        quantum=_QUANTUM[image.arch],
        functions=header.functions,
        pclntab=header.address,
        pclntab_size=size,
        names=tables[0][0],
        names_size=tables[0][1],
        units=tables[1][0],
        units_size=4 * tables[1][1],
        files=tables[2][0],
        files_size=tables[2][1],
        pctab=tables[3][0],
        functab=functab,
        text=words[22],
        min_pc=words[20],
        max_pc=words[21],
        types=types,
        types_size=types_size,
        gofunc=value.get("gofunc", 0),
        itabs=(itabs[0], itabs[0] + itabs[1]),
        text_sections=_text_sections(image, slices[0]),
    )


def _itab_range(image: Image, links: tuple[int, ...]) -> Release:
    """Return start and size of the memory that the itablinks slice points into."""
    start, count, _ = links
    if not count or image.segment(start, 8 * count) is None:
        return 0, 0
    pointers = image.words(start, count)
    return min(pointers), max(pointers) + 24 - min(pointers)


def _text_sections(image: Image, slice_: tuple[int, ...]) -> tuple[TextSection, ...]:
    """Read textsectmap; one section or none means that a text offset is simply relative to ``text``."""
    start, count, _ = slice_
    if not 1 < count <= 4096 or image.segment(start, 24 * count) is None:
        return ()
    rows = image.words(start, 3 * count)
    return tuple(TextSection(*rows[at : at + 3]) for at in range(0, len(rows), 3))
