"""USDT probes: the places that a program's author has marked, in .note.stapsdt (SystemTap's sys/sdt.h, libstapsdt).

A note has provider, name, the address of a nop, where the arguments are at that time, and (or 0) the address of a
counter, the *semaphore*, which is not 0 while somebody looks: the program prepares the arguments only then.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from goinst.binary.model import Site, UsdtProbe, Variable
from goinst.native.operand import split_arguments, variable

if TYPE_CHECKING:
    from goinst.binary.elf import Image

__all__ = ["PREFIX", "find_probes"]

PREFIX = "usdt:"
_HEADER = struct.Struct("<III")
_PLACE = struct.Struct("<QQQ")  # address, address of .stapsdt.base when it was linked, semaphore
_VERSION = 3
_LARGEST = 64 << 20
_MOST = 1 << 17
_WORD = re.compile(r"[\w.$-]{1,256}")


def find_probes(image: Image, data_address: Callable[[str], int | None]) -> tuple[UsdtProbe, ...]:
    """Every probe of the file whose note makes sense, in order of provider and name. What is no nop is left out: a
    probe in the middle of an instruction would crash the program. ``data_address``: where a variable is, as linked."""
    groups: dict[tuple[str, str], dict[tuple[Variable, ...], list[Site]]] = {}
    for provider, name, address, semaphore, text in _notes(image):
        site = _site(image, f"{PREFIX}{provider}:{name}", address, semaphore)
        if site is None:
            continue
        arguments = tuple(
            variable(number, each, arch=image.arch, site=address, address=data_address)
            for number, each in enumerate(split_arguments(text), 1)
        )
        groups.setdefault((provider, name), {}).setdefault(arguments, []).append(site)
    return tuple(
        UsdtProbe(
            provider, name, f"{PREFIX}{provider}:{name}" + (f"#{number}" if number > 1 else ""), tuple(sites), arguments
        )
        for (provider, name), places in sorted(groups.items())
        for number, (arguments, sites) in enumerate(places.items(), 1)
    )


def _notes(image: Image) -> Iterator[tuple[str, str, int, int, str]]:
    """(provider, name, address, address of the semaphore, arguments), adjusted for what was moved after linking."""
    sections = image.sections
    section = sections.get(".note.stapsdt")
    if section is None or section.size > _LARGEST:
        return
    base = sections.get(".stapsdt.base")
    data = image.map[section.offset : section.offset + section.size]
    at = 0
    for _ in range(_MOST):
        if at + _HEADER.size > len(data):
            return
        name_size, size, kind = _HEADER.unpack_from(data, at)
        start = at + _HEADER.size + (name_size + 3 & ~3)
        if start + size > len(data):
            return
        if kind == _VERSION and data[at + _HEADER.size : start].rstrip(b"\0") == b"stapsdt" and size > _PLACE.size:
            address, linked, semaphore = _PLACE.unpack_from(data, start)
            moved = base.va - linked if base is not None and linked else 0
            words = data[start + _PLACE.size : start + size].split(b"\0")
            if len(words) >= 3:
                provider, name, text = (word.decode("utf-8", "replace") for word in words[:3])
                if _WORD.fullmatch(provider) and _WORD.fullmatch(name):
                    yield provider, name, address + moved, semaphore + moved if semaphore else 0, text
        at = start + (size + 3 & ~3)


def _site(image: Image, symbol: str, address: int, semaphore: int) -> Site | None:
    segment = image.segment(address)
    if segment is None or not segment.executable:
        return None
    from goinst.binary.sites import decode_one  # with it comes the disassembler

    instruction, emulated = decode_one(
        image.arch, image.read(address, min(16, segment.va + segment.size - address)), address
    )
    if not instruction.startswith("nop"):
        return None
    counter = image.file_offset(semaphore) if semaphore else 0
    return Site(
        symbol=symbol,
        place="entry",
        address=address,
        file_offset=address - segment.va + segment.offset,
        instruction=instruction,
        emulated=emulated,
        guard=None,
        g=None,
        stack_adjust=0,
        why="a USDT probe: the program's author put a nop there",
        semaphore=counter or 0,
    )
