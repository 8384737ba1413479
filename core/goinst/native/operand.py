"""Where a USDT probe's argument is: ``-4@-20(%rbp)``, ``8@%rax``, ``2@$3``, ``8@[sp, 24]``, as the assembler wrote it.

The notation is that of SystemTap's sys/sdt.h (https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation):
size in bytes, negative when signed, ``f`` behind it for floating point, then an operand of the machine's assembler.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from goinst.binary.model import Piece, Variable
from goinst.binary.registers import AMD64_PARTS

__all__ = ["split_arguments", "variable"]

_MOST = 12  # arguments that sys/sdt.h takes
_ARGUMENT = re.compile(r"(?:(?P<size>-?(?:1|2|4|8))(?P<float>f?)@)?(?P<operand>.+)")
_NUMBER = r"[-+]?(?:0x[0-9a-fA-F]+|\d+)"
_SYMBOL = r"[A-Za-z_.$][\w.$@]*"
_AMD64_MEMORY = re.compile(
    rf"(?:(?P<symbol>{_SYMBOL})?(?P<disp>(?:{_NUMBER})*)|(?P<before>{_NUMBER})\+(?P<symbol2>{_SYMBOL}))"
    r"\((?:%(?P<base>\w+))?(?:,\s*%(?P<index>\w+)(?:,\s*(?P<scale>[1248]))?)?\)"
)
_ARM64_MEMORY = re.compile(
    rf"\[(?P<base>\w+)(?:,\s*(?:#?(?P<disp>{_NUMBER})|(?P<index>[xw]\d+)(?:,\s*(?:lsl|sxtw|uxtw)\s*#?(?P<shift>\d+))?))?\]"
)
_CONSTANT = re.compile(rf"[$#]?({_NUMBER})")
_ARM64_REGISTER = re.compile(r"[xw](\d+)")
_FLOATING = re.compile(r"%?[xyz]mm\d+|[vqdsh]\d+")


def split_arguments(text: str) -> list[str]:
    """A probe's arguments, separated by blanks; those inside brackets do not separate."""
    found: list[str] = []
    depth, begin = 0, 0
    for at, character in enumerate(f"{text} "):
        depth += (character in "[(") - (character in "])")
        if character == " " and depth <= 0:
            if text[begin:at]:
                found.append(text[begin:at])
            begin = at + 1
    return found[:_MOST]


def variable(
    number: int, text: str, *, arch: Literal["amd64", "arm64"], site: int, address: Callable[[str], int | None]
) -> Variable:
    """The ``number``-th argument at the instruction at ``site``, called ``argN``; ``address`` finds a symbol's."""
    name = f"arg{number}"
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        return Variable(name, "uint64", "parameter", why=f"its place {text[:80]!r} cannot be read")
    size = int(match["size"] or 8)
    kind = "float" if match["float"] else "int" if size < 0 else "uint"
    type_ = f"{kind}{abs(size) * 8}"
    parse = _amd64 if arch == "amd64" else _arm64
    piece = parse(match["operand"], abs(size), site, address)
    if isinstance(piece, str):
        return Variable(name, type_, "parameter", why=piece)
    return Variable(name, type_, "parameter", (piece,))


def _amd64(text: str, size: int, site: int, address: Callable[[str], int | None]) -> Piece | str:
    if text.startswith("%") and text[1:] in AMD64_PARTS:
        return Piece(0, size, register=AMD64_PARTS[text[1:]])
    if found := _CONSTANT.fullmatch(text):
        if text.startswith("$"):
            return Piece(0, size, constant=int(found[1], 0))
        return f"it is at the fixed address {text}"
    if _FLOATING.fullmatch(text):
        return Piece(0, size, register=text.lstrip("%").replace("ymm", "xmm").replace("zmm", "xmm"))
    memory = _AMD64_MEMORY.fullmatch(text)
    if memory is None:
        return f"its place {text[:80]!r} cannot be read"
    symbol = memory["symbol"] or memory["symbol2"]
    offset = sum(int(part, 0) for part in re.findall(_NUMBER, memory["disp"] or memory["before"] or ""))
    if memory["base"] == "rip" or (symbol and memory["base"] is None and memory["index"] is None):
        where = address(symbol) if symbol else None
        if where is None:
            return f"it is at {symbol or text}, which is not among the symbols that were left"
        return Piece(0, size, based=("ip", where + offset - site))
    if symbol or memory["base"] not in AMD64_PARTS:
        return f"its place {text[:80]!r} cannot be read"
    index = (AMD64_PARTS[memory["index"]], int(memory["scale"] or 1)) if memory["index"] in AMD64_PARTS else None
    if memory["index"] and index is None:
        return f"its place {text[:80]!r} cannot be read"
    return Piece(0, size, based=(AMD64_PARTS[memory["base"]], offset), index=index)


def _arm64(text: str, size: int, site: int, address: Callable[[str], int | None]) -> Piece | str:
    del site, address
    if (register := _arm64_register(text)) is not None:
        return Piece(0, size, register=register)
    if found := _CONSTANT.fullmatch(text):
        return Piece(0, size, constant=int(found[1], 0))
    if _FLOATING.fullmatch(text):
        return Piece(0, size, register=f"f{text[1:]}")
    memory = _ARM64_MEMORY.fullmatch(text)
    base = _arm64_register(memory["base"]) if memory else None
    if memory is None or base is None:
        return f"its place {text[:80]!r} cannot be read"
    index = _arm64_register(memory["index"]) if memory["index"] else None
    scale = 1 << min(int(memory["shift"] or 0), 4)
    return Piece(0, size, based=(base, int(memory["disp"] or "0", 0)), index=(index, scale) if index else None)


def _arm64_register(text: str) -> str | None:
    if text in ("sp", "wsp"):
        return "sp"
    match = _ARM64_REGISTER.fullmatch(text)
    return f"regs[{match[1]}]" if match and int(match[1]) < 31 else None
