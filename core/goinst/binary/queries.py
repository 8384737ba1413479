"""Answers about one file that are kept by its build id: questions, and asking again when they are of no use."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache as remembered
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from goinst.binary.identity import Identity, read_identity
from goinst.cache import Cache
from goinst.errors import BinaryError

if TYPE_CHECKING:
    from goinst.binary.model import Function

__all__ = ["Answers"]

_T = TypeVar("_T")


class Answers(ABC):
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
        """Whether answers were in the cache: then most likely all are that a plan needs."""
        return bool(self._answers) and not self._new

    def save(self) -> None:
        """Keep new answers, beside those that others have kept meanwhile; let go of the binary and its
        memory."""
        self._opened = None
        if self._new and self._cache is not None:
            kept = {**_kept(self._cache, self.kind, self._identity), **self._new}
            self._cache.put(self.kind, _key(self._identity), {"code": _fingerprint(), "answers": kept})
        self._new = {}

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
