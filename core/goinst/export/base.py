"""How an output ends, and what some exporters are beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from goinst.errors import GoinstError
from goinst.plugin.exporter import Exporter
from goinst.records.observer import Telemetry
from goinst.spans.span import Span

if TYPE_CHECKING:
    from goinst.metrics import MetricStore

__all__ = ["Listener", "Meter", "OutputClosed", "OutputEnded", "OutputFailed", "OutputStalled"]


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


class Meter(Exporter):
    """An exporter that measures spans, also those that are filtered out of the outputs. ``store`` is where they are
    counted; two meters may have one. ``counts``: it is this one that does; then ``measure`` is called, or, where nobody
    wants spans, records are counted in the store."""

    store: MetricStore
    counts: bool

    def measure(self, spans: Sequence[Span]) -> None:
        """Count these."""
        self.store.add(spans)


class Listener:
    """Wants to know how goinst itself does. An exporter may be one, too."""

    def telemetry(self, telemetry: Telemetry) -> None:
        """Called about once a second, and when the run has ended."""
