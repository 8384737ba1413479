"""``goinst export``: a recording in another format."""

from __future__ import annotations

import click

from goinst.cli.options import setting_option
from goinst.cli.replay import replay_into
from goinst.errors import UsageError

__all__ = ["export_command"]

_FORMATS = ("json", "msgpack", "csv", "parquet", "chrome-trace", "otlp")


def _form(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """One of goinst's formats, or an output that a plugin brings, which is looked for only when it is none of those."""
    from goinst.export.registry import OWN, brought

    if value not in _FORMATS and value not in OWN:
        plugins = brought()
        if value in plugins.formats or value in plugins.taken:
            return value
    return str(click.Choice(_FORMATS).convert(value, param, ctx))


def _begin(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [form for form in _FORMATS if form.startswith(incomplete)]


@click.command("export")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--to",
    "form",
    required=True,
    callback=_form,
    shell_complete=_begin,
    metavar=f"[{'|'.join(_FORMATS)}]",
    help="The format, or a plugin's output.",
)
@click.option(
    "-o", "path", metavar="PATH", default="-", help="Where to: a file, or an endpoint.  [default: standard output]"
)
@setting_option("redact", help="Hide query values and credentials.  [default: as recorded]")
@setting_option("verbose", default=False)
def export_command(*, files: tuple[str, ...], form: str, path: str, redact: bool | None, verbose: bool) -> int:
    """Write the spans of recordings in the format of another program.

    csv and parquet have a row a span; parquet (pip install 'goinst[parquet]') is what DuckDB, Spark and
    ClickHouse read at once. https://ui.perfetto.dev opens a chrome-trace.

    \b
    Examples:
      goinst export requests.goinst --to csv -o requests.csv
      goinst export requests.goinst --to parquet -o requests.parquet
      goinst export requests.goinst --to otlp -o http://127.0.0.1:4317
      goinst export requests.goinst --to chrome-trace -o requests.trace.json
    """
    if form == "parquet" and path == "-":
        raise UsageError("--to parquet: it needs a file: -o requests.parquet")
    if form == "otlp":
        endpoint = "" if path == "-" else path
        return replay_into((), files, (), (), redact=redact, max_spans=None, verbose=verbose, otlp=endpoint)
    return replay_into(
        [form if path == "-" else f"{form}:{path}"], files, (), (), redact=redact, max_spans=None, verbose=verbose
    )
