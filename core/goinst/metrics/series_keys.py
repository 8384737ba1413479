"""What decides on the series of a record, as bytes: records of which it is the same are counted together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goinst.plugin.layout import Layout
from goinst.plugin.protocol import Series
from goinst.records.arrays import Table

__all__ = ["Decides", "keys_of"]

_TEXT = 32  # text of a key is padded to a multiple of this, so that the keys of most batches are alike


@dataclass(frozen=True, slots=True)
class Decides:
    """What of a layout decides: columns, each with the column of how much of it counts, or nothing."""

    series: Series
    texts: Mapping[str, str]

    @classmethod
    def of(cls, layout: Layout) -> Decides | None:
        """Of a layout; None when its plugin says nothing."""
        series = layout.record.series
        if series is None:
            return None
        names = {column.name for column in layout.columns}
        pairs = [(one, f"{one}_length") if isinstance(one, str) else one for one in series.columns]
        texts = {name: length if length in names else "" for name, length in pairs}
        return cls(series, texts)


def keys_of(decides: Decides, last: str, table: Table) -> tuple[list[Any], NDArray[np.bool_]]:
    """For each row, all that decides as bytes; and which rows can be told by it."""
    series, columns, count = decides.series, table, len(table.rows)
    parts: list[NDArray[Any]] = [columns[name] < 0 for name in series.sizes.values()]
    plain = np.ones(count, bool)
    for name, length in decides.texts.items():
        column = columns[name]
        if column.ndim == 1 or not (length or name == last):
            parts.append(column)
            continue
        size = table.sent
        if length:
            size = np.minimum(columns[length], size if name == last else column.shape[1])
            parts.append(columns[length])
        else:
            parts.append(size)
        width = min(-(-int(size.max(initial=0)) // _TEXT) * _TEXT, column.shape[1])
        parts.append(np.where(np.arange(width) < size[:, None], column[:, :width], 0).astype(np.uint8))
    if series.derive is not None:
        more, plain = series.derive(columns)
        parts.append(more)
    form = np.dtype([(f"f{at}", part.dtype, part.shape[1:]) for at, part in enumerate(parts)])
    if not form.itemsize:
        return [b""] * count, plain
    keys = np.empty(count, form)
    for at, part in enumerate(parts):
        keys[f"f{at}"] = part
    return keys.view(f"V{form.itemsize}").tolist(), plain
