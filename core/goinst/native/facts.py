"""All that the rest of goinst asks a native program or a shared library: what golang.facts answers for Go ones."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goinst.binary.codec import argument_from, shape_from, variable_from
from goinst.binary.facts import Facts
from goinst.binary.identity import Identity
from goinst.binary.model import (
    Argument,
    Parameter,
    Place,
    Shape,
    Site,
    UsdtProbe,
    Variable,
)
from goinst.binary.queries import Answers
from goinst.cache import Cache
from goinst.errors import BinaryError
from goinst.golang.facts import GoFacts
from goinst.native.usdt import PREFIX

if TYPE_CHECKING:
    from goinst.native.binary import NativeBinary

__all__ = ["NativeFacts", "open_facts"]


class NativeFacts(Answers):
    """Questions about an ELF file that is looked at as a native one; ``info.abi`` is ``c``.

    Functions are found by what native.binary.NativeBinary.function takes. There are no runtime types: ``field`` and
    ``type_hash`` know none.
    """

    kind = "native"

    def __init__(self, path: str, identity: Identity, answers: dict[str, Any], cache: Cache | None) -> None:
        super().__init__(path, identity, answers, cache)
        self._probes: tuple[UsdtProbe, ...] | None = None

    def why_not(self, symbol: str) -> str:
        return self._ask(f"why not {symbol}", lambda binary: binary.why_not(symbol), str)

    def jumps_out(self, symbol: str) -> tuple[str, ...]:
        return self._ask(f"jumps out {symbol}", lambda binary: list(binary.jumps_out(symbol)), tuple)

    def is_go(self) -> bool:
        """Say whether it is a Go program, which Facts knows more of."""

        def find(binary: NativeBinary) -> Any:
            from goinst.golang.buildinfo import read_build_info
            from goinst.golang.tables.moduledata import find_module

            if read_build_info(binary.image) is not None:
                return True
            try:
                find_module(binary.image, None)
            except BinaryError:
                return False
            return True

        return self._ask("is go", find, bool)

    def symbolise(self, address: int) -> tuple[tuple[str, str, int], ...]:
        """Return the function that the address is in, without file and line; none when no symbol tells."""

        def find(binary: NativeBinary) -> Any:
            symbol = binary.symbols.around(address)
            return symbol.text if symbol is not None else ""

        name = self._ask(f"symbolise {address}", find, str)
        return ((name, "", 0),) if name else ()

    def usdt(self) -> tuple[UsdtProbe, ...]:
        def find(binary: NativeBinary) -> Any:
            probes = binary.usdt
            return {"code": self._instructions(probes), "probes": [asdict(probe) for probe in probes]}

        def make(answer: Any) -> tuple[UsdtProbe, ...]:
            probes = tuple(_probe(each) for each in answer["probes"])
            if self._instructions(probes) != answer["code"]:  # as Facts.sites
                raise ValueError("the file is another one")
            return probes

        if self._probes is None:
            self._probes = self._ask("usdt", find, make)
        return self._probes

    def _instructions(self, probes: tuple[UsdtProbe, ...]) -> str:
        """Hash what the file has at the probes."""
        digest = hashlib.sha256()
        try:
            with Path(self._path).open("rb", buffering=0) as file:
                for probe in probes:
                    for site in probe.sites:
                        digest.update(os.pread(file.fileno(), 4, site.file_offset))
        except OSError:
            return ""
        return digest.hexdigest()

    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        if not symbol.startswith(PREFIX):
            return super().sites(symbol, place, callee)
        found = next((probe for probe in self.usdt() if probe.symbol == symbol), None)
        return found.sites if found is not None and place == "entry" else ()

    def marked(self, symbol: str) -> tuple[Variable, ...] | None:
        if not symbol.startswith(PREFIX):
            return None
        found = next((probe for probe in self.usdt() if probe.symbol == symbol), None)
        return found.arguments if found is not None else None

    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        """Return the parameters where a function starts, what it returns (``result``) at one of its RETs, or the
        arguments of a USDT probe at one of its places; as far as DWARF tells. None at other instructions."""
        if symbol.startswith(PREFIX):
            known = address in (site.address for site in self.sites(symbol, "entry"))
            return self.marked(symbol) or () if known else ()
        starts = {site.address for site in self.sites(symbol, "entry")}
        returns = set() if address in starts else {site.address for site in self.sites(symbol, "return")}
        if address not in starts | returns:
            return ()

        def find(binary: NativeBinary) -> Any:
            from goinst.native.variables import variables_of

            return [asdict(each) for each in variables_of(binary, symbol, address, frozenset(returns))]

        return self._ask(
            f"variables {symbol} {address}", find, lambda answer: tuple(variable_from(each) for each in answer)
        )

    def parameters(self, symbol: str) -> tuple[Parameter, ...] | None:
        """Return the names of a function's parameters and of what it returns (``result``), with their types as shown;
        None when there is no DWARF for it. Those of a USDT probe are ``arg1``, ``arg2``..."""
        marked = self.marked(symbol)
        if marked is not None:
            return tuple(Parameter(each.name, each.type, result=False) for each in marked)

        def find(binary: NativeBinary) -> Any:
            from goinst.native.variables import parameters_of

            found = parameters_of(binary, symbol)
            return None if found is None else [asdict(each) for each in found]

        return self._ask(
            f"parameters {symbol}",
            find,
            lambda answer: None if answer is None else tuple(Parameter(**each) for each in answer),
        )

    def shape(self, reference: str) -> Shape | None:
        """Return one level of a type: by a reference that another shape or a variable has, or by the name that people
        write (see native.shapes)."""

        def find(binary: NativeBinary) -> Any:
            found = binary.shapes.shape(reference)
            return asdict(found) if found is not None else None

        return self._ask(f"shape {reference}", find, shape_from)

    def full_name(self, written: str) -> str:
        """Return a type as people write it when there is one. BinaryError when there is none."""
        self._ask(f"full name {written}", lambda binary: binary.value(written) is not None, bool)
        return written

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Return where parameters (at entry) and result (at RET) are by the C ABI; see native.abi.locate.

        BinaryError names a type that is not there."""

        def find(binary: NativeBinary) -> Any:
            from goinst.native.abi import locate

            return [
                [asdict(argument) for argument in side]
                for side in locate(signature, arch=binary.image.arch, value=binary.value)
            ]

        def make(answer: Any) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
            parameters, results = (tuple(argument_from(each) for each in side) for side in answer)
            return parameters, results

        return self._ask(f"arguments {signature}", find, make)

    def _open(self) -> NativeBinary:
        from goinst.native.binary import NativeBinary  # as in Facts: numpy and the ELF library come in here

        return NativeBinary.open(self._path)


def open_facts(path: str, *, cache: Cache | None = None, native: bool = False) -> Facts:
    """Open a file as what it is: a Go program, else a native one; as a native one in any case when ``native``.

    BinaryError, one line, when it is no ELF file for amd64 or arm64.
    """
    found = NativeFacts.open(path, cache=cache)
    if native:
        return found
    facts = GoFacts.open(path, cache=cache)
    return facts if facts.known or found.is_go() else found


def _probe(data: dict[str, Any]) -> UsdtProbe:
    sites = tuple(Site(**site) for site in data["sites"])
    arguments = tuple(variable_from(each) for each in data["arguments"])
    return UsdtProbe(**{**data, "sites": sites, "arguments": arguments})
