"""A binary's facts by the names that packages have elsewhere: what a plugin declares, of a copy or a fork of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from goinst.binary.model import (
    Argument,
    Fact,
    Function,
    InlinedSite,
    Parameter,
    Place,
    Shape,
    Site,
    Variable,
)
from goinst.golang.facts import GoFacts
from goinst.golang.packages import moved
from goinst.golang.symbols import escaped, package_of, renamed, unescaped

__all__ = ["Renamed"]

_T = TypeVar("_T")


class Renamed(GoFacts):
    """Answers of ``facts``, where ``real`` says which package of the binary a package's path stands for.

    Questions are put by declared names, of functions and of types; what comes back has the binary's own.
    """

    def __init__(self, facts: GoFacts, real: Callable[[str], str]) -> None:
        super().__init__(facts.info.path, facts._identity, facts._answers, None)
        self._facts = facts
        self._real = real

    def _ask(self, question: str, find: Callable[[Any], Any], make: Callable[[Any], _T]) -> _T:
        return self._facts._ask(question, find, make)

    def _binary(self) -> Any:
        return self._facts._binary()

    def save(self) -> None:
        """Keep what is new."""
        self._facts.save()

    def called(self, symbol: str) -> str:
        """Return the name that a function has in this binary."""
        path = package_of(symbol)
        return moved(symbol, path, escaped(self._real(unescaped(path)))) if path else symbol

    def _type(self, text: str) -> str:
        return text if text.startswith("@") else renamed(text, self._real)

    # What is asked by name

    def function(self, symbol: str) -> Function | None:
        return super().function(self.called(symbol))

    def bodies(self, symbol: str) -> tuple[str, ...]:
        return super().bodies(self.called(symbol))

    def wrapped(self, symbol: str) -> str:
        return super().wrapped(self.called(symbol))

    def hint(self, symbol: str) -> str:
        return super().hint(self.called(symbol))

    def field(self, type_name: str, path: str) -> Fact | None:
        return super().field(self._type(type_name), path)

    def type_hash(self, type_name: str) -> Fact | None:
        return super().type_hash(self._type(type_name))

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        return super().arguments(self._type(signature))

    def parameters(self, symbol: str) -> tuple[Parameter, ...] | None:
        return super().parameters(self.called(symbol))

    def takes(self, symbol: str, signature: str) -> bool:
        return super().takes(self.called(symbol), self._type(signature))

    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        return super().variables(self.called(symbol), address)

    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        return super().sites(self.called(symbol), place, self.called(callee))

    def inlined(self, symbol: str) -> tuple[str, ...]:
        return super().inlined(self.called(symbol))

    def inlined_sites(self, symbol: str) -> tuple[InlinedSite, ...]:
        return super().inlined_sites(self.called(symbol))

    def shape(self, reference: str) -> Shape | None:
        return super().shape(self._type(reference))

    def full_name(self, written: str) -> str:
        return super().full_name(self._type(written))
