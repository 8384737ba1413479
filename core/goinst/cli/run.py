"""``goinst run``: trace."""

from __future__ import annotations

import sys
from typing import Any

import click

from goinst.cli.options import reader, tracing_options, understand
from goinst.errors import UsageError
from goinst.export import close_exporters, open_exporters
from goinst.patience import Patience

__all__ = ["run_command"]


@click.command("run", context_settings={"allow_interspersed_args": False})
@tracing_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGS]...]")
def run_command(plugins: tuple[str, ...], settings: tuple[str, ...], config: str | None, **given: Any) -> int:
    """Trace running Go programs, and print a span for every operation.

    Spans go to standard output and nothing else does. What goinst itself has to say ({"event": "ready", …}
    when probes are live, a summary at the end) goes to standard error. Ctrl-C ends it; the programs run on.

    \b
    Examples:
      sudo goinst run --port 8080
      sudo goinst run --exe '/srv/*/api' --output json:spans.jsonl
      sudo goinst run --pid 4711 --duration 60 --output json | jq .name
      sudo goinst run -- ./server -listen :8080
    """
    options, chosen, log = understand(plugins, settings, config, given)
    if sys.stdout is None:
        raise UsageError("standard output is closed, and spans go there; > /dev/null if you do not want them")
    patience = Patience()
    exporters = open_exporters(
        options.outputs,
        stdout=sys.stdout.buffer,
        is_terminal=sys.stdout.isatty(),
        prometheus=options.prometheus,
        otlp=options.otlp,
        patience=patience,
    )
    try:
        from goinst.run.session import Session

        session = Session(options, chosen, exporters, log, reload=reader(config, given), patience=patience)
        return session.run().exit_code
    finally:
        close_exporters(exporters)
