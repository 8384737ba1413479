"""``goinst record``: trace into a file."""

from __future__ import annotations

import sys
from typing import Any

import click

from goinst import __version__
from goinst.cli.options import tracing_options, understand
from goinst.errors import UsageError
from goinst.export import close_exporters, open_exporters
from goinst.patience import Patience

__all__ = ["record_command"]


@click.command("record", context_settings={"allow_interspersed_args": False})
@click.argument("file", metavar="FILE")
@click.option("--rotate-megabytes", type=click.FloatRange(min=0.001), metavar="N", help="Then FILE.1, FILE.2 …")
@click.option("--rotate-seconds", type=click.FloatRange(min=1), metavar="S", help="Then FILE.1, FILE.2 …")
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="How many of these files are kept.  [default: all]"
)
@tracing_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGS]...]")
def record_command(
    file: str,
    rotate_megabytes: float | None,
    rotate_seconds: float | None,
    keep: int | None,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    config: str | None,
    **given: Any,
) -> int:
    """Trace running Go programs into FILE, to be replayed later.

    Cheaper than any other output: records are written as they come out of the kernel. `goinst replay`,
    `export`, `top` and `report` read them, without root and on any machine. A name that ends in .zst is
    compressed. The file can be read up to its last moment even when goinst was killed.

    FILE holds the beginnings of requests as they came, credentials in headers included, so only its owner may
    read it (mode 0600). What is hidden in spans is hidden when it is replayed.

    \b
    Examples:
      sudo goinst record --port 8080 requests.goinst
      sudo goinst record --exe '*/api' --rotate-megabytes 100 --keep 10 api.goinst.zst
      sudo goinst record --pid 4711 --duration 60 --output json:spans.jsonl requests.goinst
    """
    if keep is not None and rotate_megabytes is None and rotate_seconds is None:
        raise UsageError("--keep is about files that were rotated: add --rotate-megabytes or --rotate-seconds")
    if given["command"] and given["command"][0].startswith("-"):
        raise UsageError(f"{given['command'][0]}: options go in front of FILE, and a command to trace behind `--`")
    options, chosen, log = understand(plugins, settings, config, given)

    from goinst.recording import Recorder, RotatingFile
    from goinst.run.session import Session

    if sys.stdout is None and options.outputs:
        raise UsageError("standard output is closed, and spans go there; > /dev/null if you do not want them")
    patience = Patience()
    exporters = []
    if options.outputs or options.prometheus or options.otlp is not None:
        exporters = open_exporters(
            options.outputs,
            stdout=sys.stdout.buffer,
            is_terminal=False,
            prometheus=options.prometheus,
            otlp=options.otlp,
            patience=patience,
        )
    recorder = None
    try:
        largest = int(rotate_megabytes * 1e6) if rotate_megabytes else None
        recorder = Recorder(RotatingFile(file, largest=largest, oldest=rotate_seconds, keep=keep), __version__)
        summary = Session(options, chosen, exporters, log, [recorder], patience=patience).run()
        whole = recorder.ended is None
        recorder.close(summary.fields(places=True))
        if recorder.ended is not None and whole:  # its last frame had no room
            log.error("an output ended", output="recording", reason=str(recorder.ended))
            return recorder.ended.exit_code
        log.info("recorded", file=file, records=recorder.records, files=recorder.files)
        return summary.exit_code
    finally:
        if recorder is not None:
            recorder.close()
        close_exporters(exporters)
