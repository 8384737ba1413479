"""``goinst run``: trace."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from goinst.cli.choice import load_plugins, split_names
from goinst.config import load_config, merge, parse_setting
from goinst.diagnostics import configure
from goinst.errors import UsageError
from goinst.export import FORMATS, open_exporters

__all__ = ["run_command"]

_NO_TARGET = (
    "nothing says what to trace: give --port N, --pid N, --exe NAME, or `-- COMMAND ARGS`"
    " (goinst run --help has examples)"
)
_NO_SDK = (
    "this Python process has no OpenTelemetry SDK, so --output otel does nothing; start goinst with"
    " opentelemetry-instrument, for one"
)
_FORMATS = ", ".join(f"{name} ({meaning})" for name, meaning in FORMATS.items())


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--port", "ports", type=int, multiple=True, metavar="N", help="Who listens on this TCP port.")
@click.option("--pid", "pids", type=int, multiple=True, metavar="N", help="This process.")
@click.option(
    "--exe",
    "exes",
    multiple=True,
    metavar="GLOB",
    help="Every process whose executable's path or name matches; new ones are picked up.",
)
@click.option("--plugins", metavar="A,B", multiple=True, help="What to look for.  [default: all that come with goinst]")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[:PATH]",
    help=f"Where spans go: {_FORMATS}.  [default: console on a terminal, else json]",
)
@click.option("--duration", type=float, metavar="S", help="End after so many seconds.")
@click.option("--max-spans", type=int, metavar="N", help="End after so many spans.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PLUGIN.OPTION=VALUE",
    help="An option of a plugin (`goinst plugins` lists them).",
)
@click.option("--redact/--no-redact", default=None, help="Hide query values and credentials.  [default: hide]")
@click.option("--config", metavar="FILE", help="A YAML file with these options by name; the command line wins.")
@click.option("--stats", is_flag=True, default=None, help="Say more in the summary: where losses happened.")
@click.option("--ring-megabytes", type=int, metavar="N", help="Ring buffer between kernel and goinst.  [default: 16]")
@click.option("--max-operations", type=int, metavar="N", help="Operations under way at once.  [default: 16384]")
@click.option(
    "--lineage/--no-lineage",
    default=None,
    help="Follow the goroutines that a handler starts, so that their calls are its children.  [default: follow]",
)
@click.option("--cache/--no-cache", default=None, help="Keep analysed binaries and compiled programs.  [default: keep]")
@click.option("-v", "--verbose", is_flag=True, default=None, help="Say more on standard error.")
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
    values = {name: value for name, value in given.items() if value not in (None, ())}
    if plugins:
        values["plugins"] = split_names(plugins)
        if not values["plugins"]:
            raise UsageError("--plugins: a name is missing, as in --plugins A,B")
    for text in settings:
        plugin, option, value = parse_setting(text)
        values.setdefault("plugin_options", {}).setdefault(plugin, {})[option] = value
    options = merge(load_config(config) if config else {}, values)
    log = configure(verbose=options.verbose)
    if not options.has_target:
        raise UsageError(_NO_TARGET)
    chosen = load_plugins(options.plugins)
    broken = {failure.plugin for failure in chosen.failures}  # nobody can check the options of these
    options = replace(
        options,
        plugins=tuple(protocol.name for protocol in chosen.protocols),
        plugin_options={name: own for name, own in options.plugin_options.items() if name not in broken},
    )
    if sys.stdout is None:
        raise UsageError("standard output is closed, and spans go there; > /dev/null if you do not want them")
    exporters = open_exporters(options.outputs, stdout=sys.stdout.buffer, is_terminal=sys.stdout.isatty())
    try:
        for exporter in exporters:
            if getattr(exporter, "sdk", True) is False:
                log.warning("no OpenTelemetry SDK", reason=_NO_SDK)

        from goinst.engine.session import Session

        return Session(options, chosen, exporters, log).run().exit_code
    finally:
        for exporter in exporters:
            exporter.close()
