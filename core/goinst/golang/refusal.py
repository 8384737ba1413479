"""What a file is in which no function table of Go's can be read: words for people who may know that Go is in it."""

from __future__ import annotations

from goinst.binary.elf import Image

__all__ = ["why_no_table"]

_UPX = b"UPX!"  # src/conf.h: UPX_MAGIC_LE32, in the loader info that follows the program headers
_HEAD = 4096
_MAGIC = b"\xff Go buildinf:"
_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo")


def why_no_table(image: Image) -> str:
    """Return why nothing can be found in a file, and what to do, in one line without its path."""
    if _UPX in image.map[:_HEAD]:
        return "is packed by UPX, so its code is not in the file; trace a build that is not packed"
    if image.section(".go_export") or image.map.find(b"\0libgo.so.") >= 0:
        return (
            "is built by gccgo: goinst trace looks into it as into a C program, goinst run needs one of the go command"
        )
    if any(map(image.section, _SECTIONS)) or image.map.find(_MAGIC) >= 0:
        return (
            "is built by Go, but its function table cannot be read: it is obfuscated (garble does that), or damaged;"
            " trace a build that is not"
        )
    return (
        "is not a Go program: no function table of Go's is in it (nor in one that is packed, or built by TinyGo);"
        " goinst trace looks into programs of other languages"
    )
