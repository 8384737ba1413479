"""Which processes."""

from __future__ import annotations

from goinst.target.discover import Selector
from goinst.target.process import Process

__all__ = ["Process", "Selector"]
