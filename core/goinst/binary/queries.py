"""Answers about one file that are kept by its build id: questions, and asking again when they are of no use."""

from __future__ import annotations

import hashlib
import os
import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from functools import cache as remembered
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Self, TypeVar

from goinst.binary.codec import names_from
from goinst.binary.facts import Facts
from goinst.binary.identity import Identity, read_identity
from goinst.binary.model import BinaryInfo, Function, Place, Site
from goinst.cache import Cache
from goinst.errors import BinaryError

__all__ = ["Answers"]

_T = TypeVar("_T")


class Answers(Facts):
    """Questions about one binary. Every answer is remembered: also that there is none, and that it is an error.

    ``kind`` keeps the answers of one way to look at a file apart from those of another.
    """

    kind: str

    def __init__(self, path: str, identity: Identity, answers: dict[str, Any], cache: Cache | None) -> None:
        self._path = path
        self._identity = identity
        self._answers = answers
        self._cache = cache
        self._new: dict[str, Any] = {}
        self._opened: Any = None

    @classmethod
    def open(cls, path: str, *, cache: Cache | None = None) -> Self:
        """Identify the file at ``path`` and fetch what is known of it; without a cache nothing is kept."""
        identity = read_identity(path)
        return cls(path, identity, _kept(cache, cls.kind, identity), cache)

    @property
    def known(self) -> bool:
        return bool(self._answers) and not self._new

    def save(self) -> None:
        self._opened = None
        if self._new and self._cache is not None:
            kept = {**_kept(self._cache, self.kind, self._identity), **self._new}
            self._cache.put(self.kind, _key(self._identity), {"code": _fingerprint(), "answers": kept})
        self._new = {}

    @property
    def info(self) -> BinaryInfo:
        def make(answer: Any) -> BinaryInfo:
            return BinaryInfo(**{**answer, "version": tuple(answer["version"]), "path": self._path})

        return self._ask("info", lambda binary: asdict(binary.info), make)

    def function(self, symbol: str) -> Function | None:
        def find(binary: Any) -> Any:
            found = binary.function(symbol)
            return [found.name, found.entry, found.end] if found else None

        return self._ask(f"function {symbol}", find, lambda answer: Function(*answer) if answer else None)

    def matching(self, pattern: str) -> tuple[Function, ...]:
        def find(binary: Any) -> Any:
            return [[found.name, found.entry, found.end] for found in binary.matching(pattern)]

        return self._ask(f"matching {pattern}", find, lambda answer: tuple(Function(*each) for each in answer))

    def mentions(self, pattern: str) -> bool:
        def find(_: Any) -> Any:
            with Path(self._path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                return re.search(pattern.encode(), data) is not None

        return self._ask(f"mentions {pattern}", find, bool)

    def inlined(self, symbol: str) -> tuple[str, ...]:
        return self._ask(f"inlined {symbol}", lambda binary: list(binary.inlined_callers(symbol)), names_from)

    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        def find(binary: Any) -> Any:
            found = self._find_sites(binary, symbol, place, callee)
            holders = dict.fromkeys((symbol, *(site.symbol for site in found)))
            functions = [function for holder in holders if (function := binary.function(holder)) is not None]
            codes = [code for function in functions if (code := self._code_of(binary, function)) is not None]
            return {"codes": codes, "sites": [asdict(site) for site in found]}

        def make(answer: Any) -> tuple[Site, ...]:
            # A probe in the middle of an instruction would crash the target. The build id is what a file says
            # of itself, so kept sites are only for the very same code.
            self._same_code(answer["codes"])
            return tuple(Site(**site) for site in answer["sites"])

        return self._ask(f"sites {place} {symbol} {callee}", find, make)

    def _find_sites(self, binary: Any, symbol: str, place: Place, callee: str) -> tuple[Site, ...]:
        from goinst.binary.sites import find_sites  # with it comes the disassembler

        return find_sites(binary, symbol, place, callee)

    def _ask(self, question: str, find: Callable[[Any], Any], make: Callable[[Any], _T]) -> _T:
        """Make the remembered answer into a value, or a new one; ``find`` answers in plain data."""
        if question in self._answers:
            try:
                return self._made(self._answers[question], make)
            except (TypeError, ValueError, KeyError):
                pass  # not what this function has kept: asked again
        binary = self._binary()
        try:
            answer = {"answer": find(binary)}
        except BinaryError as error:
            # Without the path: the same program may be elsewhere the next time.
            answer = {"error": str(error).removeprefix(f"{self._path}: "), "of": str(error).startswith(self._path)}
        self._answers[question] = self._new[question] = answer
        return self._made(answer, make)

    def _made(self, answer: dict[str, Any], make: Callable[[Any], _T]) -> _T:
        if "error" in answer:
            raise BinaryError(f"{self._path}: {answer['error']}" if answer["of"] else answer["error"])
        return make(answer["answer"])

    @abstractmethod
    def _open(self) -> Any:
        """Open the binary that questions are put to."""

    def _binary(self) -> Any:
        if self._opened is None:
            self._opened = self._open()
            if read_identity(self._path) != self._identity:
                self._opened = None
                raise BinaryError(f"{self._path}: was replaced while it was looked at; run goinst again")
        return self._opened

    def _code_of(self, binary: Any, function: Function) -> list[Any] | None:
        """Return where a function's code is in the file, its size and its digest: what ``_same_code`` checks."""
        offset = binary.image.file_offset(function.entry)
        if offset is None:
            return None
        size = function.end - function.entry
        return [offset, size, self._digest(offset, size)]

    def _same_code(self, codes: list[Any]) -> None:
        """Raise ValueError when a function's code is not what it was."""
        for offset, size, digest in codes:
            if self._digest(offset, size) != digest:
                raise ValueError("the function is another one")

    def _digest(self, offset: int, size: int) -> str:
        """Hash a piece of the file as it is now."""
        try:
            with Path(self._path).open("rb", buffering=0) as file:
                return hashlib.sha256(os.pread(file.fileno(), size, offset)).hexdigest()
        except OSError:
            return ""


def _kept(cache: Cache | None, kind: str, identity: Identity) -> dict[str, Any]:
    known = cache.get(kind, _key(identity)) if cache is not None else None
    if not isinstance(known, dict) or known.get("code") != _fingerprint():
        return {}
    answers = known.get("answers")
    return answers if isinstance(answers, dict) else {}


def _key(identity: Identity) -> str:
    return f"{identity.build_id} {identity.digest}"


@remembered
def _fingerprint() -> str:
    """Tell versions of the analysis apart: an answer is only as good as the code that found it."""
    digest = hashlib.sha256()
    core = Path(__file__).parents[1]
    for path in sorted(path for room in ("binary", "golang", "native") for path in (core / room).rglob("*.py")):
        status = path.stat()
        digest.update(f"{path.relative_to(core)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
