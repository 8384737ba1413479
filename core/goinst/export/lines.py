"""A line a call, with every value that was asked for: what `goinst trace` prints to people."""

from __future__ import annotations

from collections.abc import Sequence

from goinst.capture.wire.values import show
from goinst.export.console import duration, wants_colour
from goinst.export.sink import Sink, SinkExporter, whole_pieces
from goinst.export.timestamps import local_clock
from goinst.spans.span import Span
from goinst.text import printable

__all__ = ["LinesExporter"]

_BOLD, _DIM, _YELLOW, _CYAN, _RESET = (f"\x1b[{code}m" for code in (1, 2, 33, 36, 0))
_OWN = frozenset(("code.function.name", "goinst.goroutine.id", "code.stacktrace"))


class LinesExporter(SinkExporter):
    """``12:00:01.123 4711 main.ping req.Method=GET req.URL.Path=/ping``; a stack on lines of its own."""

    name = "lines"

    def __init__(self, sink: Sink, *, is_terminal: bool) -> None:
        super().__init__(sink)
        self._colour = wants_colour(is_terminal)

    def export(self, spans: Sequence[Span]) -> None:
        """Write a batch at once."""
        if spans:
            lines = [f"{self._line(span)}\n".encode("utf-8", "replace") for span in spans]
            self.put(b"".join(lines), whole_pieces(lines))

    def _line(self, span: Span) -> str:
        cells = [
            self._styled(local_clock(span.start_ns), _DIM),
            self._styled(str(span.resource.attributes.get("process.pid", "")), _DIM),
            self._styled(printable(span.name), _BOLD),
        ]
        if span.duration_ns:
            cells.append(self._styled(duration(span.duration_ns), _YELLOW))
        for name, value in span.attributes.items():
            if name not in _OWN:
                cut = "…" if name in span.truncated else ""
                cells.append(f"{self._styled(printable(name), _CYAN)}={printable(show(value))}{cut}")
        stack = span.attributes.get("code.stacktrace")
        lines = [" ".join(cells)]
        if isinstance(stack, str):
            lines += [f"    {printable(frame)}" for frame in stack.splitlines()]
        return "\n".join(lines)

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour else text
