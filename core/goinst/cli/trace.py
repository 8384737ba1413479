"""``goinst trace``: values of any function, in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from goinst.capture.language.parser import Item, parse_expression, parse_spec
from goinst.capture.request import Aggregate, from_spec
from goinst.capture.trace import SpecCapture, split_target
from goinst.capture.wire.build import Limits
from goinst.cli.hot import HotProbes
from goinst.cli.options import setting_option
from goinst.config import RunConfig, merge
from goinst.diagnostics import configure
from goinst.errors import UsageError
from goinst.export import Exporter, close_exporters, open_exporters
from goinst.export.sink import Sink
from goinst.patience import Patience

__all__ = ["trace_command"]

_NO_TARGET = (
    "nothing says what to trace: give --exe NAME, --pid N, --port N, or `-- COMMAND ARGS`"
    " (goinst trace --help has examples)"
)
_COMMAND = "goinst.command"
_CALLS = 2048  # under way at once, of which values are kept until they return: each may need kilobytes


class _WithCommand(click.Command):
    """Keeps what stands behind ``--`` apart from the SPECs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_COMMAND] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


_OPTIONS = (
    setting_option("exes", metavar="FILE", help="Processes that run this executable."),
    setting_option("pids"),
    setting_option("ports"),
    click.option("-l", "--list", "listing", is_flag=True, help="List the functions that a SPEC means, and end."),
    click.option("--time", "timed", is_flag=True, help="How long calls take (a second probe, where they return)."),
    click.option(
        "--hist", "hists", multiple=True, metavar="EXPR", help="How a number is distributed, counted in the kernel."
    ),
    click.option(
        "--count", "counts", multiple=True, metavar="EXPR", help="How often each value occurs, counted in the kernel."
    ),
    click.option("--inlined", is_flag=True, help="Also where the compiler has inlined the function."),
    click.option("--stack", is_flag=True, help="Who called, up to 16 frames."),
    click.option(
        "--rate",
        type=click.IntRange(0),
        default=1000,
        show_default=True,
        metavar="N",
        help="At most so many events a second and function; 0: all.",
    ),
    click.option(
        "--text", type=click.IntRange(8, 4096), default=128, show_default=True, metavar="N", help="Bytes of a text."
    ),
    click.option(
        "--items",
        type=click.IntRange(1, 256),
        default=8,
        show_default=True,
        metavar="N",
        help="Elements of a slice or map.",
    ),
    click.option(
        "--depth",
        type=click.IntRange(0, 6),
        default=1,
        show_default=True,
        metavar="N",
        help="How far pointers inside a value are followed.",
    ),
    setting_option("outputs", help="As of goinst run.  [default: a line for people]"),
    setting_option("duration"),
    click.option("--max-events", type=int, metavar="N", help="End after so many events."),
    setting_option("wait", default=False),
    setting_option("cache", default=True),
    setting_option("verbose", default=False),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("trace", cls=_WithCommand)
@_options
@click.argument("specs", nargs=-1, required=True, metavar="SPEC... [-- COMMAND [ARGS]...]")
@click.pass_context
def trace_command(ctx: click.Context, /, specs: tuple[str, ...], **given: Any) -> int:
    """Print values of a running program's functions, at each call.

    A SPEC is a function, expressions over its parameters, and perhaps results and a condition, which is decided in
    the kernel. Types come from DWARF; for stripped programs say what the parameters are.

    \b
    Examples:
      goinst trace --exe ./server 'main.ping(req.Method, req.URL.Path)'
      goinst trace --exe ./server 'main.ping(w http.ResponseWriter, req *http.Request, req.URL.Path)'
      goinst trace --pid 4711 'main.(*Order).Place(o.ID, o.User.Name) -> err if err != nil'
      goinst trace --pid 4711 'main.(*Order).Place()' --hist duration
      goinst trace --port 8080 'database/sql.(*DB).QueryContext(query)' --count query
      goinst trace --pid 4711 'main.go:42(x, y)'
      goinst trace -l --exe ./server 'main.*'
      goinst trace --exe redis-server 'createStringObject(str(arg1, arg2))'
      goinst trace --pid 4711 'libssl:SSL_write(bytes(arg2, arg3))'
      goinst trace --exe java 'usdt:hotspot:class__loaded(str(arg1, arg2))'
    """
    log = configure(verbose=given["verbose"])
    command = ctx.meta.get(_COMMAND, ())
    library, protocol = _protocol(specs, given)
    config = merge(
        {},
        {
            "pids": given["pids"], "exes": given["exes"], "ports": given["ports"], "command": command,
            "outputs": given["outputs"], "wait": given["wait"], "verbose": given["verbose"], "cache": given["cache"],
            "lineage": False,
            "max_operations": _CALLS,
            "native": "always" if any(text.lstrip().startswith("usdt:") for text in specs) else "auto",
            "library": library,
            **({"duration": given["duration"]} if given["duration"] is not None else {}),
            **({"max_spans": given["max_events"]} if given["max_events"] is not None else {}),
        },
    )  # fmt: skip
    if given["listing"]:
        from goinst.cli.listing import list_functions

        return list_functions(specs, config)
    if not config.has_target:
        raise UsageError(_NO_TARGET)
    patience = Patience()
    exporters = _exporters(config, patience, counting=bool(given["hists"] or given["counts"]))
    try:
        from goinst.plugin.manager import PluginSet
        from goinst.run.session import Session

        session = Session(config, PluginSet.of(protocol), exporters, log, patience=patience, listeners=[HotProbes(log)])
        summary = session.run()
    finally:
        close_exporters(exporters)
    if session.tables:
        from goinst.capture.draw import draw_tables

        draw_tables(session.tables, sys.stdout)
    return summary.exit_code


def _protocol(specs: tuple[str, ...], given: dict[str, Any]) -> tuple[str, Any]:
    """The library that all SPECs are in ("" for the executable), and what they ask for."""
    from goinst.plugin.protocol import Protocol

    aggregates = tuple(
        Aggregate(kind, Item(text, parse_expression(text)))
        for kind, texts in (("hist", given["hists"]), ("count", given["counts"]))
        for text in texts
    )
    captures = []
    libraries: dict[str, str] = {}
    for text in specs:
        spec = parse_spec(text)
        library, target = split_target(spec)
        libraries[library] = text
        wanted = from_spec(
            spec,
            limits=Limits(given["text"], given["items"], given["depth"]),
            duration=given["timed"],
            rate=given["rate"],
            stack=16 if given["stack"] else 0,
            aggregates=aggregates,
        )
        captures.append(SpecCapture(replace(wanted, target=target), spec.regex, given["inlined"]))
    if all(library.startswith("usdt:") for library in libraries):
        return " ".join(libraries), Protocol("trace", "values of functions", captures=tuple(captures))
    if len(libraries) > 1:
        raise UsageError(
            f"{' and '.join(repr(text) for text in libraries.values())} are in different files; trace one at a time"
        )
    return next(iter(libraries)), Protocol("trace", "values of functions", captures=tuple(captures))


def _exporters(config: RunConfig, patience: Patience, *, counting: bool) -> list[Exporter]:
    if sys.stdout is None:
        raise UsageError("standard output is closed, and events go there; > /dev/null if you do not want them")
    if config.outputs:
        return open_exporters(
            config.outputs, stdout=sys.stdout.buffer, is_terminal=sys.stdout.isatty(), patience=patience
        )
    if counting:
        return open_exporters(("none",), stdout=sys.stdout.buffer, is_terminal=False)
    from goinst.export.lines import LinesExporter

    sink = Sink(sys.stdout.buffer, "standard output", owned=False, waits=patience)
    return [LinesExporter(sink, is_terminal=sys.stdout.isatty())]
