"""What an exporter is: the base class of goinst's own and of those that plugins bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from goinst.spans.span import Span

__all__ = ["Exporter", "Offer"]


class Exporter:
    """Takes finished spans, in batches, from one thread. What it can do it declares:

    With ``wants_spans`` False ``count(n)`` is called instead of ``export``; with ``wants_partial`` it also gets spans
    of what is still open (``Span.partial``). ``caveat``: what the user should know of it before the run begins.

    Spans are shared by all exporters, and read only here. One bad span is no reason to raise: what ``export``,
    ``flush`` or ``close`` raises ends this output, and no other. One that has to give spans up later, which it took,
    counts them in ``losses``, as ``output.reason``, and in ``undone``, by the spans' plugin. ``name`` is the format,
    ``place`` what messages call it.
    """

    name = ""
    wants_spans = True
    wants_partial = False
    caveat = ""

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
        """Flush and let go; safe to call twice, and after the output has ended."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An output that a plugin brings: what ``--output`` calls it, whose it is, what it is in a few words, and what
    makes one of what stands behind the colon (nothing: an empty text)."""

    name: str
    plugin: str
    meaning: str
    make: Callable[[str], Exporter]
