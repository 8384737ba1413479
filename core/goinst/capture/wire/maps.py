"""The entries of a Go map: in BPF its slots are walked, since its hash is seeded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goinst.binary.model import Shape
from goinst.capture.place import Memory, Place, Text
from goinst.capture.wire.nodes import Raw, Reader
from goinst.capture.wire.values import ABSENT, show

__all__ = ["Entries", "MapLayout", "Slots", "find_entry"]

_SLOTS = 64  # looked at for the first entries
_SEARCHED = 128  # looked at for a key
_LONGEST_KEY = 64  # bytes that are compared
_INDIRECT = 128  # bytes: larger keys and elements are behind a pointer (internal/runtime/maps/map.go, runtime/map.go)
_PAIR = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Slots:
    """Where keys and elements are in a group (Go 1.24 and later) or bucket of ``size`` bytes: first and stride."""

    size: int
    key: int
    key_stride: int
    elem: int
    elem_stride: int
    key_indirect: bool
    elem_indirect: bool


@dataclass(frozen=True, slots=True)
class MapLayout:
    """Which of Go's two maps a binary has, and how types are aligned in it."""

    swiss: bool
    align: Callable[[Shape], int]

    def slots(self, key: Shape, elem: Shape) -> Slots:
        """The layout for these types."""
        indirect = key.size > _INDIRECT, elem.size > _INDIRECT
        key_size, elem_size = (8 if far else one.size for far, one in zip(indirect, (key, elem), strict=True))
        key_align, elem_align = (8 if far else self.align(one) for far, one in zip(indirect, (key, elem), strict=True))
        if self.swiss:
            at = _aligned(key_size, elem_align)
            # a last element of size 0 takes a byte, so that a pointer to it stays within (types.CalcStructSize)
            slot = _aligned(max(at + elem_size, at + (elem_size == 0)), max(key_align, elem_align))
            return Slots(8 + 8 * slot, 8, slot, 8 + at, slot, *indirect)
        return Slots(16 + 8 * (key_size + elem_size), 8, key_size, 8 + 8 * key_size, elem_size, *indirect)


def _aligned(value: int, align: int) -> int:
    return (value + align - 1) // align * align


def _walk(out: Text, map_: str, slots: Slots, most: int) -> tuple[str, str, str]:
    """Open a loop over the slots; (whether this one is empty, key's address, element's address)."""
    walk, index = out.name("w"), out.name("i")
    out.line(f"struct go_map {walk} = {{}};")
    out.line(f"go_map_begin(&{walk}, {map_} < CAPTURE_OK ? 0 : {map_});")
    out.line("#pragma clang loop unroll(disable)")
    out.line(f"for (u32 {index} = 0; {index} < {most}; {index}++) {{")
    out.indent += 1
    out.line(f"if (({index} & 7) == 0 && !go_map_enter_sized(&{walk}, {index} >> 3, {slots.size}))")
    out.line("    break;")
    empty = out.temporary(f"go_map_empty(&{walk}, {index} & 7)")
    key = out.temporary(f"{walk}.here + {slots.key} + ({index} & 7) * {slots.key_stride}")
    elem = out.temporary(f"{walk}.here + {slots.elem} + ({index} & 7) * {slots.elem_stride}")
    if slots.key_indirect:
        key = out.temporary(f"capture_hop({key}, 0)")
    if slots.elem_indirect:
        elem = out.temporary(f"capture_hop({elem}, 0)")
    return empty, key, elem


@dataclass(slots=True)
class Entries:
    """The first entries of a map; the map's address is a copied word."""

    layout: MapLayout
    key: Raw
    elem: Raw
    most: int

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 16 + self.most * (self.key.size + self.elem.size)

    def fetch(self, out: Text, raw: str, to: str) -> None:
        """Write the C text."""
        map_ = out.temporary(f"(*(u64 *)({raw}))")
        taken, item, index = out.name("n"), out.name("e"), out.name("i")
        stride = self.key.size + self.elem.size
        out.line(f"u64 {taken} = 0;")
        out.line(f"*(u64 *)({to}) = capture_hop({map_}, 0);")  # both kinds of maps begin with their count
        # first where they are, then what they are: one loop for both would have too many paths for the verifier
        empty, key, elem = _walk(out, map_, self.layout.slots(self.key.shape, self.elem.shape), _SLOTS)
        out.line(f'asm volatile("" : "+r"({taken}));')
        out.line(f"if ({taken} >= {self.most})")
        out.line("    break;")
        out.line(f"*(u64 *)({to} + 16 + {taken} * {stride}) = {key};")
        out.line(f"*(u64 *)({to} + 24 + {taken} * {stride}) = {elem};")
        # without a branch, for the same reason; what is written for an empty slot is written over
        full = out.temporary(f"!{empty}")
        out.line(f'asm volatile("" : "+r"({full}));')
        out.line(f"{taken} += {full} & 1;")
        out.indent -= 1
        out.line("}")
        out.line(f"*(u64 *)({to} + 8) = {taken};")
        out.line("#pragma clang loop unroll(disable)")
        out.line(f"for (u32 {index} = 0; {index} < {self.most}; {index}++) {{")
        out.indent += 1
        out.line(f"char *{item} = {to} + 16 + {index} * {stride};")
        out.line(f"if ({index} >= *(u64 *)({to} + 8))")
        out.line("    break;")
        key, elem = out.temporary(f"*(u64 *)({item})"), out.temporary(f"*(u64 *)({item} + 8)")
        self.key.fetch(out, Memory(key), item)
        self.elem.fetch(out, Memory(elem), f"{item} + {self.key.size}")
        out.indent -= 1
        out.line("}")

    def read(self, reader: Reader, raw: int, at: int) -> Any:
        """The entries by key; nil for no map."""
        if not int.from_bytes(reader.buffer[raw : raw + 8], "little"):
            return None
        count, taken = _PAIR.unpack_from(reader.buffer, at)
        if count == 1 and not taken:
            return ABSENT[1]
        found: dict[str, Any] = {}
        for number in range(min(taken, self.most)):
            here = at + 16 + number * (self.key.size + self.elem.size)
            key = self.key.read(reader, here)
            found[key if isinstance(key, str) else show(key)] = self.elem.read(reader, here + self.key.size)
        reader.cut |= count > len(found)
        return found


def find_entry(out: Text, map_: str, layout: MapLayout, key: Shape, elem: Shape, wanted: int | str) -> Place:
    """The element under a key, which is a text or a number. A key that is not among the first 128 slots is said not to
    be there only when no entry can be elsewhere.

    Without branches, so that the verifier has one path a slot: what differs is gathered, and selects by arithmetic.
    """
    found = out.temporary(f"{map_} < CAPTURE_OK ? {map_} : CAPTURE_NO_ITEM")
    seen = out.temporary("0")
    empty, at, element = _walk(out, map_, layout.slots(key, elem), _SEARCHED)
    full = out.temporary(f"{empty} ^ 1")
    out.line(f'asm volatile("" : "+r"({full}));')
    out.line(f"{seen} += {full} & 1;")
    differs = out.temporary(empty)
    if isinstance(wanted, str):
        data = wanted.encode()[:_LONGEST_KEY]
        header, words = out.name("h"), max((len(data) + 7) // 8, 1)
        text = out.name("b")
        out.line(f"u64 {header}[2] = {{}}, {text}[{words}] = {{}};")
        out.line(f"bpf_probe_read_user({header}, 16, (void *){at});")
        out.line(f"bpf_probe_read_user({text}, {max(len(data), 1)}, (void *){header}[0]);")
        out.line(f"{differs} |= {header}[1] ^ {len(data)};")
        for number in range((len(data) + 7) // 8):
            value = int.from_bytes(data[8 * number : 8 * number + 8], "little")
            out.line(f"{differs} |= {text}[{number}] ^ {value:#x}UL;")
    else:
        number_ = out.temporary("0")
        out.line(f"{differs} |= bpf_probe_read_user(&{number_}, {key.size}, (void *){at}) != 0;")
        out.line(f"{differs} |= {number_} ^ {wanted & (1 << 8 * key.size) - 1:#x}UL;")
    negative = out.temporary(f"-{differs}")
    out.line(f'asm volatile("" : "+r"({negative}));')  # LLVM knows the idiom, and would make a comparison of it
    out.line(f"{differs} = ({differs} | {negative}) >> 63;")
    out.line(f"{found} = {found} * {differs} + {element} * ({differs} ^ 1);")
    out.indent -= 1
    out.line("}")
    out.line(f"if ({found} == CAPTURE_NO_ITEM && capture_hop({map_}, 0) > {seen})")  # maps begin with their count
    out.line(f"    {found} = CAPTURE_BEYOND;")
    return Memory(found)


def text_is(out: Text, address: str, length: str, literal: str, *, whole: bool) -> str:
    """A C expression: whether a text is, or begins with, a literal of at most 64 bytes."""
    data = literal.encode()[:64]
    begin, size, same = out.temporary(address), out.temporary(length), out.name("s")
    compared = "==" if whole else ">="
    if not data:
        return f"({size} == 0)" if whole else "1"
    words = (len(data) + 7) // 8
    buffer = out.name("b")
    out.line(f"u64 {buffer}[{words}] = {{}};")
    out.line(f"u64 {same} = {size} {compared} {len(data)} && {begin} >= CAPTURE_OK &&")
    out.line(f"    bpf_probe_read_user({buffer}, {len(data)}, (void *){begin}) == 0;")
    for number in range(words):
        value = int.from_bytes(data[8 * number : 8 * number + 8], "little")
        out.line(f"{same} &= {buffer}[{number}] == {value:#x}UL;")
    return same


__all__ += ["text_is"]
