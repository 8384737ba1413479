"""Spans to where the user wants them."""

from __future__ import annotations

from goinst.export.base import OutputClosed
from goinst.export.registry import close_exporters, open_exporters
from goinst.plugin.exporter import Exporter

__all__ = ["Exporter", "OutputClosed", "close_exporters", "open_exporters"]
