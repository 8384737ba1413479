"""All that the rest of goinst asks a Go binary. Answers are kept by build id; a new question opens the
binary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goinst.binary.codec import argument_from, names_from, shape_from, variable_from
from goinst.binary.identity import Identity
from goinst.binary.model import (
    Argument,
    BinaryInfo,
    Fact,
    Function,
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

__all__ = ["Facts"]

_MOST_SYMBOLS = 1 << 16  # addresses whose names are remembered


class Facts(PackageAnswers):
    """Questions about one binary. Every answer is remembered: also that there is none, and that it is an
    error.

    Opening is cheap: a few kilobytes are read. BinaryError (one line) when the file is no Go program, from
    ``open`` or from the first question that has to look into it.

    What else can be traced answers the same questions: native.facts.NativeFacts. ``kind`` keeps the two apart in the
    cache.
    """

    kind = "facts"

    def __init__(self, path: str, identity: Identity, answers: dict[str, Any], cache: Cache | None) -> None:
        super().__init__(path, identity, answers, cache)
        self._symbols: dict[int, tuple[tuple[str, str, int], ...]] = {}

    @property
    def info(self) -> BinaryInfo:
        """What the binary says of itself, under the path it was opened by."""

        def make(answer: Any) -> BinaryInfo:
            return BinaryInfo(**{**answer, "version": tuple(answer["version"]), "path": self._path})

        return self._ask("info", lambda binary: asdict(binary.info), make)

    def function(self, symbol: str) -> Function | None:
        """Return the function with this name, if it has a body of its own."""

        def find(binary: GoBinary) -> Any:
            found = binary.function(symbol)
            return [found.name, found.entry, found.end] if found else None

        return self._ask(f"function {symbol}", find, lambda answer: Function(*answer) if answer else None)

    def why_not(self, symbol: str) -> str:
        """Say why ``function`` does not find one, where more is known than that there is none."""
        del symbol
        return ""

    def bodies(self, symbol: str) -> tuple[str, ...]:
        """Return the names of the bodies of a generic function or method: of ``main.Map``, ``main.Map[go.shape.int]``.

        ``symbol`` is written without type arguments, or with ``[...]``. Each name is one that all others take.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.suggestions import bodies

            return list(bodies(binary, symbol))

        return self._ask(f"bodies {symbol}", find, names_from)

    def wrapped(self, symbol: str) -> str:
        """Return the function that ``symbol``, made by the compiler, only leads to; empty for code that was written.

        So are method values (``main.(*T).M-fm``), promoted methods, and methods that interfaces need.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.suggestions import wrapped

            return wrapped(binary, symbol)

        return self._ask(f"wrapped {symbol}", find, str)

    def hint(self, symbol: str) -> str:
        """Say what there is instead of a function that is not in the binary: generic, promoted, of an interface."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.suggestions import hint

            return hint(binary, symbol)

        return self._ask(f"hint {symbol}", find, str)

    def marked(self, symbol: str) -> tuple[Variable, ...] | None:
        """Return the arguments of a USDT probe; None when ``symbol`` is a function."""
        del symbol
        return None

    def matching(self, pattern: str) -> tuple[Function, ...]:
        """Return the functions whose name the regular expression is found in."""

        def find(binary: GoBinary) -> Any:
            return [[found.name, found.entry, found.end] for found in binary.matching(pattern)]

        return self._ask(f"matching {pattern}", find, lambda answer: tuple(Function(*each) for each in answer))

    def field(self, type_name: str, path: str) -> Fact | None:
        """Return the byte offset of a field from the start of ``type_name``, and the field's size.

        ``path`` may go through structs by value; names promoted from embedded structs are found as in Go.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.fields import find_field

            return find_field(binary, type_name, path)

        return self._ask(f"field {type_name} {path}", find, _fact)

    def type_hash(self, type_name: str) -> Fact | None:
        """Return runtime._type.hash of a type (``*net/http.response``); None when the program does not have
        it."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.fields import source_of

            kind = binary.type(type_name)
            return [kind.hash, source_of(kind), 4] if kind is not None and kind.address else None

        return self._ask(f"hash {type_name}", find, _fact)

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Return where parameters (at entry) and results (at RET) are. BinaryError names a type that is not
        there."""

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
        """Return a function's parameters, the receiver first, and its results, as DWARF names them.

        None when there is no DWARF for it. Before Go 1.22 unnamed and ``_`` parameters are left out, so that places
        cannot be counted; Go 1.17 for amd64 names no results.
        """

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
        """Say whether nothing speaks against a function's having these parameters and results, or those and more."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.debug.parameters import takes

            return takes(binary, symbol, signature)

        return self._ask(f"takes {symbol} {signature}", find, bool)

    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        """Return the parameters, results and variables of ``symbol`` at the instruction at ``address``, each name once.

        The instruction is in the function: where it starts (``sites(symbol, "entry")``) parameters are certain, at a
        RET results are. It may also be in a body of the function that is inlined into another one, or a call of it.
        None without DWARF.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.debug.variables import variables

            return [asdict(each) for each in variables(binary, symbol, address)]

        return self._ask(
            f"variables {symbol} {address}", find, lambda answer: tuple(variable_from(each) for each in answer)
        )

    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        """Return instructions to probe: one for ``entry``, each RET for ``return``, each call of ``callee``
        for ``call``, also where the function is inlined; none when there is no such function."""

        def find(binary: GoBinary) -> Any:
            from goinst.binary.sites import find_sites
            from goinst.golang.call_sites import find_calls

            if place == "call" and binary.info.abi != "c":
                found = find_calls(binary, symbol, callee)
            else:
                found = find_sites(binary, symbol, place, callee)
            holders = dict.fromkeys((symbol, *(site.symbol for site in found)))
            codes = [code for holder in holders if (code := self._code(binary, holder)) is not None]
            return {"codes": codes, "sites": [asdict(site) for site in found]}

        def make(answer: Any) -> tuple[Site, ...]:
            # A probe in the middle of an instruction would crash the target. The build id is what a file says
            # of itself, so kept sites are only for the very same code.
            self._same_code(answer["codes"])
            return tuple(Site(**site) for site in answer["sites"])

        return self._ask(f"sites {place} {symbol} {callee}", find, make)

    def lines(self, file: str, line: int) -> tuple[LineSite, ...]:
        """Return where the code of a source line starts: in each function one site for its own code, and one for each
        body that is inlined into it. None when the line has no code.

        ``file`` is a path or the end of one (``main.go``, ``net/http/server.go``): of all files that it can be.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.line_sites import find_line_sites

            found = find_line_sites(binary, file, line)
            return {"codes": self._codes(binary, found), "lines": [asdict(each) for each in found]}

        def make(answer: Any) -> tuple[LineSite, ...]:
            self._same_code(answer["codes"])
            return tuple(LineSite(**{**each, "site": Site(**each["site"])}) for each in answer["lines"])

        return self._ask(f"line {line} {file}", find, make)

    def lines_near(self, file: str, line: int) -> tuple[int, ...]:
        """Return the lines with code that are nearest to one that has none: up to three before it, three behind it."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.line_sites import lines_near

            return list(lines_near(binary, file, line))

        return self._ask(f"near {line} {file}", find, lambda answer: tuple(int(each) for each in answer))

    def source_files(self, file: str) -> tuple[str, ...]:
        """Return the paths of the source files that end with ``file``, as whole parts."""
        return self._ask(f"files {file}", lambda binary: list(binary.lines.files(file)), names_from)

    def source_line(self, address: int) -> tuple[str, int] | None:
        """Return the file and line of the instruction at ``address``; None when it is in no function. Not kept."""
        found = self.symbolise(address)
        return (found[0][1], found[0][2]) if found else None

    def symbolise(self, address: int) -> tuple[tuple[str, str, int], ...]:
        """Return (function, file, line) of an instruction: the innermost inlined body first, the function last.

        Nothing when it is in no function. Of a return address, subtract 1: it is behind the call. Remembered until
        ``save``, not kept in the cache.
        """
        found = self._symbols.get(address)
        if found is None:
            if len(self._symbols) >= _MOST_SYMBOLS:
                self._symbols.clear()
            found = self._symbols[address] = self._binary().lines.symbolise(address)
        return found

    def inlined(self, symbol: str) -> tuple[str, ...]:
        """Return the functions that hold an inlined body of ``symbol``: a probe on it does not see calls
        there."""

        def find(binary: GoBinary) -> Any:
            return list(binary.inlined_callers(symbol))

        return self._ask(f"inlined {symbol}", find, names_from)

    def mentions(self, pattern: str) -> bool:
        """Whether the regular expression is found anywhere in the file."""

        def find(_: GoBinary) -> Any:
            with Path(self._path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                return re.search(pattern.encode(), data) is not None

        return self._ask(f"mentions {pattern}", find, bool)

    def shape(self, reference: str) -> Shape | None:
        """Return one level of a type: by full name, or by what another shape says its parts are."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.shapes import shape_of

            found = shape_of(binary, reference)
            return asdict(found) if found is not None else None

        return self._ask(f"shape {reference}", find, shape_from)

    def full_name(self, written: str) -> str:
        """Return a type as people write it, ``*http.Request``, with its full package path. BinaryError when the
        binary has none of that name, or several."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.types.shapes import full_name

            return full_name(binary, written)

        return self._ask(f"full name {written}", find, str)

    def type_names(self) -> dict[int, str]:
        """Return the names of all types by runtime hash."""
        return self._ask("type names", lambda binary: binary.types.hashes(), dict)

    def inlined_sites(self, symbol: str) -> tuple[InlinedSite, ...]:
        """Return where each inlined body of ``symbol`` starts: what a probe on the function itself does not see."""

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
        """Return marks of functions that goroutines start with, by address: 0 when it takes work from others, again and
        again; else a mask of the words of its closure that may be the function that it calls."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.workers import find_workers

            return find_workers(binary)

        return self._ask("workers", find, lambda answer: {int(entry): int(mark) for entry, mark in answer.items()})

    def _codes(self, binary: GoBinary, found: Sequence[LineSite | InlinedSite]) -> list[list[Any]]:
        """Return what tells the functions that sites are in from others."""
        held = {binary.containing(each.site.address) for each in found}
        return [code for function in held if function and (code := self._code_of(binary, function))]

    def _open(self) -> Any:
        from goinst.golang.binary import GoBinary  # numpy and the ELF library come in here, and not before

        return GoBinary.open(self._path)

    def _code(self, binary: GoBinary, symbol: str) -> list[Any] | None:
        function = binary.function(symbol)
        return None if function is None else self._code_of(binary, function)


def _fact(answer: Any) -> Fact | None:
    return Fact(*answer) if answer else None
