"""What a Go function's linker name says: receiver, closure, body of a generic function."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

__all__ = [
    "escaped",
    "is_closure",
    "package_of",
    "paths_in",
    "receiver",
    "renamed",
    "short_name",
    "takes_dictionary",
    "unescaped",
]

_CLOSURE = re.compile(r"(func|gowrap|deferwrap)\d+.*")  # cmd/compile/internal/ir/func.go: closureName
_PATH = re.compile(r"[\w~%][\w.~%+\-/]*(?=\.\w)")  # up to the last dot: a type's name has none


def receiver(name: str) -> str:
    """Return the full name of the receiver's type, when the function can be a method; empty when it is none."""
    package, *rest = _parts(name)
    if len(rest) != 2 or _CLOSURE.fullmatch(rest[1]):
        return ""
    kind = rest[0].removeprefix("(").removesuffix(")")
    return f"*{package}.{kind[1:]}" if kind.startswith("*") else f"{package}.{kind}"


def package_of(name: str) -> str:
    """Return the path of the package that a function is of, as names have it."""
    head = name.partition("[")[0]
    start = head.rfind("/") + 1
    return head[: start + len(head[start:].partition(".")[0])]


def escaped(path: str) -> str:
    """Return a package path as the names of its functions begin: ``gopkg.in/yaml.v3`` as ``gopkg.in/yaml%2ev3``.

    cmd/internal/objabi/path.go, PathToPrefix, Go 1.16 to 1.27.
    """
    start = path.rfind("/") + 1
    return "".join(
        "".join(f"%{byte:02x}" for byte in letter.encode())
        if letter in '%"' or letter <= " " or letter >= "\x7f" or (letter == "." and at >= start)
        else letter
        for at, letter in enumerate(path)
    )


def unescaped(path: str) -> str:
    """Return the package path that the name of a function begins with, as types have it."""
    return unquote(path) if "%" in path else path


def is_closure(name: str) -> bool:
    """Say whether this is a function literal, or what the compiler makes of a ``go`` or ``defer`` statement."""
    return bool(_CLOSURE.fullmatch(_parts(name)[-1]))


def takes_dictionary(name: str) -> bool:
    """Say whether this is the body of a generic function or method, and not a closure in one."""
    last = _parts(name)[-1]
    return "go.shape." in last if last.endswith("]") else "[go.shape." in receiver(name)


def _parts(name: str) -> list[str]:
    """Split a name: package path, type or outer function, method or closure."""
    depth, last, parts = 0, 0, list[str]()
    for at, letter in enumerate(name):
        depth += (letter in "[(") - (letter in "])")
        if letter == "/" and not depth:
            parts, last = [], 0
        elif letter == "." and not depth:
            parts.append(name[last:at])
            last = at + 1
    return [*parts, name[last:]]


def short_name(symbol: str) -> str:
    """Return a function as Go code calls it: ``http.(*conn).serve`` for ``net/http.(*conn).serve``."""
    head, bracket, rest = symbol.partition("[")
    return head.rpartition("/")[2] + bracket + rest


def paths_in(text: str) -> list[str]:
    """Return the package paths in the text of a type, or of a signature; DWARF has them as names of functions have."""
    return [unescaped(path) for path in _PATH.findall(text)]


def renamed(text: str, real: Callable[[str], str]) -> str:
    """Return the text of a type, or of a signature, with each package path in it replaced by what ``real`` says."""
    return _PATH.sub(lambda match: real(unescaped(match[0])), text)
