"""No output: the spans are only counted."""

from __future__ import annotations

from collections.abc import Sequence

from goinst.events.span import Span

__all__ = ["CountExporter"]


class CountExporter:
    """Lets the engine skip decoding altogether when no other output wants spans. ``total`` is how many went
    by.
    """

    name = "none"
    wants_spans = False

    def __init__(self) -> None:
        self.total = 0

    def export(self, spans: Sequence[Span]) -> None:
        """Count them."""
        self.total += len(spans)

    def count(self, n: int) -> None:
        """Add ``n``."""
        self.total += n

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""
