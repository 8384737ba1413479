"""Writes ELF files, and Go programs of a few functions, byte by byte: odd layouts that need no Go build.

Nothing in them runs. What a Go program has in each release is taken from golang/releases.py and Go's own sources
(runtime/symtab.go, runtime/runtime2.go), written here and not read from what goinst reads it by.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from goinst.golang.releases import MODULEDATA_ENDS, PCLNTAB_MAGIC, Release

__all__ = ["Elf", "Go", "Part", "note"]

_MACHINE = {"amd64": 62, "arm64": 183}
_RELATIVE = {"amd64": 8, "arm64": 1027}
_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_HEADER, _PROGRAM, _SECTION = 64, 56, 64


def note(name: bytes, tag: int, content: bytes, alignment: int = 4) -> bytes:
    """One Elf64_Nhdr with its name and content."""

    def padded(data: bytes) -> bytes:
        return data + b"\0" * (-len(data) % alignment)

    return struct.pack("<III", len(name), len(content), tag) + padded(name) + padded(content)


@dataclass(frozen=True)
class Part:
    """Bytes at an address: a PT_LOAD of its own, and a section if it has a name. ``flags``: 1 code, 2 writable, 4
    readable. ``shift`` moves it in the file away from where its address would have it."""

    va: int
    data: bytes
    name: str = ""
    flags: int = 4
    shift: int = 0


@dataclass(frozen=True)
class Elf:
    """A file. ``relocations`` are R_*_RELATIVE: address -> what stands there when it is loaded; with any of them it has
    a dynamic segment, at ``dynamic``. Without ``notes`` (None) it has no segment of them, without ``sections`` no
    headers of sections."""

    parts: Sequence[Part] = ()
    notes: bytes | None = None
    arch: str = "amd64"
    pie: bool = False
    relocations: Mapping[int, int] = field(default_factory=dict)
    dynamic: int = 0x900000
    sections: bool = True
    alignment: int = 4
    tail: bytes = b""

    def write(self) -> bytes:
        """The bytes of the file."""
        parts = [*self.parts, *self._dynamic()]
        count = len(parts) + (self.notes is not None) + bool(self.relocations)
        out = bytearray(_HEADER + count * _PROGRAM)
        programs = []
        if self.notes is not None:
            programs.append((_PT_NOTE, 4, len(out), 0, len(self.notes), self.alignment))
            out += self.notes
        placed = []
        for part in parts:
            out += b"\0" * ((part.va + part.shift - len(out)) % 16)
            placed.append((part, len(out)))
            programs.append((_PT_LOAD, part.flags, len(out), part.va, len(part.data), 16))
            out += part.data
        if self.relocations:
            part, at = placed[-1]
            programs.append((_PT_DYNAMIC, 6, at, part.va, len(part.data), 8))
        table = self._sections(out, placed) if self.sections else (0, 0, 0)
        ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
        kind = 3 if self.pie else 2
        out[:_HEADER] = struct.pack(
            "<16sHHIQQQIHHHHHH", ident, kind, _MACHINE[self.arch], 1, 0, _HEADER, table[0], 0, _HEADER, _PROGRAM,
            len(programs), _SECTION if table[1] else 0, table[1], table[2],
        )  # fmt: skip
        for number, (type_, flags, offset, va, size, align) in enumerate(programs):
            struct.pack_into(
                "<IIQQQQQQ", out, _HEADER + number * _PROGRAM, type_, flags, offset, va, va, size, size, align
            )
        return bytes(out) + self.tail

    def _dynamic(self) -> list[Part]:
        if not self.relocations:
            return []
        rows = b"".join(
            struct.pack("<QQq", place, _RELATIVE[self.arch], held) for place, held in self.relocations.items()
        )
        rela = Part(self.dynamic, rows)
        tags = struct.pack("<6Q", 7, rela.va, 8, len(rows), 0, 0)  # DT_RELA, DT_RELASZ, DT_NULL
        return [rela, Part(rela.va + len(rows) + 64, tags, flags=6)]

    def _sections(self, out: bytearray, placed: Sequence[tuple[Part, int]]) -> tuple[int, int, int]:
        """Append names and headers; where the headers are, how many, and which is that of the names."""
        names, rows = bytearray(b"\0"), [bytes(_SECTION)]
        for part, at in placed:
            if part.name:
                rows.append(
                    struct.pack("<IIQQQQIIQQ", len(names), 1, part.flags, part.va, at, len(part.data), 0, 0, 1, 0)
                )
                names += part.name.encode() + b"\0"
        rows.append(struct.pack("<IIQQQQIIQQ", len(names), 3, 0, 0, len(out), len(names) + 10, 0, 0, 1, 0))
        names += b".shstrtab\0"
        out += names
        at = len(out)
        out += b"".join(rows)
        return at, len(rows), len(rows) - 1


@dataclass(frozen=True)
class Go:
    """A Go program of a release. ``functions`` are names and sizes, one behind the other from ``text`` on; with
    ``sections`` the text is that many pieces, each ``gap`` bytes behind the one before (runtime/symtab.go: textsectmap;
    since Go 1.18). All its tables are in ``pclntab``, its moduledata is at ``data``."""

    release: Release
    functions: Sequence[tuple[str, int]] = (("main.main", 64), ("main.add", 32), ("runtime.main", 96))
    arch: str = "amd64"
    pie: bool = False
    text: int = 0x401000
    pclntab: int = 0x500000
    data: int = 0x600000
    types: int = 0x700000
    sections: int = 1
    gap: int = 0

    def entries(self) -> list[int]:
        """Where each function is when the program is loaded."""
        offsets = self._offsets[:-1]
        return [self.text + offset + self._piece(number) * self.gap for number, offset in enumerate(offsets)]

    def elf(self) -> Elf:
        """The file, to be changed at will."""
        table, at = self._table()
        module = self._moduledata(at, len(table))
        places = {}
        if self.pie:  # as the linker leaves it: nothing where a pointer will be
            places = {self.data + 8 * n: word for n, word in enumerate(module) if word >= self.text}
            module = [0 if word >= self.text else word for word in module]
        end = self.entries()[-1] + self.functions[-1][1] - self.text
        parts = (
            Part(self.text, b"\xcc" * end, ".text", 5),
            Part(self.pclntab, table, ".gopclntab"),
            Part(self.types, bytes(64), ".rodata"),
            Part(self.data, struct.pack(f"<{len(module)}Q", *module), ".data", 6),
        )
        return Elf(parts, arch=self.arch, pie=self.pie, relocations=places)

    def moved(self, **changes: int) -> Go:
        """The same with other addresses."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def _old(self) -> bool:
        return self.release < (1, 18)

    @property
    def _offsets(self) -> list[int]:
        """Text offsets of the functions, and of their end."""
        offsets = [0]
        for _, size in self.functions:
            offsets.append(offsets[-1] + size)
        return offsets

    def _piece(self, number: int) -> int:
        return number * self.sections // len(self.functions)

    def _table(self) -> tuple[bytes, list[tuple[int, int]]]:
        """A pclntab, and where in it the tables of names, units, files, values and functions are, and how long."""
        names = [f"{name}\0".encode() for name, _ in self.functions]
        # a table of one value, as deep as the function's size, for the rest of its code
        quantum = 4 if self.arch == "arm64" else 1
        values = bytearray(b"\0")
        starts = []
        for _, size in self.functions:
            starts.append(len(values))
            values += _varint(2 * (size + 1)) + _varint(size // quantum) + b"\0"
        rows, records = bytearray(), bytearray()
        width = 8 if self._old else 4
        head = (2 * len(self.functions) + 1) * width
        head += -head % 8
        where = self.entries() if self._old else self._offsets
        for number in range(len(self.functions)):
            rows += where[number].to_bytes(width, "little") + (head + len(records)).to_bytes(width, "little")
            entry = where[number].to_bytes(width, "little")
            name = sum(map(len, names[:number]))
            line = () if self.release < (1, 20) else (7,)
            body = (name, number * 8, 0, starts[number], 0, 0, 0, 0, *line, 0)
            records += entry + struct.pack(f"<{len(body)}I", *body)
        end = where[-1] if not self._old else where[-1] + self.functions[-1][1]
        rows += end.to_bytes(width, "little")
        rows += b"\0" * (head - len(rows))
        tables = (b"".join(names), b"\xff" * 4, b"main.go\0", bytes(values), bytes(rows + records))
        count = 7 if self._old else 8
        offsets, out = [], bytearray(8 + 8 * count)
        for each in tables:
            out += b"\0" * (-len(out) % 8)
            offsets.append((len(out), len(each)))
            out += each
        magic = max((since, magic) for magic, since in PCLNTAB_MAGIC.items() if since <= self.release)[1]
        start = () if self._old else (0 if self.release >= (1, 26) else self.text,)
        words = (len(self.functions), 1, *start, *(at for at, _ in offsets))
        out[: 8 + 8 * count] = struct.pack(f"<IBBBB{count}Q", magic, 0, 0, quantum, 8, *words)
        return bytes(out), offsets

    def _moduledata(self, tables: Sequence[tuple[int, int]], size: int) -> list[int]:
        """The words of runtime.firstmoduledata, with the text's pieces behind it."""
        words = [self.pclntab]
        for number, (at, length) in enumerate(tables):
            length = length // 4 if number == 1 else size - at if number == 4 else length
            words += [self.pclntab + at, length, length]
        count = len(self.functions) + 1
        words += [self.pclntab + tables[4][0], count, count, self.pclntab]
        end = self.entries()[-1] + self.functions[-1][1]
        words += [self.text, end, self.text, end, *[self.data] * 8]
        ends = next(names for since, names in MODULEDATA_ENDS if since <= self.release)
        known = {"types": self.types, "etypes": self.types + 64, "itaboffset": 48, "itabsize": 8, "typedesclen": 32}
        words += [known.get(name, self.data) for name in ends]
        slices = 1 if self.release >= (1, 27) else 3
        pieces = self._pieces() if self.sections > 1 else []
        behind = self.data + 8 * (len(words) + 3 * slices)
        words += [behind, len(pieces) // 3, len(pieces) // 3] if pieces else [0, 0, 0]
        return words + [0] * 3 * (slices - 1) + pieces

    def _pieces(self) -> list[int]:
        rows = []
        for piece in range(self.sections):
            inside = [number for number in range(len(self.functions)) if self._piece(number) == piece]
            start, end = self._offsets[inside[0]], self._offsets[inside[-1] + 1]
            rows += [start, end, self.text + start + piece * self.gap]
        return rows


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
