"""Where C, C++ and Rust functions get their arguments and leave their result.

amd64: System V ABI, section 3.2.3 (Parameter Passing). arm64: Procedure Call Standard for the Arm 64-bit Architecture,
section 6.8. Rust's own ABI is not fixed; extern "C" functions follow these, others do for what fits in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from goinst.binary.model import Argument, Location, Piece
from goinst.binary.registers import ARGUMENTS, FLOATS
from goinst.errors import BinaryError

__all__ = ["RESULT", "Places", "Value", "locate", "raw"]

Arch = Literal["amd64", "arm64"]

_INTEGERS, _FLOATS = ARGUMENTS["c"], FLOATS["c"]
_RESULTS = {"amd64": ("ax", "dx"), "arm64": ("regs[0]", "regs[1]")}
_FLOAT_RESULTS = {"amd64": ("xmm0", "xmm1"), "arm64": ("f0", "f1", "f2", "f3")}
# amd64: SP+0 holds the return address at the first instruction
_FIRST_ON_STACK = {"amd64": 8, "arm64": 0}
_WORD = 8
_RAW = 6  # words that every function has on both machines
RESULT = "result"


@dataclass(frozen=True, slots=True)
class Value:
    """What a parameter is to the ABI. ``parts``: (offset, size, "int" or "float") of each piece that takes a register;
    none when it is passed in memory. ``reference``: the caller passes the address of a copy instead."""

    size: int
    align: int
    parts: tuple[tuple[int, int, str], ...]
    reference: bool = False


class Places:
    """Gives out registers and stack in order of parameters; ``results``: those of what a function returns."""

    def __init__(self, arch: Arch, *, results: bool = False) -> None:
        self._arch: Arch = arch
        self._integers = list((_RESULTS if results else _INTEGERS)[arch])
        self._floats = list((_FLOAT_RESULTS if results else _FLOATS)[arch])
        self._stack = _FIRST_ON_STACK[arch]

    def skip(self) -> None:
        """Leave out what the address for a large result takes (amd64; on arm64 it has a register of its own)."""
        if self._arch == "amd64":
            self._integers.pop(0)

    def take(self, value: Value) -> tuple[tuple[Piece, ...], bool]:
        """Where the next value is, and whether that holds its address instead."""
        if value.reference:
            return self._words(Value(_WORD, _WORD, ((0, _WORD, "int"),))), True
        return self._words(value), False

    def _words(self, value: Value) -> tuple[Piece, ...]:
        if value.size == 0:
            return ()
        floats = sum(kind == "float" for _, _, kind in value.parts)
        integers = len(value.parts) - floats
        if self._arch == "arm64" and value.align > _WORD and integers > 1 and len(self._integers) % 2:
            self._integers.pop(0)
        if value.parts and floats <= len(self._floats) and integers <= len(self._integers):
            return tuple(
                Piece(at, size, register=(self._floats if kind == "float" else self._integers).pop(0))
                for at, size, kind in value.parts
            )
        if self._arch == "arm64":  # what did not fit closes the registers of its kind
            (self._floats if floats else self._integers).clear()
        align = max(_WORD, value.align)
        start = (self._stack - _FIRST_ON_STACK[self._arch] + align - 1) // align * align
        start += _FIRST_ON_STACK[self._arch]
        self._stack = start + (value.size + _WORD - 1) // _WORD * _WORD
        return (Piece(0, value.size, stack=start),)


def raw(arch: Arch) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
    """Arguments of a function of which nothing is known: ``arg1`` to ``arg6``, whole words, and ``result``."""
    why = f"C ABI, {arch}: the word, whatever it means"
    words = _INTEGERS[arch][:_RAW]
    parameters = (
        Argument(f"arg{number}", "uint64", {"": Location(register, None)}, why)
        for number, register in enumerate(words, 1)
    )
    return tuple(parameters), (Argument(RESULT, "uint64", {"": Location(_RESULTS[arch][0], None)}, why),)


def locate(
    signature: str, *, arch: Arch, value: Callable[[str], Value]
) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
    """Where the parameters (at the first instruction) and the result (at each RET) are.

    ``signature`` is ``"key *char, length size_t -> n int"``: names and types as native.shapes takes them; nothing
    stands for six words (see ``raw``). ``value`` says what a type is to the ABI. BinaryError for what cannot be read.
    """
    if not signature.strip():
        return raw(arch)
    before, _, behind = signature.partition("->")
    results = _placed(behind, Places(arch, results=True), arch, value)
    places = Places(arch)
    if any(not argument.words for argument in results):
        places.skip()  # the caller has said where a large result is to be
    return _placed(before, places, arch, value), results


def _placed(text: str, places: Places, arch: str, value: Callable[[str], Value]) -> tuple[Argument, ...]:
    found = []
    for part in filter(None, (each.strip() for each in _split(text))):
        name, _, kind = part.partition(" ")
        if not name.isidentifier() or not kind.strip():
            raise BinaryError(f"signature: {part!r} is no name and type; write them as in 'key *char, length uint64'")
        pieces, indirect = places.take(value(kind.strip()))
        if indirect:
            raise BinaryError(f"type {kind.strip()}: is passed by its address; write *{kind.strip()}")
        words = {
            str(number) if number else "": Location(piece.register, piece.stack, piece.size, piece.offset)
            for number, piece in enumerate(pieces)
        }
        found.append(Argument(name, kind.strip(), words, f"C ABI, {arch}"))
    return tuple(found)


def _split(text: str) -> Iterator[str]:
    """The parts between commas that are not inside brackets."""
    depth, begin = 0, 0
    for at, character in enumerate(f"{text},"):
        depth += (character in "<([") - (character in ">)]")
        if character == "," and depth <= 0:
            yield text[begin:at]
            begin = at + 1
