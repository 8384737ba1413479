"""The live view: what is going on now, by service and route."""

from __future__ import annotations

from goinst.live.model import Model, Row
from goinst.live.screen import View, draw

__all__ = ["Model", "Row", "View", "draw"]
