"""All that the rest of goinst asks a Go binary. Answers are kept by build id; a new question opens the binary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from goinst.golang.buildid import read_identity
from goinst.golang.cache import Cache
from goinst.golang.model import Argument, BinaryInfo, Fact, Function, Location, Place, Site

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary
    from goinst.golang.typemeta import GoField, GoType

__all__ = ["Facts"]

# raise it when an answer changes its meaning or its shape
_SCHEMA = 1
_KIND = "facts"
_EMBEDDED_DEPTH = 8


class Facts:
    """Questions about one binary. Every answer is remembered, also that there is none.

    Opening is cheap: a few kilobytes are read. BinaryError (one line) when the file is no Go program, from ``open`` or
    from the first question that has to look into it.
    """

    def __init__(self, path: str, key: str, answers: dict[str, Any], cache: Cache | None) -> None:
        self._path = path
        self._key = key
        self._answers = answers
        self._cache = cache
        self._new = False

    @classmethod
    def open(cls, path: str, *, cache: Cache | None = None) -> Facts:
        """Identify the file at ``path`` and fetch what is known of it."""
        identity = read_identity(path)
        key = f"{_SCHEMA}:{identity.build_id}:{identity.digest}"
        known = cache.get(_KIND, key) if cache is not None else None
        return cls(path, key, known if isinstance(known, dict) else {}, cache)

    @property
    def known(self) -> bool:
        """Whether answers were in the cache: then most likely all are that a plan needs."""
        return bool(self._answers) and not self._new

    @cached_property
    def _binary(self) -> GoBinary:
        # numpy and the ELF library come in here, and not before
        from goinst.golang.binary import GoBinary

        return GoBinary.open(self._path)

    def _ask(self, question: str, find: Callable[[], Any], make: Callable[[Any], Any]) -> Any:
        """The remembered answer made into a value, or a new one. ``find`` answers in plain data."""
        if question in self._answers:
            try:
                return make(self._answers[question])
            except (TypeError, ValueError, KeyError):
                pass  # another version's shape, or not ours
        answer = find()
        self._answers[question] = answer
        self._new = True
        return make(answer)

    @cached_property
    def info(self) -> BinaryInfo:
        """What the binary says of itself, under the path it was opened by."""

        def make(answer: Any) -> BinaryInfo:
            return BinaryInfo(**{**answer, "version": tuple(answer["version"]), "path": self._path})

        info: BinaryInfo = self._ask("info", lambda: asdict(self._binary.info), make)
        return replace(info, path=self._path)

    def function(self, symbol: str) -> Function | None:
        """The function with this name, if it has a body of its own."""

        def find() -> Any:
            found = self._binary.function(symbol)
            return [found.name, found.entry, found.end] if found else None

        function: Function | None = self._ask(f"function {symbol}", find, lambda a: Function(*a) if a else None)
        return function

    def matching(self, pattern: str) -> tuple[Function, ...]:
        """Functions whose name the regular expression is found in. Not remembered."""
        return self._binary.matching(pattern)

    def field(self, type_name: str, path: str) -> Fact | None:
        """The byte offset of a field from the start of ``type_name``; ``path`` may go through structs by value, and
        names promoted from embedded structs by value are found like in Go."""

        def find() -> Any:
            return self._find_field(type_name, path)

        fact: Fact | None = self._ask(f"field {type_name} {path}", find, lambda a: Fact(*a) if a else None)
        return fact

    def _find_field(self, type_name: str, path: str) -> list[Any] | None:
        kind = self._binary.type(type_name)
        if kind is None:
            return None
        source = f"type metadata, {type_name} at {kind.address:#x}" if kind.address else f"DWARF, {type_name}"
        offset, size = 0, kind.size
        for name in path.split("."):
            found = self._member(kind, name) if kind is not None else None
            if found is None:
                return None
            at, member = found
            offset, size = offset + at, member.size
            kind = self._binary.type(member.type_name)
        return [offset, source, size]

    def _member(self, kind: GoType, name: str) -> tuple[int, GoField] | None:
        """A field, or one promoted from an embedded struct: the shallowest (Go specification, Selectors)."""
        level: list[tuple[int, GoType]] = [(0, kind)]
        for _ in range(_EMBEDDED_DEPTH):
            below: list[tuple[int, GoType]] = []
            for base, struct in level:
                for member in struct.fields:
                    if member.name == name:
                        return base + member.offset, member
                    if member.embedded and not member.type_name.startswith("*"):
                        inner = self._binary.type(member.type_name)
                        if inner is not None and inner.kind == "struct":
                            below.append((base + member.offset, inner))
            level = below
        return None

    def type_hash(self, type_name: str) -> Fact | None:
        """runtime._type.hash of a type (``*net/http.response``); None when the program does not have it."""

        def find() -> Any:
            kind = self._binary.type(type_name)
            if kind is None or not kind.address:
                return None
            return [kind.hash, f"type metadata, {type_name} at {kind.address:#x}", 4]

        fact: Fact | None = self._ask(f"hash {type_name}", find, lambda a: Fact(*a) if a else None)
        return fact

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Where parameters (at entry) and results (at RET) are. BinaryError names a type that is not there."""

        def find() -> Any:
            from goinst.golang.abi import locate

            info = self.info
            return [
                [asdict(argument) for argument in side]
                for side in locate(signature, arch=info.arch, abi=info.abi, types=self._binary)
            ]

        def make(answer: Any) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
            parameters, results = (tuple(map(_argument, side)) for side in answer)
            return parameters, results

        located: tuple[tuple[Argument, ...], tuple[Argument, ...]] = self._ask(f"arguments {signature}", find, make)
        return located

    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        """Instructions to probe: one for ``entry``, each RET for ``return``, each call of ``callee`` for ``call``."""

        def find() -> Any:
            from goinst.golang.sites import find_sites

            return [asdict(site) for site in find_sites(self._binary, symbol, place, callee)]

        def make(answer: Any) -> tuple[Site, ...]:
            return tuple(Site(**site) for site in answer)

        sites: tuple[Site, ...] = self._ask(f"{place} {symbol} {callee}", find, make)
        return sites

    def inlined(self, symbol: str) -> tuple[str, ...]:
        """Functions that hold an inlined body of ``symbol``: calls there are not seen by a probe on it."""
        callers: tuple[str, ...] = self._ask(
            f"inlined {symbol}", lambda: list(self._binary.inlined_callers(symbol)), tuple
        )
        return callers

    def save(self) -> None:
        """Keep new answers."""
        if self._new and self._cache is not None:
            self._cache.put(_KIND, self._key, self._answers)
            self._new = False


def _argument(data: dict[str, Any]) -> Argument:
    words = {suffix: Location(**where) for suffix, where in data["words"].items()}
    return Argument(data["name"], data["type"], words, data["source"])
