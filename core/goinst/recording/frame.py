"""The frames of a recording: msgpack maps, one after the other, each with its kind under ``frame``.

``recording``  the first of each file: format version, who wrote it, which run (``session``) and which part of it
``source``     one executable: what it says of itself, the plan, the layout of its records, the plugins' options
``process``    a process: its resource
``records``    a batch: a stretch of the ring buffer as it was, the clock and the seed of the ids made from it
``telemetry``  how the run does, about once a second: losses by reason, hits, ring
``end``        the run has ended in good order: its summary. Without it, the recording was cut short

A reader leaves out kinds and members that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goinst.errors import GoinstError
from goinst.plugin.layout import HEAD, OPERATION, Layout
from goinst.plugin.rows import Column

__all__ = ["EXTENSIONS", "VERSION", "ZSTD_MAGIC", "RecordingError", "columns_of", "layout_members", "wire_format"]

VERSION = 1
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878 section 3.1.1
EXTENSIONS = (".zst", ".zstd")


class RecordingError(GoinstError):
    """A file is no recording, or one that cannot be read here."""

    exit_code = 4


def wire_format() -> str:
    """What is in front of the columns of a record: changes with bpf/operation.h."""
    return f"{HEAD.format} {OPERATION.format}"


def layout_members(layout: Layout) -> dict[str, Any]:
    """A layout as members of a source frame."""
    return {
        "type": layout.type,
        "plugin": layout.plugin,
        "record": layout.record.name,
        "role": layout.record.role,
        "kind": layout.record.kind,
        "columns": [[column.name, column.type, column.size] for column in layout.columns],
    }


def columns_of(members: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of such members; ValueError when they are none."""
    found = []
    for name, kind, size in members["columns"]:
        if not isinstance(name, str) or not isinstance(kind, str) or not isinstance(size, int):
            raise ValueError(  # noqa: TRY004 - data, not a caller's mistake
                f"a column is made of a name, a type and a size, not of {name!r}, {kind!r}, {size!r}"
            )
        found.append(Column(name, kind, size))
    return tuple(found)
