"""C++ and Rust names as their programmers write them.

The Itanium C++ names are the C++ library's own (``__cxa_demangle``, through cxxfilt); Rust's are rust_demangler's. Both
come with ``goinst[native]``; without them names stay as the linker has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

__all__ = ["available", "demangle", "plain", "tokens"]

_LONGEST = 4096  # characters of a mangled name; what takes more is left as it is
_RUST_HASH = re.compile(r"(?:17h|::h)[0-9a-f]{16}E?(?:\.llvm\.\d+)?$")
_CLONE = re.compile(r"(?:\.(?:isra|constprop|part|cold|lto_priv|llvm)(?:\.\d+)*)+$")
_WORD = re.compile(r"[A-Za-z_]\w*")


@cache
def _library(name: str) -> Callable[[str], str] | None:
    try:
        found: Callable[[str], str] = import_module(name).demangle
        if name == "rust_demangler":  # release 1.0 prints some names that it cannot read
            vars(import_module("rust_demangler.rust_v0"))["print"] = lambda *_: None
    except Exception:  # not installed; or cxxfilt, which looks for a C++ library when it is imported, found none
        return None
    return found


def available() -> bool:
    """Whether C++ names can be read."""
    return _library("cxxfilt") is not None


def demangle(name: str) -> str:
    """``_ZN5Order5placeEi`` -> ``Order::place(int)``; ``_ZN4demo5place17h0123456789abcdefE`` -> ``demo::place``.

    Suffixes of the compiler's clones (``.isra.0``) are kept, so that names stay different. A name that is not mangled,
    or cannot be read, is returned as it is.
    """
    if not name.startswith(("_Z", "_R")) or len(name) > _LONGEST:
        return name
    clone = _CLONE.search(name)
    body, suffix = (name[: clone.start()], clone[0]) if clone else (name, "")
    rust = name.startswith("_R") or _RUST_HASH.search(body) is not None
    library = _library("rust_demangler" if rust else "cxxfilt")
    if library is None:
        return name
    try:
        found = library(body)
    except Exception:  # each has errors of its own for names that only look mangled
        return name
    return (_RUST_HASH.sub("", found) if rust else found) + suffix


def plain(name: str) -> str:
    """A demangled name without its parameters, what follows them, and the result that templates say before it:
    ``int ns::f<int>(int) const`` -> ``ns::f<int>``."""
    depth, end = 0, len(name)
    for at in range(len(name) - 1, -1, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0 and name[at] == "(":
            if at and not name[:at].endswith(("operator", "::")):
                end = at
            break
    depth, begin, limit = 0, 0, name.find("operator")
    for at, character in enumerate(name[: end if limit < 0 else limit]):
        depth += (character in "(<") - (character in ")>")
        if depth == 0 and character == " ":
            begin = at + 1
    return name[begin:end]


def tokens(name: str) -> list[str]:
    """Identifiers that the mangled form of a name holds as they are, the last of its path first."""
    path, depth = [], 0
    for character in plain(name):
        depth += (character == "<") - (character == ">")
        if depth == 0 and character != ">":
            path.append(character)
    words = [word for word in _WORD.findall("".join(path)) if word not in ("operator", "std", "anonymous", "namespace")]
    return words[::-1]
