"""The C text behind ARG(program, name), RESULT(program, name) and BIAS(program)."""

from __future__ import annotations

from collections.abc import Sequence

from goinst.binary.model import Location, Piece, Variable

__all__ = ["bias", "marked_words", "word"]

_PAGE = 0xFFF

_CASTS = {
    "int8": "(s64)(s8)", "int16": "(s64)(s16)", "int32": "(s64)(s32)", "int64": "(s64)",
    "uint8": "(u8)", "uint16": "(u16)", "uint32": "(u32)",
}  # fmt: skip


def word(where: Location) -> str | None:
    """The C expression for a word, or None for a float register, which pt_regs does not have."""
    if where.stack is not None:
        return f"goinst_stack_word(hit, {where.stack})"
    if where.register is None or where.register.startswith(("xmm", "f")):
        return None
    return f"((u64)ctx->{where.register})"


def bias(pie: bool, addresses: Sequence[int]) -> str:
    """The C expression for how far a program lies from where it was linked, at a hit on one of its instructions."""
    if not pie:
        return "0UL"
    text = f"(GOINST_IP(ctx) - {addresses[-1]:#x}UL)"
    for address in reversed(addresses[:-1]):  # programs are moved by whole pages
        text = f"((GOINST_IP(ctx) - {address:#x}UL) & {_PAGE:#x} ? {text} : GOINST_IP(ctx) - {address:#x}UL)"
    return text


def marked_words(program: str, arguments: tuple[Variable, ...]) -> dict[str, str]:
    """Macros by name for the arguments of a USDT probe; what cannot be read (as above) has none."""
    found = {}
    for argument in arguments:
        text = _text(argument.pieces[0]) if len(argument.pieces) == 1 else ""
        if text:
            found[f"{program}__{argument.name}"] = f"((u64){_CASTS.get(argument.type, '')}{text})"
    return found


def _text(piece: Piece) -> str:
    if piece.constant is not None:
        return f"{piece.constant & (1 << 64) - 1:#x}UL"
    if piece.based is not None:
        register, offset = piece.based
        index = f" + (u64)ctx->{piece.index[0]} * {piece.index[1]}" if piece.index is not None else ""
        address = f"((u64)ctx->{register} + ({offset}){index})"
        match piece.size:
            case 1:
                return f"go_byte({address})"
            case 2:
                return f"(go_byte({address}) | go_byte({address} + 1) << 8)"
            case 4:
                return f"go_u32({address})"
        return f"go_word({address})"
    return word(Location(piece.register, piece.stack)) or ""
