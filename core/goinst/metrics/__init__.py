"""Spans to metrics: what is counted of them, under which name, in bounded memory."""

from __future__ import annotations

from goinst.metrics.conventions import Instrument, Measurement, measure
from goinst.metrics.store import Limits, MetricStore, Point

__all__ = ["Instrument", "Limits", "Measurement", "MetricStore", "Point", "measure"]
