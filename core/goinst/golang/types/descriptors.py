"""Types from the runtime's own type descriptors: layouts, hashes, addresses; stripping does not remove them.

Layouts: internal/abi/type.go (reflect/type.go before Go 1.21), cmd/compile/internal/reflectdata, Go 1.16 to
1.27.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from goinst.binary.elf import Image
from goinst.errors import BinaryError
from goinst.golang.releases import FIELD_OFFSETS_WHOLE, LENGTHS_AS_VARINTS, MAP_DESCRIPTOR_LONG, SWISS_MAPS
from goinst.golang.tables.moduledata import Module

__all__ = ["KINDS", "GoField", "GoType", "TypeTable"]

KINDS = (
    *("invalid", "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64"),
    *("uintptr", "float32", "float64", "complex64", "complex128", "array", "chan", "func", "interface", "map"),
    *("ptr", "slice", "string", "struct", "unsafe.Pointer"),
)
"""reflect.Kind's names by number."""

_SIZES = {"ptr": 56, "func": 56, "slice": 56, "array": 72, "chan": 64, "interface": 80, "struct": 80}
_HEAD = 48  # bytes of what all descriptors start with
_HEADER = struct.Struct("<QQIBBBBQQii")  # size ptrdata hash tflag align fieldAlign kind equal gcdata str ptrToThis
_UNCOMMON, _EXTRA_STAR, _NAMED = 1, 2, 4  # internal/abi/type.go: TFlag
_EXPORTED, _NAME_FLAGS = 1, 15
_EMBEDDED = 8  # flag of a field's name since Go 1.19
_DIRECTIONS = {1: "<-chan ", 2: "chan<- ", 3: "chan "}
_PREFIXES = (
    ("*", "ptr"),
    ("[]", "slice"),
    ("[", "array"),
    ("map[", "map"),
    ("func(", "func"),
    ("chan ", "chan"),
    ("chan<- ", "chan"),
    ("<-chan ", "chan"),
    ("struct {", "struct"),
    ("interface {", "interface"),
)
_DEEPEST = 64  # composite types within each other; a limit for corrupt data
_LARGEST = 1 << 56  # the runtime has types such as *[1 << 49]uint16


@dataclass(frozen=True, slots=True)
class GoField:
    """A struct field: byte ``offset`` and ``size``, its type's full name and descriptor (0 when from
    DWARF).
    """

    name: str
    offset: int
    type_name: str
    size: int
    embedded: bool
    type_address: int = 0


@dataclass(frozen=True, slots=True)
class GoType:
    """A type as the program has it.

    ``name`` has full package paths (``*net/http.Request``), except inside unnamed structs and interfaces.
    ``kind`` is reflect.Kind's name. ``address`` is the descriptor's, as linked, and ``hash`` its runtime
    hash; both are 0 when the type is from DWARF. ``elem`` and ``key`` are descriptor addresses (of pointers,
    slices, arrays, channels, maps), as are ``inputs`` and ``outputs`` (of functions); ``length`` is an
    array's. ``methods`` are an interface's.
    """

    name: str
    kind: str
    size: int
    hash: int
    address: int
    fields: tuple[GoField, ...] = ()
    elem: int | None = None
    key: int | None = None
    length: int = 0
    methods: tuple[str, ...] = ()
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    variadic: bool = False

    def field(self, name: str) -> GoField | None:
        """Return the field called ``name`` of this struct itself, not of embedded ones."""
        return next((field for field in self.fields if field.name == name), None)


class _Descriptor(NamedTuple):
    """The head of a descriptor, checked."""

    address: int
    size: int
    hash: int
    flags: int
    kind: str
    text: str  # the type's string, as reflect's String() gives it


class TypeTable:
    """The type descriptors of a program.

    They are recognised by shape in the memory between moduledata's ``types`` and ``etypes``, as arrays (about
    1 ms for each megabyte of it, once), and decoded when asked for. So there is no need of typelinks (which
    lack most named types and which Go 1.27 has no more) nor of a walk through all types.
    """

    def __init__(self, image: Image, module: Module, *, swiss_maps: bool) -> None:
        self._image = image
        self._module = module
        self._memory = image.view(module.types, module.types_size)
        self._bytes = np.frombuffer(self._memory, np.uint8)
        newest = 136 if MAP_DESCRIPTOR_LONG.holds(module.version) else 112
        self._map_size = newest if swiss_maps and SWISS_MAPS.holds(module.version) else 88
        self._types: dict[int, GoType] = {}
        self._names: dict[int, str] = {}

    def find(self, name: str) -> GoType | None:
        """Return the type with the full name ``name``; None when the program has no descriptor of it."""
        table = self._index
        kind = next((kind for prefix, kind in _PREFIXES if name.startswith(prefix)), None)
        if kind is None:  # unnamed structs can have names such as "map.group[string]int"
            chosen = table.named | (table.kinds == KINDS.index("struct"))
        else:
            chosen = ~table.named & (table.kinds == KINDS.index(kind))
        # What follows the last dot is the same in the descriptor's string, whose packages have no paths.
        tail = name[name.rfind(".") :] if "." in name else name
        for at in self._ending(np.flatnonzero(chosen), tail.encode()):
            address = self._module.types + int(table.addresses[at])
            try:
                if self.name(address) == name:
                    return self.at(address)
            except BinaryError:  # not a descriptor after all
                continue
        return None

    def spelled(self, text: str) -> tuple[str, ...]:
        """Return the full names of the named types that reflect's String() calls ``text``, such as
        ``http.Request``.
        """
        rows = np.flatnonzero(self._index.named & (self._index.sizes == len(text.encode())))
        found = set()
        for at in self._ending(rows, text.encode()):
            with suppress(BinaryError):
                found.add(self.name(self._module.types + int(self._index.addresses[at])))
        return tuple(sorted(found))

    def hashes(self) -> dict[int, str]:
        """Return the full names of all types by runtime hash. Decodes every name: about 0.1 s for 5,000."""
        found: dict[int, str] = {}
        for at in self._index.addresses.tolist():
            with suppress(BinaryError):
                address = self._module.types + at
                found.setdefault(self._head(address).hash, self.name(address))
        return found

    def at(self, address: int) -> GoType:
        """Return the type whose descriptor is at ``address``; BinaryError when there is none."""
        known = self._types.get(address)
        if known is None:
            known = self._types[address] = self._decode(self._head(address))
        return known

    def itab(self, type_: GoType, interface: GoType) -> int | None:
        """Return the address of the static itab for this pair; None when the linker made none."""
        start, end = self._module.itabs
        count = (end - start) // 8
        if count < 3:
            return None
        words = np.frombuffer(self._image.view(start, 8 * count), "<u8")
        pairs = np.flatnonzero((words[:-2] == interface.address) & (words[1:-1] == type_.address))
        for at in pairs.tolist():  # internal/abi/iface.go: ITab{Inter, Type, Hash, Fun}
            if int(words[at + 2]) & 0xFFFFFFFF == type_.hash:
                return start + 8 * int(at)
        return None

    def structs(self) -> tuple[GoType, ...]:
        """Return all named struct types, by address. Decodes them all: for listings, not for lookups."""
        table = self._index
        found = []
        for at in table.addresses[table.named & (table.kinds == KINDS.index("struct"))].tolist():
            try:
                found.append(self.at(self._module.types + at))
            except BinaryError:  # not a descriptor after all
                continue
        return tuple(found)

    def name(self, address: int, depth: int = 0) -> str:
        """Return the full name of the type whose descriptor is at ``address``."""
        known = self._names.get(address)
        if known is None:
            if depth > _DEEPEST:
                raise self._broken(address)
            known = self._names[address] = self._full_name(self._head(address), depth + 1)
        return known

    # Decoding

    def _head(self, address: int) -> _Descriptor:
        at = address - self._module.types
        if address % 8 or not 0 <= at <= len(self._memory) - _HEAD:
            raise self._broken(address)
        size, pointers, hash_, flags, align, field_align, kind, _, _, text, _ = _HEADER.unpack_from(self._memory, at)
        kind &= 31
        if not 0 < kind < len(KINDS) or align != field_align or pointers > size or size > _LARGEST:
            raise self._broken(address)
        string = self._text(self._module.types + text)[0]
        if flags & _EXTRA_STAR:
            string = string[1:]
        return _Descriptor(address, size, hash_, flags, KINDS[kind], string)

    def _decode(self, head: _Descriptor) -> GoType:
        at = head.address
        more: dict[str, object] = {}
        if head.kind in ("ptr", "slice", "chan"):
            more = {"elem": self._words(at + 48, 1)[0]}
        elif head.kind == "array":
            elem, _, length = self._words(at + 48, 3)
            more = {"elem": elem, "length": length}
        elif head.kind == "map":
            key, elem = self._words(at + 48, 2)
            more = {"key": key, "elem": elem}
        elif head.kind == "struct":
            more = {"fields": self._fields(at)}
        elif head.kind == "interface":
            more = {"methods": self._methods(at)}
        elif head.kind == "func":
            inputs, outputs, variadic = self._signature(head)
            more = {"inputs": inputs, "outputs": outputs, "variadic": variadic}
        return GoType(self.name(at), head.kind, head.size, head.hash, at, **more)  # type: ignore[arg-type]

    def _fields(self, address: int) -> tuple[GoField, ...]:
        start, count, _ = self._words(address + 56, 3)
        words = self._words(start, 3 * count)
        fields = []
        for name_at, type_at, offset in zip(words[::3], words[1::3], words[2::3], strict=True):
            name, flags = self._text(name_at)
            embedded = bool(flags & _EMBEDDED)
            if not FIELD_OFFSETS_WHOLE.holds(self._module.version):
                offset, embedded = offset >> 1, bool(offset & 1)
            size = self._head(type_at).size
            fields.append(GoField(name, offset, self.name(type_at), size, embedded, type_at))
        return tuple(fields)

    def _methods(self, address: int) -> tuple[str, ...]:
        start, count, _ = self._words(address + 56, 3)
        pairs = struct.unpack(f"<{2 * count}i", self._slice(start, 8 * count))
        return tuple(self._text(self._module.types + name)[0] for name in pairs[::2])

    def _signature(self, head: _Descriptor) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
        inputs, outputs = struct.unpack("<HH", self._slice(head.address + 48, 4))
        start = head.address + 56 + (16 if head.flags & _UNCOMMON else 0)
        types = self._words(start, inputs + (outputs & 0x7FFF))
        return types[:inputs], types[inputs:], bool(outputs & 0x8000)

    def _full_name(self, head: _Descriptor, depth: int) -> str:
        if head.flags & _NAMED:
            package = self._package(head)
            return f"{package}.{head.text.split('.', 1)[-1]}" if package else head.text
        at = head.address
        if head.kind in ("ptr", "slice", "chan", "array"):
            inner = self.name(self._words(at + 48, 1)[0], depth)
            if head.kind == "chan":
                direction = _DIRECTIONS.get(self._words(at + 56, 1)[0])
                if direction is None:
                    raise self._broken(at)
                return direction + (f"({inner})" if inner.startswith("<-") and direction != "<-chan " else inner)
            if head.kind == "array":
                return f"[{self._words(at + 64, 1)[0]}]{inner}"
            return ("*" if head.kind == "ptr" else "[]") + inner
        if head.kind == "map":
            key, elem = self._words(at + 48, 2)
            return f"map[{self.name(key, depth)}]{self.name(elem, depth)}"
        if head.kind == "func":
            types, results, variadic = self._signature(head)
            inputs = [self.name(type_, depth) for type_ in types]
            if variadic and inputs:
                inputs[-1] = "..." + inputs[-1].removeprefix("[]")
            outputs = ", ".join(self.name(type_, depth) for type_ in results)
            ending = f" ({outputs})" if len(results) > 1 else f" {outputs}" if results else ""
            return f"func({', '.join(inputs)}){ending}"
        return head.text

    def _package(self, head: _Descriptor) -> str:
        """Return the import path of a named type's package; empty for predeclared types."""
        if not head.flags & _UNCOMMON:
            return ""
        size = self._map_size if head.kind == "map" else _SIZES.get(head.kind, _HEAD)
        path = struct.unpack("<i", self._slice(head.address + size, 4))[0]
        return self._text(self._module.types + path)[0] if path else ""

    def _text(self, address: int) -> tuple[str, int]:
        """Return a name (internal/abi/type.go: Name) and its flags: flags, length, bytes."""
        at = address - self._module.types
        if not 0 <= at <= len(self._memory) - 4:
            raise self._broken(address)
        flags, first, second, third = self._memory[at : at + 4]
        if not LENGTHS_AS_VARINTS.holds(self._module.version):
            size, start = first << 8 | second, at + 3
        elif first < 0x80:
            size, start = first, at + 2
        elif second < 0x80:
            size, start = first & 0x7F | second << 7, at + 3
        else:
            size, start = first & 0x7F | (second & 0x7F) << 7 | third << 14, at + 4
        if start + size > len(self._memory):
            raise self._broken(address)
        return bytes(self._memory[start : start + size]).decode("utf-8", "replace"), flags

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        if count > len(self._memory):
            raise self._broken(address)
        return struct.unpack(f"<{count}Q", self._slice(address, 8 * count))

    def _slice(self, address: int, size: int) -> memoryview:
        at = address - self._module.types
        if size and not 0 <= at <= len(self._memory) - size:
            raise self._broken(address)
        return self._memory[at : at + size] if size else self._memory[:0]

    def _broken(self, address: int) -> BinaryError:
        return BinaryError(f"{self._image.path}: has no type at {address:#x}; build or copy the program again")

    # Looking for strings

    @cached_property
    def _index(self) -> _Index:
        return _index(self._bytes, self._module)

    def _ending(self, rows: npt.NDArray[np.intp], tail: bytes) -> list[int]:
        """Return those of ``rows`` whose type string ends with ``tail``; the whole string without a dot."""
        table, size = self._index, len(tail)
        enough = table.sizes[rows] >= size if tail.startswith(b".") else table.sizes[rows] == size
        rows = rows[enough]
        ends = table.texts[rows] + table.sizes[rows]
        rows = rows[self._bytes[ends - size] == tail[0]] if size else rows[:0]
        wanted = np.frombuffer(tail, np.uint8)
        starts = table.texts[rows] + table.sizes[rows] - size
        same = (self._bytes[starts[:, None] + np.arange(size)] == wanted).all(axis=1)
        found: list[int] = rows[same].tolist()
        return found


class _Index(NamedTuple):
    """All that looks like a descriptor: its offset, its string (without an extra star), its kind."""

    addresses: npt.NDArray[np.int64]
    texts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    named: npt.NDArray[np.bool_]


def _index(memory: npt.NDArray[np.uint8], module: Module) -> _Index:
    """Recognise descriptors in ``memory``: 8-aligned, with sane kind, flags, alignment, sizes and string."""
    shift = -module.types % 8
    count = (len(memory) - shift) // 8
    rows = memory[shift : shift + 8 * count].reshape(-1, 8)
    if count < 6:
        rows = np.zeros((6, 8), np.uint8)
    flags, align, field_align, kind = rows[2:-3, 4:].T
    kind = kind & 31
    sane = (kind > 0) & (kind < len(KINDS)) & (flags < 64)
    sane &= (align == field_align) & (align > 0) & (align <= 16)
    at = np.flatnonzero(sane)
    words = rows.view("<u8").ravel()
    halves = rows.view("<i4")
    texts = halves[at + 5, 0].astype(np.int64)
    at = at[(words[at] < _LARGEST) & (words[at + 1] <= words[at]) & (texts > 0) & (texts < len(memory) - 4)]
    texts = halves[at + 5, 0].astype(np.int64)
    good = memory[texts] & (_NAME_FLAGS ^ _EXPORTED) == 0
    at, texts = at[good], texts[good]
    first, second, third = (memory[texts + step].astype(np.int64) for step in (1, 2, 3))
    if not LENGTHS_AS_VARINTS.holds(module.version):
        sizes, starts = first << 8 | second, texts + 3
    else:
        one, two = first < 0x80, second < 0x80
        longer = first & 0x7F | (second & 0x7F) << 7
        sizes = np.where(one, first, np.where(two, longer, longer | third << 14))
        starts = texts + np.where(one, 2, np.where(two, 3, 4))
    star = (flags[at] & _EXTRA_STAR) // _EXTRA_STAR
    sizes, starts = sizes - star, starts + star
    good = (sizes > 0) & (starts + sizes <= len(memory))
    at, sizes, starts = at[good], sizes[good], starts[good]
    return _Index(at * 8 + shift, starts, sizes, kind[at], flags[at] & _NAMED != 0)
