"""No output: the spans are only counted."""

from __future__ import annotations

from goinst.plugin.exporter import Exporter

__all__ = ["CountExporter"]


class CountExporter(Exporter):
    """Lets a run skip decoding altogether when no other output wants spans: the pipeline counts them."""

    name = "none"
    wants_spans = False
