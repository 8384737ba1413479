"""What the go command wrote into a binary: Go version, packages, module versions, build settings."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field

from goinst.binary.elf import Image
from goinst.errors import BinaryError

__all__ = ["BuildInfo", "read_build_info", "release"]

_MAGIC = b"\xff Go buildinf:"
_HEADER_SIZE = 32
_INLINE = 2  # flag: strings follow the header (Go 1.18 on); else the header has pointers to string headers
_BIG_ENDIAN = 1
_LONGEST = 16 << 20
_MARKER = 16  # bytes of the random markers around the module text (cmd/go/internal/modload/build.go)
_RELEASE = re.compile(r"\bgo(\d{1,3})\.(\d{1,3})")


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """``modules`` maps module paths to versions; where a module is replaced, to the replacement's version.

    A folder's version is ``(devel)``. Without modules, or before Go 1.18 for ``settings``, they are empty.
    """

    go_version: str
    main_package: str = ""
    main_module: str = ""
    modules: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def release(go_version: str) -> tuple[int, int] | None:
    """Return (1, 26) for ``go1.26.8`` or ``devel go1.26-1a2b3c``; None for ``devel +1a2b3c``."""
    found = _RELEASE.search(go_version)
    return (int(found[1]), int(found[2])) if found else None


def read_build_info(image: Image) -> BuildInfo | None:
    """Find the build information by its magic; the section header, where there is one, only saves the
    search.
    """
    section = image.section(".go.buildinfo")
    if section and (info := _parse(image, section[0])):
        return info
    for va in image.find(_MAGIC, alignment=16):
        if info := _parse(image, va):
            return info
    return None


def _parse(image: Image, va: int) -> BuildInfo | None:
    try:
        header = image.read(va, _HEADER_SIZE)
        if not header.startswith(_MAGIC) or header[15] & _BIG_ENDIAN:
            return None
        if header[15] & _INLINE:
            version, after = _inline(image, va + _HEADER_SIZE)
            modules, _ = _inline(image, after)
        elif header[14] == 8:
            version = _pointed(image, int.from_bytes(header[16:24], "little"))
            modules = b""
            with suppress(BinaryError):  # without modules it is a variable that the file does not hold
                modules = _pointed(image, int.from_bytes(header[24:32], "little"))
        else:
            return None
    except BinaryError:
        return None
    text = version.decode("utf-8", "replace")
    if not text.startswith(("go", "devel")) or not text.isprintable():
        return None
    return _modules(text, modules)


def _inline(image: Image, va: int) -> tuple[bytes, int]:
    """Return the string at ``va`` that follows its length (a varint), and the address behind it."""
    size = shift = 0
    while True:
        byte = image.read(va, 1)[0]
        va += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 28:
            raise BinaryError(f"{image.path}: has broken build information; build or copy the program again")
    return image.read(va, min(size, _LONGEST)), va + size


def _pointed(image: Image, pointer: int) -> bytes:
    """Return the Go string whose header ``pointer`` points to."""
    if not pointer:
        return b""
    data, size = image.words(pointer, 2)
    return image.read(data, min(size, _LONGEST)) if size else b""


def _modules(go_version: str, wrapped: bytes) -> BuildInfo:
    if len(wrapped) <= 2 * _MARKER or wrapped[-_MARKER - 1] != ord("\n"):
        return BuildInfo(go_version)
    package = module = last = ""
    modules: dict[str, str] = {}
    settings: dict[str, str] = {}
    for line in wrapped[_MARKER:-_MARKER].decode("utf-8", "replace").splitlines():
        kind, *values = line.split("\t")
        first, second = (*values, "", "")[:2]
        if kind == "path":
            package = first
        elif kind in ("mod", "dep"):
            last = first
            modules[first] = second
            module = first if kind == "mod" else module
        elif kind == "=>" and last:
            modules[last] = second or "(devel)"
        elif kind == "build":
            name, value = _setting(line.removeprefix("build\t"))
            settings[name] = value
    return BuildInfo(go_version, package, module, modules, settings)


def _setting(text: str) -> tuple[str, str]:
    """Split ``-ldflags="-s -w"``: the go command quotes a value that has blanks or quotes in it."""
    name, _, value = text.partition("=")
    if value.startswith("`"):
        return name, value.strip("`")
    if value.startswith('"'):
        try:
            return name, str(json.loads(value))
        except ValueError:
            return name, value
    return name, value
