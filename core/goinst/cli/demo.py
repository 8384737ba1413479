"""``goinst demo``: see it work."""

from __future__ import annotations

import click

from goinst.errors import UsageError

__all__ = ["demo_command"]


@click.command("demo")
@click.option("--seconds", type=float, default=3.0, show_default=True, help="How long to send requests.")
def demo_command(*, seconds: float) -> int:
    """Build and start a bundled Go server, trace it while a few requests are sent, and stop by itself.

    It needs what tracing needs (see `goinst doctor`) and a Go toolchain for the server.
    """
    if not 0 < seconds <= 3600:
        raise UsageError(f"--seconds: a number above 0, up to 3600, expected, not {seconds:g}")
    from goinst.demo import run_demo

    return run_demo(seconds)
