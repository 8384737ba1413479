"""Columns of a record as a class: what C, the reader and a decoder see of it.

A row is a ``typing.NamedTuple``, so that reading one is as quick as a tuple, and a type checker knows its members.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

__all__ = ["Column", "columns_of", "i32", "i64", "row_of", "u8", "u16", "u32", "u64"]

u8 = Annotated[int, "u8"]
u16 = Annotated[int, "u16"]
u32 = Annotated[int, "u32"]
u64 = Annotated[int, "u64"]
i32 = Annotated[int, "i32"]
i64 = Annotated[int, "i64"]


@dataclass(frozen=True, slots=True)
class Column:
    """One member of a record. ``type``: u8 u16 u32 u64 i32 i64, or ``bytes`` with ``size`` > 0.

    ``size`` may be the name of an option of the plugin.
    """

    name: str
    type: str
    size: int | str = 0


def columns_of(row: type[Any]) -> tuple[Column, ...]:
    """The columns of a row, in their order. TypeError when it is no NamedTuple, or a member's type is no column's."""
    names = getattr(row, "_fields", None)
    if names is None or not issubclass(row, tuple):
        raise TypeError(f"{getattr(row, '__name__', row)!r} is no typing.NamedTuple")
    hints = get_type_hints(row, include_extras=True)
    return tuple(_column(row.__name__, name, hints.get(name)) for name in names)


def _column(row: str, name: str, hint: Any) -> Column:
    kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if kind is int and len(marks) == 1 and isinstance(marks[0], str):
        return Column(name, marks[0])
    if kind is bytes and len(marks) == 1:
        return Column(name, "bytes", marks[0])
    shown = hint.__name__ if isinstance(hint, type) else hint
    raise TypeError(f"{row}.{name}: {shown} is none of u8, u16, u32, u64, i32, i64 and Annotated[bytes, size]")


def row_of(name: str, columns: Iterable[Column]) -> type[Any]:
    """A row of columns that are only known at run time. ValueError when their names are none."""
    columns = tuple(columns)
    kind: Any = namedtuple  # the names are data, which mypy's own understanding of namedtuple does not take
    row = kind(name, [column.name for column in columns])
    row.__annotations__ = {
        column.name: Annotated[bytes, column.size] if column.type == "bytes" else Annotated[int, column.type]
        for column in columns
    }
    made: type[Any] = row
    return made
