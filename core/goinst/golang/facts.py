"""What goinst asks a Go binary: binary.facts.Facts says what each answer means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from goinst.binary.codec import argument_from, names_from, shape_from, variable_from
from goinst.binary.identity import Identity
from goinst.binary.model import (
    Argument,
    Fact,
    InlinedSite,
    LineSite,
    Parameter,
    Place,
    Shape,
    Site,
    Variable,
)
from goinst.cache import Cache
from goinst.golang.package_queries import PackageAnswers

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["GoFacts"]

_MOST_SYMBOLS = 1 << 16  # addresses whose names are remembered


class GoFacts(PackageAnswers):
    """Facts of a Go program. Every answer is remembered: also that there is none, and that it is an error.

    Opening is cheap: a few kilobytes are read. BinaryError (one line) when the file is no Go program, from
    ``open`` or from the first question that has to look into it.
    """

    kind = "facts"

    def __init__(self, path: str, identity: Identity, answers: dict[str, Any], cache: Cache | None) -> None:
        super().__init__(path, identity, answers, cache)
        self._symbols: dict[int, tuple[tuple[str, str, int], ...]] = {}

    def bodies(self, symbol: str) -> tuple[str, ...]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.suggestions import bodies

            return list(bodies(binary, symbol))

        return self._ask(f"bodies {symbol}", find, names_from)

    def wrapped(self, symbol: str) -> str:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.suggestions import wrapped

            return wrapped(binary, symbol)

        return self._ask(f"wrapped {symbol}", find, str)

    def hint(self, symbol: str) -> str:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.suggestions import hint

            return hint(binary, symbol)

        return self._ask(f"hint {symbol}", find, str)

    def field(self, type_name: str, path: str) -> Fact | None:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.fields import find_field

            return find_field(binary, type_name, path)

        return self._ask(f"field {type_name} {path}", find, _fact)

    def type_hash(self, type_name: str) -> Fact | None:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.fields import source_of

            kind = binary.type(type_name)
            return [kind.hash, source_of(kind), 4] if kind is not None and kind.address else None

        return self._ask(f"hash {type_name}", find, _fact)

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.abi import locate

            info = binary.info
            sides = locate(signature, arch=info.arch, abi=info.abi, types=binary)
            return [[asdict(argument) for argument in side] for side in sides]

        def make(answer: Any) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
            parameters, results = (tuple(argument_from(each) for each in side) for side in answer)
            return parameters, results

        return self._ask(f"arguments {signature}", find, make)

    def parameters(self, symbol: str) -> tuple[Parameter, ...] | None:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.debug.parameters import parameters

            found = parameters(binary, symbol)
            return None if found is None else [asdict(each) for each in found]

        return self._ask(
            f"parameters {symbol}",
            find,
            lambda answer: None if answer is None else tuple(Parameter(**each) for each in answer),
        )

    def takes(self, symbol: str, signature: str) -> bool:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.debug.parameters import takes

            return takes(binary, symbol, signature)

        return self._ask(f"takes {symbol} {signature}", find, bool)

    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.debug.variables import variables

            return [asdict(each) for each in variables(binary, symbol, address)]

        return self._ask(
            f"variables {symbol} {address}", find, lambda answer: tuple(variable_from(each) for each in answer)
        )

    def lines(self, file: str, line: int) -> tuple[LineSite, ...]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.line_sites import find_line_sites

            found = find_line_sites(binary, file, line)
            return {"codes": self._codes(binary, found), "lines": [asdict(each) for each in found]}

        def make(answer: Any) -> tuple[LineSite, ...]:
            self._same_code(answer["codes"])
            return tuple(LineSite(**{**each, "site": Site(**each["site"])}) for each in answer["lines"])

        return self._ask(f"line {line} {file}", find, make)

    def lines_near(self, file: str, line: int) -> tuple[int, ...]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.line_sites import lines_near

            return list(lines_near(binary, file, line))

        return self._ask(f"near {line} {file}", find, lambda answer: tuple(int(each) for each in answer))

    def source_files(self, file: str) -> tuple[str, ...]:
        return self._ask(f"files {file}", lambda binary: list(binary.lines.files(file)), names_from)

    def symbolise(self, address: int) -> tuple[tuple[str, str, int], ...]:
        found = self._symbols.get(address)
        if found is None:
            if len(self._symbols) >= _MOST_SYMBOLS:
                self._symbols.clear()
            found = self._symbols[address] = self._binary().lines.symbolise(address)
        return found

    def shape(self, reference: str) -> Shape | None:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.shapes import shape_of

            found = shape_of(binary, reference)
            return asdict(found) if found is not None else None

        return self._ask(f"shape {reference}", find, shape_from)

    def full_name(self, written: str) -> str:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.shapes import full_name

            return full_name(binary, written)

        return self._ask(f"full name {written}", find, str)

    def type_names(self) -> dict[int, str]:
        return self._ask("type names", lambda binary: binary.types.hashes(), dict)

    def inlined_sites(self, symbol: str) -> tuple[InlinedSite, ...]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.line_sites import find_inlined_sites

            found = find_inlined_sites(binary, symbol)
            return {"codes": self._codes(binary, found), "bodies": [asdict(each) for each in found]}

        def make(answer: Any) -> tuple[InlinedSite, ...]:
            self._same_code(answer["codes"])
            return tuple(
                InlinedSite(
                    **{**each, "site": Site(**each["site"]), "variables": tuple(map(variable_from, each["variables"]))}
                )
                for each in answer["bodies"]
            )

        return self._ask(f"inlined sites {symbol}", find, make)

    def workers(self) -> dict[int, int]:
        def find(binary: GoBinary) -> Any:
            from goinst.golang.workers import find_workers

            return find_workers(binary)

        return self._ask("workers", find, lambda answer: {int(entry): int(mark) for entry, mark in answer.items()})

    def _find_sites(self, binary: GoBinary, symbol: str, place: Place, callee: str) -> tuple[Site, ...]:
        from goinst.golang.call_sites import find_calls

        if place == "call":
            return find_calls(binary, symbol, callee)
        return super()._find_sites(binary, symbol, place, callee)

    def _codes(self, binary: GoBinary, found: Sequence[LineSite | InlinedSite]) -> list[list[Any]]:
        """Return what tells the functions that sites are in from others."""
        held = {binary.containing(each.site.address) for each in found}
        return [code for function in held if function and (code := self._code_of(binary, function))]

    def _open(self) -> Any:
        from goinst.golang.binary import GoBinary  # numpy and the ELF library come in here, and not before

        return GoBinary.open(self._path)


def _fact(answer: Any) -> Fact | None:
    return Fact(*answer) if answer else None
