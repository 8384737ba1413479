"""``goinst top``: the live view."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from goinst.cli.options import tracing_options, understand
from goinst.cli.replay import hooks_only, open_replay
from goinst.diagnostics import configure
from goinst.errors import UsageError
from goinst.export.ending import Ending
from goinst.extras import need

__all__ = ["top_command"]

_PATIENCE = 20.0
_UNINTERESTING = ("ready", "summary", "probes added on demand")


@click.command("top", context_settings={"allow_interspersed_args": False})
@click.option("--from", "files", multiple=True, metavar="FILE", help="A recording, instead of running programs.")
@click.option("--speed", type=click.FloatRange(min=0), default=1.0, metavar="N", help="Of a recording; 0: at once.")
@tracing_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGS]...]")
def top_command(
    files: tuple[str, ...],
    speed: float,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    config: str | None,
    **given: Any,
) -> int:
    """Watch running Go programs on a full screen: rate, errors and latency of every route and method.

    Arrow keys select, Enter opens a route with its slowest and latest spans, s sorts, / filters, p pauses, q
    quits. It needs 80 columns, and no colours.

    \b
    Examples:
      sudo goinst top --port 8080
      goinst top --from requests.goinst --speed 10
    """
    need("textual", "top", "goinst top")
    if sys.stdout is None or not sys.stdout.isatty():
        raise UsageError("goinst top draws on a terminal, and standard output is none; `goinst run` prints spans")
    from goinst.live.app import LiveApp
    from goinst.live.feed import LiveExporter, pace
    from goinst.live.model import Model

    model, said = Model(), io.StringIO()
    work: Callable[[], Any]
    stop: Callable[[], None]
    if files:
        # what is said meanwhile would spoil the screen
        log = configure(stream=said)
        replay, chosen = open_replay(files, plugins, settings, log, redact=given.get("redact"))
        hooks = hooks_only(chosen, log)
        over = threading.Event()
        work, stop = lambda: pace(((one.time, hooks.hooked(one.spans)) for one in replay), model, speed, over), over.set
    else:
        options, chosen, _ = understand(plugins, settings, config, given)

        from goinst.run.session import Session

        # all that is open is asked for each time, for the number in flight of each route
        session = Session(replace(options, partial_after=0.0), chosen, [LiveExporter(model)], configure(stream=said))
        work, stop = session.run, lambda: session.end(Ending.QUIT)
    app = LiveApp(model, work, stop, lambda: _last(said))
    app.run()
    app.finish(_PATIENCE)
    if app.failure is not None:
        raise app.failure
    return 0


def _last(said: io.StringIO) -> str:
    """The last thing that was said and is of interest to who watches."""
    lines = said.getvalue().splitlines()
    for line in reversed(lines[-20:]):
        event = json.loads(line)
        if event["event"] not in _UNINTERESTING:
            return " ".join(str(event.get(name, "")) for name in ("event", "plugin", "reason", "executable")).strip()
    return "" if lines else "starting"
