"""What an exporter is, and how an output ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from goinst.errors import GoinstError
from goinst.records.observer import Telemetry
from goinst.spans.span import Span

if TYPE_CHECKING:
    from goinst.metrics import MetricStore

__all__ = ["Exporter", "Listener", "Meter", "OutputClosed", "OutputEnded", "OutputFailed", "OutputStalled"]


class OutputEnded(GoinstError):  # noqa: N818 - that of a reader who has had enough is no error
    """An output takes no more, and is not to be written again.

    ``spans``: of those of the call that raises this, so many of the first were taken as a whole.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.spans = 0


class OutputClosed(OutputEnded):
    """The reader of an output went away (``goinst run | head``): that is how it is told that it is enough."""

    exit_code = 0


class OutputStalled(OutputEnded):
    """The run is ending, and nobody took what was still to be written."""

    exit_code = 0


class OutputFailed(OutputEnded):
    """The file, or what it is on, takes no more: a full disk, for one."""

    exit_code = 3


class Exporter:
    """Takes finished spans, in batches, from one thread.

    With ``wants_spans`` False ``count(n)`` is called instead of ``export``; with ``wants_partial`` it also gets spans
    of what is still open (``Span.partial``). ``is_output`` False: it only listens, and does not keep a run going.
    ``export``, ``flush`` and ``close`` raise OutputEnded; one bad span is no reason to. One that has to give spans up
    later, which it took, counts them in ``losses``, as ``output.reason``, and in ``undone``, by plugin. ``name`` is the
    format, ``place`` what messages call it.
    """

    name = ""
    wants_spans = True
    wants_partial = False
    is_output = True

    def __init__(self) -> None:
        self.losses: Counter[str] = Counter()
        self.undone: Counter[str] = Counter()

    @property
    def place(self) -> str:
        """Where the spans go, for messages."""
        return self.name

    def export(self, spans: Sequence[Span]) -> None:
        """Write these spans out."""

    def count(self, n: int) -> None:
        """``n`` spans went by."""

    def flush(self) -> None:
        """Give everything to the operating system."""

    def close(self) -> None:
        """Flush and let go; safe to call twice, and after OutputEnded."""


class Meter(Exporter):
    """An exporter that measures spans, also those that are filtered out of the outputs. ``store`` is where they are
    counted; two meters may have one. ``counts``: it is this one that does; then ``measure`` is called, or, where nobody
    wants spans, records are counted in the store."""

    store: MetricStore
    counts: bool

    def measure(self, spans: Sequence[Span]) -> None:
        """Count these."""
        self.store.add(spans)


class Listener(Exporter):
    """An exporter that also wants to know how goinst itself does."""

    def telemetry(self, telemetry: Telemetry) -> None:
        """Called about once a second, and when the run has ended."""
