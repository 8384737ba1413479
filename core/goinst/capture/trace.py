"""What `goinst trace` asks for, as part of a protocol: SPECs whose functions are found in each binary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from goinst.capture.find import find_functions
from goinst.capture.generate import Generated, generate
from goinst.capture.language import LINE, Spec
from goinst.capture.wanted import Wanted
from goinst.errors import BinaryError

if TYPE_CHECKING:
    from goinst.capture.expand import Maker

__all__ = ["SpecCapture", "short_name", "split_target"]

_USDT = "usdt:"


@dataclass(frozen=True, slots=True)
class SpecCapture:
    """A SPEC, for whatever binary is traced. ``regex``: its target is a regular expression."""

    wanted: Wanted
    regex: bool = False

    def make(self, facts: Any, maker: Maker, number: int) -> Iterator[Generated | str]:
        """The captures of the functions that it means in a binary, or in words why one cannot be had."""
        try:
            symbols = find_functions(facts, self.wanted.target, regex=self.regex)
        except BinaryError as error:
            yield str(error)
            return
        for index, symbol in enumerate(symbols):
            try:
                wanted = replace(self.wanted, target=symbol)
                around = maker.around(symbol, wanted)
                yield generate(f"trace_{number}_{index}", wanted, around, kind="internal", span=short_name(symbol))
            except BinaryError as error:
                yield f"{short_name(symbol)}: {error}"


def split_target(spec: Spec) -> tuple[str, str]:
    """(library, function): ``libssl:SSL_write`` is SSL_write of a library; of ``usdt:[PATH:]PROVIDER:NAME`` the library
    is the path, or else the probe itself, for whatever file has it. ``""``: the function is in the executable."""
    target = spec.target
    if spec.regex or LINE.fullmatch(target):
        return "", target
    if target.startswith(_USDT):
        path, _, probe = target.removeprefix(_USDT).rpartition(":")
        path, _, provider = path.rpartition(":")
        symbol = f"{_USDT}{provider}:{probe}"
        return path or symbol, symbol
    library, colon, function = target.partition(":")
    if colon and library and function and not function.startswith(":"):
        return library, function
    return "", target


def short_name(symbol: str) -> str:
    """A function as Go code calls it: ``http.(*conn).serve`` for ``net/http.(*conn).serve``."""
    head, bracket, rest = symbol.partition("[")
    return head.rpartition("/")[2] + bracket + rest
