"""Under which import paths the packages of a binary are: copies in vendor folders, import maps of Bazel, forks.

A linker's name has the path that the compiler was told (``-p``): with GOPATH and ``vendor/`` that is
``example.com/app/vendor/github.com/gorilla/mux``, as it is where Bazel maps imports. Modules do not change paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from goinst.golang.releases import LENGTHS_AS_VARINTS
from goinst.golang.symbols import escaped, package_of, paths_in, renamed, unescaped
from goinst.golang.types.fields import find_field_type

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["Fork", "TypedField", "copies", "forks", "has_package", "moved"]

TypedField = tuple[str, str, str]
"""A type's full name, the path of a field in it, and the full name of that field's type."""
Fork = tuple[str, dict[str, str]]
"""A package's path in the binary, and what other packages its types are made of: their own paths by those declared."""

_STANDARD = "vendor/"  # what the standard library has vendored for itself: no program can use it
_IS_PATH = re.compile(r"[\w~%][\w.~%+\-/]*")  # what the compiler makes, of type:.eq, is none


def has_package(binary: GoBinary, path: str) -> bool:
    """Say whether the binary has functions or types of the package at ``path``."""
    if any(binary.functions.spelled(f"\0{escaped(path)}.".encode())) or _is_named(binary, path):
        return True
    return path in binary.debug.sections.packages  # with types that are on stacks only


def _is_named(binary: GoBinary, path: str) -> bool:
    """Say whether the path is among the names of types (internal/abi/type.go: Name): one can be of that package."""
    module, text = binary.module, path.encode()
    size = len(text)
    if not LENGTHS_AS_VARINTS.holds(module.version):
        head = bytes((0, size >> 8 & 0xFF, size & 0xFF))
    else:
        head = bytes((0, size)) if size < 0x80 else bytes((0, size & 0x7F | 0x80, size >> 7 & 0x7F))
    start = binary.image.file_offset(module.types)
    return start is not None and binary.image.map.find(head + text, start, start + module.types_size) >= 0


def copies(binary: GoBinary, path: str) -> tuple[str, ...]:
    """Return the paths, sorted, of copies of a package that are below another one: that end in ``/`` and ``path``."""
    tail = f"/{escaped(path)}"
    names = binary.functions.spelled(f"{tail}.".encode())
    found = {owner for name in names if (owner := package_of(name)).endswith(tail) and _IS_PATH.fullmatch(owner)}
    return tuple(sorted(unescaped(each) for each in found if not each.startswith(_STANDARD)))


def forks(binary: GoBinary, path: str, functions: Sequence[str], fields: Sequence[TypedField]) -> tuple[Fork, ...]:
    """Return the packages that have all that proves them to be ``path`` under another name, by path.

    ``functions`` are full names of functions that have a body of their own, ``fields`` those of fields with their
    types. In another package's names ``path`` is that package's. A field's type may be of another package than is
    declared (a fork of net/http that uses a fork of crypto/tls): then all of the fields must agree on which.
    """
    found: list[Fork] = []
    for other in _candidates(binary, path, functions):
        bindings = _bindings(binary, path, other, fields)
        if bindings is not None:
            found.append((other, bindings))
    return tuple(found)


def _candidates(binary: GoBinary, path: str, functions: Sequence[str]) -> Iterator[str]:
    """Give the paths where all functions are, without copies of ``path`` by its own name."""
    if not functions:
        return
    own = escaped(path)
    tail = functions[0].removeprefix(own)
    for name in sorted({*binary.functions.spelled(f"{tail}\0".encode())}):
        other = name.removesuffix(tail)
        # a copy is none, and what has a dot is a method of another type
        if f"/{other}".endswith(f"/{own}") or other.startswith(_STANDARD) or package_of(f"{other}.") != other:
            continue
        if not _IS_PATH.fullmatch(other):
            continue
        if all(binary.function(moved(each, own, other)) is not None for each in functions):
            yield unescaped(other)


def moved(text: str, path: str, other: str) -> str:
    """Return a name or a path with ``other`` in place of the package path that it starts with."""
    return other + text.removeprefix(path) if text.startswith((f"{path}.", f"{path}/")) else text


def _bindings(binary: GoBinary, path: str, other: str, fields: Sequence[TypedField]) -> dict[str, str] | None:
    """Return which packages stand for which in the types of fields; None when one is missing or another one."""
    found = {path: other}
    for kind, field, declared in fields:
        actual = find_field_type(binary, moved(kind, path, other), field)
        if actual is None or not _unify(declared, actual, path, other, found):
            return None
    return {name: real for name, real in found.items() if name != path}


def _unify(declared: str, actual: str, path: str, other: str, found: dict[str, str]) -> bool:
    """Say whether two types are the same but for the packages in their names, and keep what stands for what."""
    wanted, there = paths_in(declared), paths_in(actual)
    if renamed(declared, _nothing) != renamed(actual, _nothing):
        return False
    for name, real in zip(wanted, there, strict=True):
        inside = name == path or name.startswith(f"{path}/")
        if (other + name[len(path) :] if inside else found.setdefault(name, real)) != real:
            return False
    return True


def _nothing(path: str) -> str:
    del path
    return ""
