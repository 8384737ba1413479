"""Chrome's trace event format (JSON), which Perfetto (https://ui.perfetto.dev) and chrome://tracing open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from goinst.export.encoding import careful
from goinst.export.sink import Sink, SinkExporter, whole_pieces
from goinst.spans.span import Span

__all__ = ["ChromeExporter"]

_JOINT = b",\n"
_LANES = 512  # of one process: what overlaps more than this shares the last


class ChromeExporter(SinkExporter):
    """A process for each service, and in it a lane for what is under way at once: a viewer shows an event inside the
    one that began before it on the same lane, so a lane holds only spans that follow each other, or lie inside a later
    one of their trace."""

    name = "chrome-trace"

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._lanes: dict[int, list[list[tuple[int, int, int]]]] = {}
        self._open = True
        self._sink.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
        self._first = True

    def export(self, spans: Sequence[Span]) -> None:
        """Write their events."""
        events: list[Any] = []
        for span in spans:
            pid = span.resource.attributes.get("process.pid")
            pid = pid if isinstance(pid, int) else 0
            if pid not in self._lanes:
                self._lanes[pid] = []
                name = str(span.resource.attributes.get("service.name", pid))
                events.append({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}})
            members = careful(span)
            events.append(
                {
                    "ph": "X",
                    "name": members["name"],
                    "cat": f"{span.plugin},{span.kind}",
                    "ts": span.start_ns / 1000,
                    "dur": span.duration_ns / 1000,
                    "pid": pid,
                    "tid": self._lane(pid, span),
                    "args": {
                        **members["attributes"],
                        **{name: members[name] for name in ("status", "trace_id", "span_id", "parent_span_id")},
                        **({"status_message": members["status_message"]} if span.status_message else {}),
                    },
                }
            )
        self._write(events)

    def _write(self, events: Sequence[Any]) -> None:
        if not events:
            return
        lines = [orjson.dumps(event) for event in events]
        start = b"" if self._first else _JOINT
        self._first = False

        def whole(written: int) -> tuple[int, int]:
            count, end = whole_pieces(lines, len(_JOINT))(written - len(start))
            return sum(event["ph"] == "X" for event in events[:count]), len(start) + end if count else 0

        self.put(start + _JOINT.join(lines), whole)

    def _lane(self, pid: int, span: Span) -> int:
        """The first lane on which the span overlaps nothing but spans of its trace that lie inside it. Spans come in
        the order in which they end, so what is inside is there already."""
        start, end, trace = span.start_ns, span.start_ns + span.duration_ns, span.trace_id
        lanes = self._lanes[pid]
        best = None
        for number, lane in enumerate(lanes):
            inside = len(lane)
            while inside and lane[inside - 1][0] >= start and lane[inside - 1][2] == trace:
                inside -= 1
            if inside and lane[inside - 1][1] > start:
                continue
            if inside < len(lane):
                best = number, inside  # its own children are here
                break
            if best is None:
                best = number, inside
        if best is None and len(lanes) < _LANES:
            lanes.append([])
            best = len(lanes) - 1, 0
        number, inside = best or (len(lanes) - 1, len(lanes[-1]))
        lane = lanes[number]
        del lane[inside:]
        if len(lane) > 64:  # only the last ones can overlap with what comes
            del lane[:-32]
        lane.append((start, end, trace))
        return number + 1

    def close(self) -> None:
        """Close the brackets and the file."""
        opened, self._open = self._open, False
        try:
            if opened and self._sink.ended is None:
                self._sink.write(b"\n]}\n")
        finally:
            self._sink.close()
