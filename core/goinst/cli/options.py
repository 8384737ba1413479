"""The options that every command which traces has, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goinst.cli.choice import load_plugins, split_names
from goinst.config import RunConfig, load_config, merge, parse_setting
from goinst.diagnostics import Log, configure
from goinst.errors import UsageError
from goinst.export import FORMATS
from goinst.export.filters import filters
from goinst.sampling import parse_sampling

if TYPE_CHECKING:
    from goinst.plugin.manager import PluginSet

__all__ = ["reader", "settings_of", "tracing_options", "understand"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NO_TARGET = (
    "nothing says what to trace: give --port N, --pid N, --exe NAME, or `-- COMMAND ARGS`"
    " (goinst run --help has examples)"
)
_FORMATS = ", ".join(f"{name} ({meaning})" for name, meaning in FORMATS.items())

_OPTIONS = (
    click.option("--port", "ports", type=int, multiple=True, metavar="N", help="Who listens on this TCP port."),
    click.option("--pid", "pids", type=int, multiple=True, metavar="N", help="This process."),
    click.option(
        "--exe",
        "exes",
        multiple=True,
        metavar="GLOB",
        help="Every process whose executable's path or name matches; new ones are picked up.",
    ),
    click.option(
        "--plugins", metavar="A,B", multiple=True, help="What to look for.  [default: all that come with goinst]"
    ),
    click.option(
        "--output",
        "outputs",
        multiple=True,
        metavar="FORMAT[:PATH]",
        help=f"Where spans go: {_FORMATS}.  [default: console on a terminal, else json]",
    ),
    click.option(
        "--prometheus",
        metavar="ADDRESS",
        help="Serve metrics here, as 127.0.0.1:9464; no spans go anywhere unless --output is given.",
    ),
    click.option(
        "--otlp",
        is_flag=False,
        flag_value="",
        metavar="[ENDPOINT]",
        help="Send spans and metrics to an OpenTelemetry Collector; without ENDPOINT as OTEL_* variables say.",
    ),
    click.option(
        "--where", metavar="EXPR", help="Only these spans: 'http.response.status_code >= 500 or duration > 250ms'."
    ),
    click.option("--wait", is_flag=True, default=None, help="Wait for targets that are not there yet."),
    click.option("--service-name", metavar="NAME", help="Of processes that have no OTEL_SERVICE_NAME of their own."),
    click.option("--duration", type=float, metavar="S", help="End after so many seconds."),
    click.option(
        "--partial-after",
        type=float,
        metavar="S",
        help="Report what is still open after so many seconds, and again each time.  [default: only at its end]",
    ),
    click.option("--max-spans", type=int, metavar="N", help="End after so many spans."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="PLUGIN.OPTION=VALUE",
        help="An option of a plugin (`goinst plugins` lists them).",
    ),
    click.option("--redact/--no-redact", default=None, help="Hide query values and credentials.  [default: hide]"),
    click.option("--config", metavar="FILE", help="A YAML file with these options by name; the command line wins."),
    click.option("--stats", is_flag=True, default=None, help="Say more in the summary: where losses happened."),
    click.option(
        "--ring-megabytes", type=int, metavar="N", help="Ring buffer between kernel and goinst.  [default: 16]"
    ),
    click.option("--max-operations", type=int, metavar="N", help="Operations under way at once.  [default: 16384]"),
    click.option(
        "--lineage/--no-lineage",
        default=None,
        help="Follow the goroutines that a handler starts, so that their calls are its children.  [default: follow]",
    ),
    click.option(
        "--propagate",
        is_flag=False,
        flag_value="write",
        type=click.Choice(["write", "dry-run"]),
        help="Write a traceparent header into the requests that the programs send, where they have none, so that traces"
        " go on in what they call. This writes into their memory; dry-run writes nothing and says what it would."
        "  [default: only read]",
    ),
    click.option(
        "--sample",
        metavar="HOW",
        help="Which traces to keep: all, parent (what the caller sampled), 0.1 (a share of them), rate=100 (new ones a"
        " second); the last two keep to what a caller decided.  [default: all]",
    ),
    click.option(
        "--cache/--no-cache", default=None, help="Keep analysed binaries and compiled programs.  [default: keep]"
    ),
    click.option("-v", "--verbose", is_flag=True, default=None, help="Say more on standard error."),
)


def tracing_options(command: _Command) -> _Command:
    """Add the options; the command hands what it gets to ``understand``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def understand(
    plugins: tuple[str, ...], settings: tuple[str, ...], config: str | None, given: dict[str, Any]
) -> tuple[RunConfig, PluginSet, Log]:
    """The configuration, the plugins of the run, and the log. UsageError when they make no sense."""
    values = {name: value for name, value in given.items() if value not in (None, ())}
    if plugins:
        values["plugins"] = split_names(plugins)
        if not values["plugins"]:
            raise UsageError("--plugins: a name is missing, as in --plugins A,B")
    if settings:
        values["plugin_options"] = settings_of(settings)
    options = merge(load_config(config) if config else {}, values)
    log = configure(verbose=options.verbose)
    filters(
        options.where, parse_sampling(options.sample).share
    )  # what is wrong with it is said before anything is loaded
    if not options.has_target:
        raise UsageError(_NO_TARGET)
    chosen = load_plugins(options.plugins)
    broken = {failure.plugin for failure in chosen.failures}  # nobody can check the options of these
    options = replace(
        options,
        named=options.plugins,
        plugins=tuple(protocol.name for protocol in chosen.protocols),
        plugin_options={name: own for name, own in options.plugin_options.items() if name not in broken},
    )
    return options, chosen, log


def settings_of(texts: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """``PLUGIN.OPTION=VALUE`` texts by plugin and option."""
    found: dict[str, dict[str, object]] = {}
    for text in texts:
        plugin, option, value = parse_setting(text)
        found.setdefault(plugin, {})[option] = value
    return found


def reader(config: str | None, given: dict[str, Any]) -> Callable[[], RunConfig] | None:
    """Reads the configuration file again, with the same command line; None when there is no file."""
    if config is None:
        return None
    values = {name: value for name, value in given.items() if value not in (None, ())}
    return lambda: merge(load_config(config), values)
