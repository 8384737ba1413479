"""A recording as a page to read."""

from __future__ import annotations

from goinst.report.collect import Collector, Waterfalls
from goinst.report.page import write_page

__all__ = ["Collector", "Waterfalls", "write_page"]
