"""All that the rest of goinst asks a Go binary. Answers are kept by build id; a new question opens the
binary."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cache as remembered
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from goinst.errors import BinaryError
from goinst.golang.buildid import Identity, read_identity
from goinst.golang.cache import Cache
from goinst.golang.model import (
    Argument,
    BinaryInfo,
    Fact,
    Function,
    Location,
    Member,
    Parameter,
    Piece,
    Place,
    Shape,
    Site,
    Variable,
)

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary
    from goinst.golang.typemeta import GoField, GoType

__all__ = ["Facts"]

_EMBEDDED_DEPTH = 8
_T = TypeVar("_T")


class Facts:
    """Questions about one binary. Every answer is remembered: also that there is none, and that it is an
    error.

    Opening is cheap: a few kilobytes are read. BinaryError (one line) when the file is no Go program, from
    ``open`` or from the first question that has to look into it.

    What else can be traced answers the same questions: native.facts.NativeFacts. ``kind`` keeps the two apart in the
    cache.
    """

    kind = "facts"

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
            return _find_field(binary, type_name, path)

        return self._ask(f"field {type_name} {path}", find, _fact)

    def type_hash(self, type_name: str) -> Fact | None:
        """Return runtime._type.hash of a type (``*net/http.response``); None when the program does not have
        it."""

        def find(binary: GoBinary) -> Any:
            kind = binary.type(type_name)
            return [kind.hash, _source(kind), 4] if kind is not None and kind.address else None

        return self._ask(f"hash {type_name}", find, _fact)

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Return where parameters (at entry) and results (at RET) are. BinaryError names a type that is not
        there."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.abi import locate

            info = binary.info
            sides = locate(signature, arch=info.arch, abi=info.abi, types=binary)
            return [[asdict(argument) for argument in side] for side in sides]

        def make(answer: Any) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
            parameters, results = (tuple(_argument(each) for each in side) for side in answer)
            return parameters, results

        return self._ask(f"arguments {signature}", find, make)

    def parameters(self, symbol: str) -> tuple[Parameter, ...] | None:
        """Return a function's parameters, the receiver first, and its results, as DWARF names them.

        None when there is no DWARF for it. Before Go 1.22 unnamed and ``_`` parameters are left out, so that places
        cannot be counted; Go 1.17 for amd64 names no results.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.parameters import parameters

            found = parameters(binary, symbol)
            return None if found is None else [asdict(each) for each in found]

        return self._ask(
            f"parameters {symbol}",
            find,
            lambda answer: None if answer is None else tuple(Parameter(**each) for each in answer),
        )

    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        """Return the parameters, results and variables of ``symbol`` at the instruction at ``address``, each name once.

        The instruction is in the function: where it starts (``sites(symbol, "entry")``) parameters are certain, at a
        RET results are. It may also be in a body of the function that is inlined into another one, or a call of it.
        None without DWARF.
        """

        def find(binary: GoBinary) -> Any:
            from goinst.golang.variables import variables

            return [asdict(each) for each in variables(binary, symbol, address)]

        return self._ask(
            f"variables {symbol} {address}", find, lambda answer: tuple(_variable(each) for each in answer)
        )

    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        """Return instructions to probe: one for ``entry``, each RET for ``return``, each call of ``callee``
        for ``call``; none when there is no such function."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.sites import find_sites

            found = find_sites(binary, symbol, place, callee)
            return {"code": self._code(binary, symbol), "sites": [asdict(site) for site in found]}

        def make(answer: Any) -> tuple[Site, ...]:
            # A probe in the middle of an instruction would crash the target. The build id is what a file says
            # of itself, so kept sites are only for the very same code.
            if answer["code"] is not None:
                offset, size, digest = answer["code"]
                if self._digest(offset, size) != digest:
                    raise ValueError("the function is another one")
            return tuple(Site(**site) for site in answer["sites"])

        return self._ask(f"sites {place} {symbol} {callee}", find, make)

    def inlined(self, symbol: str) -> tuple[str, ...]:
        """Return the functions that hold an inlined body of ``symbol``: a probe on it does not see calls
        there."""

        def find(binary: GoBinary) -> Any:
            return list(binary.inlined_callers(symbol))

        return self._ask(f"inlined {symbol}", find, _names)

    def mentions(self, pattern: str) -> bool:
        """Whether the regular expression is found anywhere in the file."""

        def find(_: GoBinary) -> Any:
            with Path(self._path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                return re.search(pattern.encode(), data) is not None

        return self._ask(f"mentions {pattern}", find, bool)

    def shape(self, reference: str) -> Shape | None:
        """Return one level of a type: by full name, or by what another shape says its parts are."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.shapes import shape_of

            found = shape_of(binary, reference)
            return asdict(found) if found is not None else None

        def make(answer: Any) -> Shape | None:
            if answer is None:
                return None
            fields = tuple(Member(**field) for field in answer["fields"])
            return Shape(**{**answer, "fields": fields, "values": dict(answer["values"])})

        return self._ask(f"shape {reference}", find, make)

    def full_name(self, written: str) -> str:
        """Return a type as people write it, ``*http.Request``, with its full package path. BinaryError when the
        binary has none of that name, or several."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.shapes import full_name

            return full_name(binary, written)

        return self._ask(f"full name {written}", find, str)

    def type_names(self) -> dict[int, str]:
        """Return the names of all types by runtime hash."""
        return self._ask("type names", lambda binary: binary.types.hashes(), dict)

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

    def _open(self) -> Any:
        """Open the binary that questions are put to: here, a GoBinary."""
        from goinst.golang.binary import GoBinary  # numpy and the ELF library come in here, and not before

        return GoBinary.open(self._path)

    def _binary(self) -> Any:
        if self._opened is None:
            self._opened = self._open()
            if read_identity(self._path) != self._identity:
                self._opened = None
                raise BinaryError(f"{self._path}: was replaced while it was looked at; run goinst again")
        return self._opened

    def _code(self, binary: GoBinary, symbol: str) -> list[Any] | None:
        function = binary.function(symbol)
        offset = binary.image.file_offset(function.entry) if function else None
        if function is None or offset is None:
            return None
        size = function.end - function.entry
        return [offset, size, self._digest(offset, size)]

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
    for path in sorted([*core.glob("golang/*.py"), *core.glob("native/*.py")]):
        status = path.stat()
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _names(answer: Any) -> tuple[str, ...]:
    if not isinstance(answer, list) or not all(isinstance(name, str) for name in answer):
        raise TypeError("not a list of names")
    return tuple(answer)


def _fact(answer: Any) -> Fact | None:
    return Fact(*answer) if answer else None


def _argument(data: dict[str, Any]) -> Argument:
    words = {suffix: Location(**where) for suffix, where in data["words"].items()}
    return Argument(data["name"], data["type"], words, data["source"])


def _variable(data: dict[str, Any]) -> Variable:
    pieces = (
        Piece(**{**piece, "based": tuple(piece["based"]) if piece["based"] else None}) for piece in data["pieces"]
    )
    return Variable(**{**data, "pieces": tuple(pieces)})


def _source(kind: GoType) -> str:
    return f"type metadata, {kind.name} at {kind.address:#x}" if kind.address else f"DWARF, {kind.name}"


def _find_field(binary: GoBinary, type_name: str, path: str) -> list[Any] | None:
    kind = binary.type(type_name)
    sources: list[str] = []
    offset, size = 0, 0
    for name in path.split("."):
        found = _member(binary, kind, name) if kind is not None else None
        if kind is None or found is None:
            return None
        at, member = found
        sources.append(_source(kind))
        offset, size = offset + at, member.size
        kind = _type_of(binary, member)
    return [offset, "; ".join(dict.fromkeys(sources)), size]


def _member(binary: GoBinary, kind: GoType, name: str) -> tuple[int, GoField] | None:
    """Return a field, or one promoted from an embedded struct: the shallowest (Go specification,
    Selectors)."""
    level: list[tuple[int, GoType]] = [(0, kind)]
    for _ in range(_EMBEDDED_DEPTH):
        below: list[tuple[int, GoType]] = []
        for base, struct in level:
            for member in struct.fields:
                if member.name == name:
                    return base + member.offset, member
                inner = _type_of(binary, member) if member.embedded else None
                if inner is not None and inner.kind == "struct":
                    below.append((base + member.offset, inner))
        level = below
    return None


def _type_of(binary: GoBinary, member: GoField) -> GoType | None:
    return binary.type_at(member.type_address) if member.type_address else binary.type(member.type_name)
