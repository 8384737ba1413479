"""A native program or shared library to ask questions: functions by any of their names, and their code."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from goinst.binary.elf import Image
from goinst.binary.model import BinaryInfo, Function, UsdtProbe
from goinst.binary.sites import jumps_out
from goinst.errors import BinaryError
from goinst.native.debugfile import DebugFile, find_debug_file
from goinst.native.demangle import available, plain
from goinst.native.symbols import INDIRECT, Symbol, Symbols
from goinst.native.usdt import PREFIX, find_probes

if TYPE_CHECKING:
    from goinst.binary.dwarf.entries import Dwarf
    from goinst.native.abi import Value
    from goinst.native.shapes import Shapes

__all__ = ["NativeBinary"]

_ADDRESS = re.compile(r"(?:(?P<name>.+)@)?(?P<address>0x[0-9a-f]{1,16})", re.IGNORECASE)
_SHOWN = 4
_WORD = 8
_CLONE = re.compile(r"\.(?:isra|constprop|part|cold)\b")


class NativeBinary:
    """An ELF program or shared object for amd64 or arm64, whatever it was made from. Only BinaryError comes out of it.

    Addresses are as linked. ``image`` is the file's memory.
    """

    def __init__(self, image: Image) -> None:
        self.image = image

    @classmethod
    def open(cls, path: str) -> NativeBinary:
        """Map the file; BinaryError when ``path`` is no whole ELF file for amd64 or arm64."""
        return cls(Image.open(path))

    @cached_property
    def debug(self) -> DebugFile | None:
        """The file with the debugging information, where that was kept apart."""
        return find_debug_file(self.image)

    @cached_property
    def info(self) -> BinaryInfo:
        """What the file says of itself."""
        image, debug = self.image, self.debug
        apart = debug.sections if debug is not None else {}
        return BinaryInfo(
            path=image.path,
            build_id=image.build_id,
            arch=image.arch,
            go_version="",
            version=(0, 0),
            abi="c",
            main_package="",
            main_module="",
            pie=image.pie,
            has_symtab=image.has_symtab or ".symtab" in apart,
            has_dwarf=image.has_dwarf or ".debug_info" in apart,
            size=image.size,
        )

    # Types

    @cached_property
    def dwarf(self) -> Dwarf | None:
        """The debugging information, where there is any."""
        from goinst.binary.dwarf.entries import Dwarf

        if self.image.has_dwarf:
            return Dwarf(self.image.map, self.image.sections, os.path.realpath(self.image.path))
        debug = self.debug
        if debug is None or not {".debug_info", ".zdebug_info"} & set(debug.sections):
            return None
        return Dwarf(debug.map, debug.sections, debug.path)

    @cached_property
    def shapes(self) -> Shapes:
        """The types."""
        from goinst.native.shapes import Shapes

        return Shapes(self.dwarf)

    def value(self, name: str) -> Value:
        """Say what a type, as people write it, is to the ABI. BinaryError when there is none of that name."""
        from goinst.native.abi import Value
        from goinst.native.classes import classify

        shape = self.shapes.shape(name)
        if shape is None:
            tells = "" if self.info.has_dwarf else ", which has no debugging information"
            raise BinaryError(f"type {name}: is not in the binary{tells}; name one of fixed size, such as uint32")
        if shape.kind in ("struct", "union", "array", "complex", "string", "slice") or shape.size > _WORD:
            try:
                return classify(self.shapes.entry(name), self.image.arch)
            except Exception:  # native.dwarf.Unusable; and pyelftools raises what it likes on broken entries
                raise BinaryError(
                    f"type {name}: its debugging information is not usable; pass it by its words"
                ) from None
        return Value(shape.size, shape.size, ((0, shape.size, "float" if shape.kind == "float" else "int"),))

    # Places that were marked

    @cached_property
    def usdt(self) -> tuple[UsdtProbe, ...]:
        """The USDT probes."""
        return find_probes(self.image, self.data_address)

    def probe(self, symbol: str) -> UsdtProbe | None:
        """Return the USDT probe that ``symbol`` (``usdt:provider:name``) stands for."""
        return next((probe for probe in self.usdt if probe.symbol == symbol), None)

    def data_address(self, name: str) -> int | None:
        """Return where the variable called ``name`` is, as linked."""
        return next((s.value for s in self.symbols.variables(name) if not s.outside), None)

    # Functions

    @cached_property
    def symbols(self) -> Symbols:
        """The symbol tables, with those that were kept apart."""
        return Symbols(self.image, (self.debug.map, self.debug.sections) if self.debug is not None else None)

    def function(self, name: str) -> Function | None:
        """Return the one function called ``name``: as the linker calls it (``SSL_write``, ``_ZN5Order5placeEi``,
        ``memcpy@GLIBC_2.2.5``), as its programmer does, with or without parameters (``Order::place(int)``), by its
        address (``0x401136``), or by both (``init@0x401136``)."""
        if name.startswith(PREFIX):
            probe = self.probe(name)
            return Function(name, probe.sites[0].address, probe.sites[0].address) if probe is not None else None
        found = self._find(name)
        return found if isinstance(found, Function) else None

    def why_not(self, name: str) -> str:
        """Say why ``function`` finds nothing, and what to ask for instead; nothing when it does."""
        if name.startswith(PREFIX):
            return (
                "" if self.probe(name) is not None else f"no probe {name} in the binary; it has {self._some_probes()}"
            )
        found = self._find(name)
        return found if isinstance(found, str) else ""

    def _some_probes(self) -> str:
        names = list(dict.fromkeys(f"{probe.provider}:{probe.name}" for probe in self.usdt))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{', '.join(names[:_SHOWN])}{more}" if names else "none"

    def matching(self, regex: str) -> tuple[Function, ...]:
        """Return the functions whose name (as shown) ``regex`` is found in, by address; each once, by its best name.

        A regular expression that begins with ``usdt:`` is for USDT probes.
        """
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise BinaryError(f"{regex}: is no regular expression: {error}; write .* for anything") from None
        if regex.lstrip("^").startswith(PREFIX):
            return tuple(
                Function(probe.symbol, probe.sites[0].address, probe.sites[0].address)
                for probe in self.usdt
                if pattern.search(probe.symbol)
            )
        by_address: dict[int, list[str]] = {}
        for symbol in self.symbols.functions():
            text = symbol.text
            if pattern.search(text) and self._code_at(symbol.value):
                by_address.setdefault(symbol.value, []).append(text)
        chosen = {address: min(texts, key=_awkward) for address, texts in by_address.items()}
        names = list(chosen.values())
        several = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
        sizes = {symbol.value: symbol.size for symbol in self.symbols.functions()} if chosen else {}
        return tuple(
            Function(
                f"{name}@{address:#x}" if name in several else name,
                address, self.symbols.end(address, sizes.get(address, 0)),
            )
            for address, name in sorted(chosen.items())
        )  # fmt: skip

    def inlined_callers(self, name: str) -> tuple[str, ...]:
        """Return the names of the functions that hold an inlined body of ``name``, as far as DWARF tells."""
        if self.dwarf is None or name.startswith((PREFIX, "0x")):
            return ()
        found = []
        for address in self.dwarf.inlined_in(plain(name)):
            around = self.symbols.around(address)
            found.append(around.text if around is not None else f"{address:#x}")
        return tuple(dict.fromkeys(found))

    def jumps_out(self, name: str) -> tuple[str, ...]:
        """Return the functions that a function ends in by a jump (a tail call), and so does not return from itself."""
        found = []
        for target in jumps_out(self, name):
            around = self.symbols.around(target)
            text = around.text if around is not None else f"{target:#x}"
            if not text.startswith(f"{name}.cold"):  # its own code that is seldom used
                found.append(text)
        return tuple(dict.fromkeys(found))

    def _find(self, name: str) -> Function | str:
        match = _ADDRESS.fullmatch(name)
        if match and not match["name"]:
            return self._at(name, int(match["address"], 16))
        wanted = int(match["address"], 16) if match else None
        base = match["name"] if match else name
        found = self.symbols.named(base) or self.symbols.written(base)
        inside = [s for s in found if not s.outside and s.kind != INDIRECT and self._code_at(s.value)]
        if wanted is not None:
            inside = [symbol for symbol in inside if symbol.value == wanted]
        addresses = sorted({symbol.value for symbol in inside})
        if len(addresses) == 1:
            size = max(symbol.size for symbol in inside)
            return Function(name, addresses[0], self.symbols.end(addresses[0], size))
        return self._reason(base, found, inside, addresses)

    def _reason(self, name: str, found: list[Symbol], inside: list[Symbol], addresses: list[int]) -> str:
        if addresses:
            texts = sorted({symbol.text for symbol in inside})
            if len(texts) < len(addresses):
                texts = [f"{name}@{address:#x}" for address in addresses]
            more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
            return f"{name} may be {' or '.join(texts[:_SHOWN])}{more}: name one of them"
        if any(symbol.kind == INDIRECT for symbol in found):
            chosen = [function.name for function in self.matching(rf"^_*{re.escape(name)}_\w+$")]
            such = f", such as {' or '.join(chosen[:_SHOWN])}" if chosen else ""
            return (
                f"which {name} is used is decided when the program starts (an indirect function): name that one{such}"
            )
        if any(symbol.outside for symbol in found):
            return f"{name} is not in this file, which only calls it: name the shared library that has it"
        if found:
            return f"{name} is a symbol, but no code in this file"
        if ("::" in name or "(" in name) and not available():
            return f"names such as {name} can only be found with pip install 'goinst[native]'"
        callers = self.inlined_callers(name)
        if callers:
            more = f" and {len(callers) - _SHOWN} more" if len(callers) > _SHOWN else ""
            return f"{name} has no body of its own: the compiler inlined it in {', '.join(callers[:_SHOWN])}{more}"
        near = self.matching(rf"(?:^|::|\b){re.escape(name)}(?:\(|\.|$)")
        clones = [function.name for function in near if _CLONE.search(function.name)]
        if clones:
            return f"the compiler has made a variant of {name} of its own: {', '.join(clones[:_SHOWN])}"
        if near:
            return f"no function {name}; there is {', '.join(function.name for function in near[:_SHOWN])}"
        if not self.info.has_symtab:
            return f"no function {name} in the symbols that were left; it has none for its own functions (stripped)"
        return f"no function {name} in the binary"

    def _at(self, name: str, address: int) -> Function | str:
        if not self._code_at(address):
            return f"there is no code at {name} in this file"
        around = self.symbols.around(address)
        if around is not None and around.value != address:
            return f"{name} is inside {around.text}: only where a function starts arguments are known"
        if around is None and not self.symbols.starts(address):
            return f"no function is known to start at {name}"
        return Function(name, address, self.symbols.end(address, around.size if around else 0))

    def _code_at(self, address: int) -> bool:
        segment = self.image.segment(address)
        return segment is not None and segment.executable


def _awkward(name: str) -> tuple[bool, bool, int, str]:
    """Order names for one address: without versions and underscores first, then by length."""
    return "@" in name, name.startswith("_"), len(name), name
