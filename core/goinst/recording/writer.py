"""Records to a recording, while they come."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ormsgpack

from goinst.errors import GoinstError, MachineError
from goinst.plugin.layout import HEAD
from goinst.recording.file import RotatingFile
from goinst.recording.frame import VERSION, layout_members, wire_format
from goinst.records.observer import Source, Telemetry
from goinst.spans.span import Clock, Resource

__all__ = ["Recorder"]


class Recorder:
    """An observer that writes what it sees. Every file can be read by itself: sources and processes are said again
    in the next one. One that cannot be written raises MachineError when it begins, and is ``ended`` later."""

    def __init__(self, file: RotatingFile, version: str) -> None:
        self._file = file
        self._version = version
        self._session = os.urandom(8).hex()
        self._taps: list[_Tap] = []
        self.records = 0
        self.ended: GoinstError | None = None
        self._head()

    @property
    def files(self) -> int:
        """How many files were begun."""
        return self._file.part + 1

    def source(self, source: Source) -> _Tap:
        """A new executable."""
        tap = _Tap(self, len(self._taps), source)
        self._taps.append(tap)
        tap.introduce()
        return tap

    def telemetry(self, telemetry: Telemetry) -> None:
        """How the run does; and a look at whether it is time for the next file."""
        self.write(
            "telemetry",
            {
                "time": time.time_ns(),
                "spans": dict(telemetry.spans),
                "losses": dict(telemetry.losses),
                "hits": dict(telemetry.hits),
                "open": [[*names, count] for names, count in telemetry.open.items()],
                "ring": telemetry.ring,
                "ring_high_water": telemetry.ring_high_water,
            },
        )
        self.turn()

    def close(self, summary: Mapping[str, Any] | None = None) -> None:
        """End the recording, in good order when there is a summary. Safe to call twice."""
        if summary is not None:
            self.write("end", {"summary": dict(summary)})
        with self._taking():
            self._file.close()

    def write(self, kind: str, members: Mapping[str, Any]) -> None:
        """A frame; nothing when it has ended."""
        with self._taking():
            if self.ended is None:
                self._put(kind, members)

    @contextmanager
    def _taking(self) -> Iterator[None]:
        try:
            yield
        except MachineError as error:
            self.ended = self.ended or error

    def _put(self, kind: str, members: Mapping[str, Any]) -> None:
        self._file.write(ormsgpack.packb({"frame": kind, **members}, option=ormsgpack.OPT_NON_STR_KEYS))

    def _head(self) -> None:
        self._put(
            "recording",
            {
                "version": VERSION,
                "goinst": self._version,
                "session": self._session,
                "part": self._file.part,
                "host": os.uname().nodename,
                "created": time.time_ns(),
                "wire": wire_format(),
            },
        )

    def turn(self) -> None:
        """Begin the next file if it is time."""
        if self.ended is not None or not self._file.full:
            return
        with self._taking():
            self._file.rotate()
            self._head()
            for tap in self._taps:
                tap.introduce()


class _Tap:
    """Writes the batches of one source."""

    def __init__(self, recorder: Recorder, number: int, source: Source) -> None:
        self._recorder = recorder
        self._number = number
        self._source = source
        self._known: dict[int, Resource] = {}

    def introduce(self) -> None:
        """Say what this source is; its processes will be said again."""
        source = self._source
        self._known.clear()
        self._recorder.write(
            "source",
            {
                "source": self._number,
                "executable": _text(source.executable),
                "binary": _clean(source.binary),
                "plan": _text(source.plan),
                "plugins": list(source.plugins),
                "options": {name: dict(options) for name, options in source.options.items()},
                "redact": source.redact,
                "layouts": [layout_members(layout) for layout in source.layouts],
            },
        )

    def batch(self, slab: memoryview, data: memoryview, records: Sequence[tuple[int, int]], clock: Clock) -> None:
        """Copy the batch as it is."""
        unpack, known = HEAD.unpack_from, self._known
        self._recorder.turn()
        for process in {unpack(data, start)[2] for start, _ in records}:
            resource = self._source.resource(process)
            if known.get(process) is not resource:
                known[process] = resource
                self._recorder.write(
                    "process",
                    {
                        "source": self._number,
                        "pid": process,
                        "resource": dict(resource.attributes),
                        "json": resource.json,
                    },
                )
        self._recorder.write(
            "records",
            {
                "source": self._number,
                "wall": clock.wall,
                "now": clock.now,
                "seed": clock.seed,
                "data": bytes(slab),
            },
        )
        if self._recorder.ended is None:
            self._recorder.records += len(records)


def _text(value: str) -> str:
    # a path may hold any bytes; they come as lone surrogates
    return os.fsencode(value).decode("utf-8", "replace")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(name)): _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
