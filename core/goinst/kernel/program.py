"""What a compile gives: instructions and map definitions as plain data, which can be kept and loaded anywhere."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from goinst.errors import BuildError

__all__ = ["BpfObject", "MapDefinition", "relocate"]

INSTRUCTION = 8
_LD_IMM64 = 0x18
_PSEUDO_MAP_FD = 1


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """A map: the kernel's type number, sizes in bytes, flags of BPF_MAP_CREATE."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class BpfObject:
    """``programs`` maps a function name to its instructions. Where they use a map, the immediate of the LD_IMM64 is
    an index into ``maps`` instead of a descriptor."""

    maps: tuple[MapDefinition, ...]
    programs: dict[str, bytes]

    def pack(self) -> dict[str, Any]:
        """As plain data for msgpack."""
        maps = [[m.name, m.type, m.key_size, m.value_size, m.entries, m.flags] for m in self.maps]
        return {"maps": maps, "programs": self.programs}

    @classmethod
    def unpack(cls, data: Any) -> BpfObject:
        """From plain data; ValueError when it is not what ``pack`` made."""
        try:
            maps = tuple(MapDefinition(*row) for row in data["maps"])
            programs = {str(name): bytes(code) for name, code in data["programs"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a BPF object: {error}") from None
        return cls(maps, programs)


def relocate(code: bytes, replace: dict[int, int]) -> bytes:
    """Replace map references in instructions; BuildError for one that is not in ``replace``."""
    result = bytearray(code)
    at = 0
    while at + INSTRUCTION <= len(result):
        if result[at] == _LD_IMM64:
            if result[at + 1] >> 4 == _PSEUDO_MAP_FD:
                (old,) = struct.unpack_from("<i", result, at + 4)
                if old not in replace:
                    raise BuildError(f"the compiled program refers to an unknown map {old}")
                struct.pack_into("<i", result, at + 4, replace[old])
            at += INSTRUCTION  # the second half of the 16-byte instruction
        at += INSTRUCTION
    return bytes(result)
