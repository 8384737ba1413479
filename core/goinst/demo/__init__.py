"""``goinst demo``: a bundled Go server, traced while it is asked a few things."""

from __future__ import annotations

from goinst.demo.run import run_demo

__all__ = ["run_demo"]
