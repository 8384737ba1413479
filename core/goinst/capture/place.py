"""Where a value is when a program runs, and the C text that gets at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from goinst.binary.model import Location, Piece
from goinst.errors import BinaryError

__all__ = [
    "Memory",
    "Place",
    "Text",
    "Words",
    "address_of",
    "at_locations",
    "at_pieces",
    "moved",
    "number",
    "word",
]

_TYPES = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}


@dataclass(frozen=True, slots=True)
class Memory:
    """At a user address: ``address`` is a C expression without side effects, below CAPTURE_OK when there is none."""

    address: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """In registers: (offset in the value, size, C expression; "" when BPF cannot read it)."""

    pieces: tuple[tuple[int, int, str], ...]


Place = Memory | Words


@dataclass(slots=True)
class Text:
    """C text as it is written: lines, and names that are used once."""

    lines: list[str] = field(default_factory=list)
    names: int = 0
    indent: int = 1

    def line(self, text: str) -> None:
        """Append a line."""
        self.lines.append("    " * self.indent + text)

    def temporary(self, expression: str, kind: str = "u64") -> str:
        """A new variable that holds the expression."""
        name = self.name()
        self.line(f"{kind} {name} = {expression};")
        return name

    def name(self, prefix: str = "t") -> str:
        """A name that nothing else has."""
        self.names += 1
        return f"{prefix}{self.names}"


def at_locations(locations: Sequence[Location]) -> Place:
    """What the ABI says of an argument. A value on the stack is memory."""
    if locations and all(where.stack is not None for where in locations):
        first = locations[0]
        assert first.stack is not None
        return Memory("hit->sp", first.stack - first.offset)
    return Words(tuple((where.offset, where.size, _register(where.register)) for where in locations))


def at_pieces(pieces: Sequence[Piece]) -> Place:
    """What is known of a variable at an instruction. The C text knows ``bias``, what to add to linked addresses."""
    first = pieces[0]
    if all(piece.stack is not None for piece in pieces) and _contiguous(pieces):
        assert first.stack is not None
        return Memory("hit->sp", first.stack - first.offset)
    if len(pieces) == 1 and (address := _address(first)):
        return Memory(address, -first.offset)
    return Words(tuple((piece.offset, piece.size, _piece_text(piece)) for piece in pieces))


def _address(piece: Piece) -> str:
    """Where a piece in memory is, as C; "" for what is in a register."""
    if piece.based is not None:
        register, offset = piece.based
        index = f" + (u64)ctx->{piece.index[0]} * {piece.index[1]}" if piece.index is not None else ""
        return f"((u64)ctx->{register} + ({offset}){index})"
    return f"({piece.address:#x}UL + bias)" if piece.address is not None else ""


def _piece_text(piece: Piece) -> str:
    if piece.stack is not None:
        return f"goinst_stack_word(hit, {piece.stack})"
    if piece.constant is not None:
        return f"{piece.constant & (1 << 64) - 1:#x}UL"
    address = _address(piece)
    return f"go_word({address})" if address else _register(piece.register)


def _contiguous(pieces: Sequence[Piece]) -> bool:
    first = pieces[0]
    return all((p.stack or 0) - p.offset == (first.stack or 0) - first.offset for p in pieces)


def _register(name: str | None) -> str:
    # pt_regs does not have the floating-point registers
    return "" if name is None or name.startswith(("xmm", "f")) else f"((u64)ctx->{name})"


def moved(place: Place, offset: int, size: int) -> Place:
    """A part of the value at ``place``."""
    if isinstance(place, Memory):
        return Memory(place.address, place.offset + offset)
    end = offset + max(size, 1)
    return Words(
        tuple(_cut(piece, offset, end) for piece in place.pieces if piece[0] < end and piece[0] + piece[1] > offset)
    )


def _cut(piece: tuple[int, int, str], begin: int, end: int) -> tuple[int, int, str]:
    """What of a piece is in a part of the value; C puts several small fields into one register."""
    at, size, text = piece
    first, last = max(at, begin), min(at + size, end)
    if text and first > at:
        text = f"({text} >> {8 * (first - at)})"
    return first - begin, last - first, text


def word(out: Text, place: Place, offset: int = 0) -> str:
    """The 8 bytes at ``offset`` of the value, as the next address of a path."""
    if isinstance(place, Memory):
        return out.temporary(f"capture_hop({place.address}, {place.offset + offset})")
    return out.temporary(_piece(place, offset))


def address_of(out: Text, place: Memory) -> str:
    """The address of the value itself; below CAPTURE_OK when there is none."""
    if not place.offset:
        return place.address
    return out.temporary(f"{place.address} < CAPTURE_OK ? {place.address} : {place.address} + {place.offset}")


def number(out: Text, place: Place, size: int, *, signed: bool, there: str) -> str:
    """The number at ``place``, widened to 64 bits; the variable ``there`` becomes 0 when it cannot be read."""
    if isinstance(place, Memory):
        text = f"capture_number({place.address}, {place.offset}, {size}, &{there})"
    else:
        text = _piece(place, 0)
    kind = _TYPES.get(size, "u64")
    if signed:
        return out.temporary(f"(s64)({kind.replace('u', 's')}){out.temporary(text)}", "s64")
    return out.temporary(f"({kind})({text})")


def _piece(place: Words, offset: int) -> str:
    for at, _, text in place.pieces:
        if at == offset:
            if not text:
                raise BinaryError("is in a floating-point register, which BPF programs cannot read")
            return text
    raise BinaryError("is not in a place that can be read here")
