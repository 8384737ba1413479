"""What was counted in the kernel, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from goinst.capture.aggregate import Table
from goinst.capture.wire.values import go_duration, show
from goinst.text import printable

__all__ = ["draw_tables"]

_BAR = 40
_MOST_ROWS = 40
_LEVELS = " ▏▎▍▌▋▊▉█"


def draw_tables(tables: Sequence[tuple[Table, list[tuple[Any, int]]]], out: TextIO) -> None:
    """Write each table with a bar a row; tables of one expression over several functions are added up."""
    merged: dict[tuple[str, str], tuple[Table, dict[Any, int]]] = {}
    for table, rows in tables:
        _, found = merged.setdefault((table.kind, table.label), (table, {}))
        for value, count in rows:
            found[value] = found.get(value, 0) + count
    for (kind, label), (table, found) in merged.items():
        total = sum(found.values())
        out.write(f"\n{kind} {printable(label)}: {total}\n")
        rows = (
            sorted(found.items()) if kind == "hist" else sorted(found.items(), key=lambda row: (-row[1], str(row[0])))
        )
        if kind == "hist" and rows:
            rows = _filled(rows)
        most = max(found.values(), default=1)
        texts = [
            _bucket(value, table.type) if kind == "hist" else printable(show(value)) for value, _ in rows[:_MOST_ROWS]
        ]
        width = max((len(text) for text in texts), default=0)
        for text, (_, count) in zip(texts, rows, strict=False):
            out.write(f"  {text:<{width}} {count:>9} {_bar(count / most)}\n")
        if len(rows) > _MOST_ROWS:
            rest = sum(count for _, count in rows[_MOST_ROWS:])
            out.write(f"  … {len(rows) - _MOST_ROWS} more values, {rest} times\n")
    out.flush()


def _filled(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every power of two between the lowest and the highest that occurred."""
    found = dict(rows)
    filled, value, last = [], rows[0][0], rows[-1][0]
    while value <= last:
        filled.append((value, found.get(value, 0)))
        value = value * 2 or 1
    return filled


def _bucket(lower: int, kind: str) -> str:
    upper = lower * 2 or 1
    if kind == "time.Duration":
        return f"[{_short(lower)}, {_short(upper)})"
    return f"[{lower}, {upper})"


def _short(ns: int) -> str:
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if ns >= size:
            return f"{ns / size:.3g}{unit}"
    return go_duration(ns)


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    return "█" * (eighths // 8) + _LEVELS[eighths % 8].strip()
