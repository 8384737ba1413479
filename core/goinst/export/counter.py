"""No output: the spans are only counted."""

from __future__ import annotations

from goinst.plugin.exporter import Exporter

__all__ = ["CountExporter"]


class CountExporter(Exporter):
    """Lets the engine skip decoding altogether when no other output wants spans. ``total`` is how many went
    by.
    """

    name = "none"
    wants_spans = False

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def count(self, n: int) -> None:
        """Add ``n``."""
        self.total += n
