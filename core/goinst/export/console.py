"""Aligned lines for people."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from goinst.capture.wire.values import show
from goinst.export.sink import Sink, SinkExporter, whole_lines
from goinst.export.timestamps import local_clock
from goinst.spans.span import Span
from goinst.text import printable, shortened, width_of

__all__ = ["ConsoleExporter", "duration", "wants_colour"]

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN, _RESET = (f"\x1b[{code}m" for code in (1, 2, 31, 32, 33, 36, 0))

# Attributes by OpenTelemetry's names: the first that is there fills the column.
_CODES = (
    "http.response.status_code",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
    "db.response.status_code",
)
_PEERS = ("client.address", "server.address", "network.peer.address")
_PORTS = {
    "client.address": "client.port",
    "server.address": "server.port",
    "network.peer.address": "network.peer.port",
}
# Said by another column, or the same on every line.
_SAID = frozenset(
    (
        *_CODES,
        *_PEERS,
        *_PORTS.values(),
        "http.request.method",
        "url.path",
        "url.scheme",
        "rpc.system.name",
        "rpc.method",
    )
)
_DETAILS = 6
_WIDEST = {"service": 24, "name": 48, "peer": 45}
# columns of a terminal: below the first the time is left out, too, below the second kind and peer; from the third on
# there is room for all
_TINY, _NARROW, _WIDE = 60, 112, 125


def wants_colour(is_terminal: bool) -> bool:
    """Colour only for people, and not for those who set NO_COLOR (no-color.org) or have a dumb terminal."""
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def duration(ns: int) -> str:
    """A duration in at most seven characters: ``834ns``, ``12.3µs``, ``4.56ms``, ``7.89s``."""
    if ns < 1_000:
        return f"{ns}ns"
    for unit, size in (("µs", 1_000), ("ms", 1_000_000)):
        value = ns / size
        if value < 999.5:
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{unit}"
    return f"{ns / 1e9:.2f}s"


class ConsoleExporter(SinkExporter):
    """A line a span: time, duration, service, kind, name, status, peer, then what else is of interest, as much of it as
    the terminal is wide. On a narrow one an arrow shows that it is a call, and there is no peer."""

    name = "console"
    wants_partial = True

    def __init__(self, sink: Sink, *, is_terminal: bool) -> None:
        super().__init__(sink)
        self._terminal = is_terminal
        self._colour = wants_colour(is_terminal)
        self._columns = 0
        self._width = {"service": 8, "name": 24, "peer": 15}

    def export(self, spans: Sequence[Span]) -> None:
        """Write the lines of a batch at once."""
        if self._terminal:
            self._fit(shutil.get_terminal_size((0, 0)).columns)
        lines = [self._line(span) for span in spans]
        if lines:
            data = "\n".join([*lines, ""]).encode("utf-8", "replace")
            self.put(data, whole_lines(data))

    def _fit(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        self._width = (
            {"service": 8, "name": 24, "peer": 15} if columns >= _WIDE else {"service": 8, "name": 16, "peer": 9}
        )

    def _line(self, span: Span) -> str:
        narrow = 0 < self._columns < _NARROW
        failed = span.status == "error"
        name = f"→ {span.name}" if narrow and span.kind in ("client", "producer") else span.name
        peer = _peer(span.attributes)
        head = [
            (local_clock(span.start_ns), _DIM),
            (f"{duration(span.duration_ns):>8}", _YELLOW),
            (self._cell("service", str(span.resource.attributes.get("service.name", ""))), _DIM),
            (f"{span.kind:<8}", _DIM),
            (self._cell("name", name), _RED if failed else _BOLD),
            (f"{_code(span):<6}", _RED if failed else _GREEN),
            (self._cell("peer", peer), _CYAN),
        ]
        if narrow:
            left_out = (0, 3, 6) if self._columns < _TINY else (3, 6)
            head = [cell for number, cell in enumerate(head) if number not in left_out]
        tail = printable(_details(span))
        if self._columns:
            tail = shortened(tail, self._columns - sum(width_of(text) + 1 for text, _ in head))
        cells = [f"{style}{text}{_RESET}" if self._colour else text for text, style in head]
        cells.append(f"{_RED}{tail}{_RESET}" if self._colour and failed and tail else tail)
        return " ".join(cells).rstrip()

    def _cell(self, column: str, value: str) -> str:
        """Columns grow with what they hold, up to a limit, and never shrink: lines stay aligned."""
        most = _WIDEST[column]
        if self._columns:  # a seventh, a third and a sixth of the line
            most = min(most, self._columns // {"service": 7, "name": 3, "peer": 6}[column])
        text = shortened(printable(value), most)
        used = width_of(text)
        width = self._width[column] = max(min(self._width[column], most), used)
        return text + " " * (width - used)


def _code(span: Span) -> str:
    for name in _CODES:
        if name in span.attributes:
            return printable(str(span.attributes[name]))
    return "open" if span.partial else "-" if span.status == "unset" else span.status


def _peer(attributes: Mapping[str, Any]) -> str:
    for name in _PEERS:
        if name in attributes:
            address, port = str(attributes[name]), attributes.get(_PORTS[name])
            if port is None:
                return address
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return "-"


def _details(span: Span) -> str:
    """What no column says."""
    code, name = _code(span), span.name
    rest = []
    for key, value in span.attributes.items():
        if key in _SAID or (key == "goinst.http.server.handler.duration_ns" and value == span.duration_ns):
            continue
        text = _shown(value)
        if len(text) > 2 and (text in name or (key == "error.type" and text == code)):
            continue
        rest.append(f"{key}={text}")
    more = ["…"] if len(rest) > _DETAILS else []
    return " ".join([*([span.status_message] if span.status_message else []), *rest[:_DETAILS], *more])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple | dict) for item in value):
        return ", ".join(map(_shown, value))
    return show(value) if isinstance(value, dict | list) else str(value)
