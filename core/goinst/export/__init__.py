"""Spans to where the user wants them."""

from __future__ import annotations

from goinst.export.base import Exporter, OutputClosed
from goinst.export.registry import FORMATS, close_exporters, open_exporters

__all__ = ["FORMATS", "Exporter", "OutputClosed", "close_exporters", "open_exporters"]
