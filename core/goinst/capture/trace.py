"""What `goinst trace` asks for, as part of a protocol: SPECs whose functions are found in each binary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from goinst.binary.facts import Facts
from goinst.binary.model import InlinedSite, LineSite
from goinst.capture.generate import Around, Generated, generate
from goinst.capture.language.parser import LINE, Spec
from goinst.capture.request import Wanted
from goinst.capture.targets import find_functions
from goinst.errors import BinaryError
from goinst.golang.symbols import short_name

if TYPE_CHECKING:
    from goinst.capture.expand import Maker

__all__ = ["SpecCapture", "split_target"]

_USDT = "usdt:"


@dataclass(frozen=True, slots=True)
class SpecCapture:
    """A SPEC, for whatever binary is traced. ``regex``: its target is a regular expression; ``inlined``: also where
    the function is inlined."""

    wanted: Wanted
    regex: bool = False
    inlined: bool = False

    def make(self, facts: Facts, maker: Maker, number: int) -> Iterator[Generated | str]:
        """The captures of the functions that it means in a binary, or in words why one cannot be had."""
        try:
            places = list(self._places(facts, maker))
        except BinaryError as error:
            yield str(error)
            return
        for index, place in enumerate(places):
            try:
                around = place.around()
                yield generate(f"trace_{number}_{index}", self.wanted, around, kind="internal", span=place.span)
            except BinaryError as error:
                yield f"{place.span}: {error}"

    def _places(self, facts: Facts, maker: Maker) -> Iterator[_Place]:
        target = self.wanted.target
        if LINE.fullmatch(target) and not self.regex:
            for line in _line_sites(facts, target):
                name = f"{line.file.rpartition('/')[2]}:{line.line} {short_name(line.symbol)}"
                if line.inlined_in:
                    name += f" in {short_name(line.inlined_in)}"
                yield _Place(name, partial(maker.at, line.symbol, line.site))
            return
        try:
            for symbol in find_functions(facts, target, regex=self.regex):
                yield _Place(short_name(symbol), partial(maker.around, symbol, self.wanted))
        except BinaryError:
            if not self.inlined:
                raise
        for found in _inlined_sites(facts, target) if self.inlined else ():
            name = f"{short_name(found.symbol)} at {found.file.rpartition('/')[2]}:{found.line}"
            yield _Place(name, partial(maker.inside, found))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one capture goes, and what its events are called."""

    span: str
    around: Callable[[], Around]


def _line_sites(facts: Facts, target: str) -> tuple[LineSite, ...]:
    file, _, number = target.rpartition(":")
    files = facts.source_files(file)
    if not files:
        raise BinaryError(f"{file}: no source file of the binary ends with it")
    if len(files) > 1:
        raise BinaryError(f"{file}: can be {', '.join(files[:3])}; write more of the path")
    found: tuple[LineSite, ...] = facts.lines(file, int(number))
    if not found:
        near = ", ".join(str(line) for line in facts.lines_near(file, int(number)))
        raise BinaryError(f"{target}: the line has no code" + (f"; lines near it that have: {near}" if near else ""))
    return found


def _inlined_sites(facts: Facts, target: str) -> tuple[InlinedSite, ...]:
    for name in (target, f"main.{target}"):
        found: tuple[InlinedSite, ...] = facts.inlined_sites(name)
        if found:
            return found
    raise BinaryError(f"{target}: is inlined nowhere in the binary")


def split_target(spec: Spec) -> tuple[str, str]:
    """(library, function): ``libssl:SSL_write`` is SSL_write of a library; of ``usdt:[PATH:]PROVIDER:NAME`` the library
    is the path, or else the probe itself, for whatever file has it. ``""``: the function is in the executable."""
    target = spec.target
    if spec.regex or LINE.fullmatch(target):
        return "", target
    if target.startswith(_USDT):
        path, _, probe = target.removeprefix(_USDT).rpartition(":")
        path, _, provider = path.rpartition(":")
        symbol = f"{_USDT}{provider or '*'}:{probe}"
        return path or symbol, symbol
    library, colon, function = target.partition(":")
    if colon and library and function and not function.startswith(":"):
        return library, function
    return "", target
