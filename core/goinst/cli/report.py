"""``goinst report``: a recording as a page."""

from __future__ import annotations

import platform
from pathlib import Path

import click

from goinst import __version__
from goinst.cli.options import setting_option
from goinst.cli.replay import hooks_only, open_replay
from goinst.diagnostics import configure
from goinst.errors import TargetError, UsageError

__all__ = ["report_command"]


@click.command("report")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "path", required=True, metavar="PATH", help="The page: one HTML file.")
@click.option("--title", metavar="TEXT", help="What stands above it.  [default: the services' names]")
@setting_option("plugins", help="Decode with these only.  [default: all installed]")
@setting_option("redact", help="Hide query values and credentials.  [default: as recorded]")
def report_command(
    *, files: tuple[str, ...], path: str, title: str | None, plugins: tuple[str, ...], redact: bool | None
) -> int:
    """Make one self-contained HTML page of recordings: latency of every route, errors, the slowest traces as
    waterfalls, which service calls which, and what was lost.

    \b
    Example:
      goinst report requests.goinst -o report.html
    """
    from goinst.report import Collector, Waterfalls, write_page

    log = configure()
    replay, chosen = open_replay(files, plugins, (), log, redact=redact)
    pipeline, collector = hooks_only(chosen, log), Collector()
    for batch in replay:
        collector.add(pipeline.hooked(batch.spans))
    losses = replay.losses | pipeline.losses()
    if not collector.count:
        raise TargetError(f"{files[0]}: there is no span in it, so there is nothing to report")
    waterfalls = Waterfalls(collector.traces())
    again, _ = open_replay(files, plugins, (), log, redact=redact)
    for batch in again:
        waterfalls.add(pipeline.hooked(batch.spans))
    figures = collector.figures()
    services = sorted({route["service"] for route in figures["routes"]})
    page = write_page(
        {
            **figures,
            "title": title or ", ".join(services[:3]) + (" …" if len(services) > 3 else ""),
            "services": services,
            "traces": waterfalls.members(),
            "losses": dict(losses),
            "cut": replay.cut,
            "sources": [
                {"executable": one["executable"], "go": one["binary"].get("go_version", ""), "plugins": one["plugins"]}
                for one in replay.sources.values()
            ],
            "made": f"goinst {__version__} on {platform.node()}",
        }
    )
    try:
        Path(path).write_bytes(page)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    log.info("report", file=path, spans=collector.count, bytes=len(page))
    return 0
