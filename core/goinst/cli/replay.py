"""``goinst replay``: recorded records to spans, into any output."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from goinst.cli.choice import load_plugins, split_names
from goinst.cli.options import setting_option, settings_of
from goinst.diagnostics import Log, configure
from goinst.errors import PluginError, UsageError
from goinst.export import close_exporters, open_exporters
from goinst.export.ending import Ending
from goinst.export.filters import filters

if TYPE_CHECKING:
    from goinst.export.pipeline import Pipeline
    from goinst.plugin.manager import PluginSet
    from goinst.recording import Replay

__all__ = ["hooks_only", "open_replay", "replay_command", "replay_into"]


@click.command("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@setting_option("outputs", help="As for `goinst run`.")
@setting_option("otlp", help="As for `goinst run`.")
@setting_option("plugins", help="Decode with these only.  [default: all installed]")
@setting_option("plugin_options", help="Instead of the recorded one.")
@setting_option("redact", help="Hide query values and credentials.  [default: as recorded]")
@setting_option("where", default="", help="As for `goinst run`.")
@setting_option("sample", type=float, default=1.0, metavar="SHARE", help="As for `goinst run`.")
@setting_option("max_spans", type=click.IntRange(min=1))
@setting_option("verbose", default=False)
def replay_command(
    *,
    files: tuple[str, ...],
    outputs: tuple[str, ...],
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    redact: bool | None,
    otlp: str | None,
    where: str,
    sample: float,
    max_spans: int | None,
    verbose: bool,
) -> int:
    """Do again, from recordings, what the live run did: the same spans, into any output, without root.

    Several FILEs are put in order by themselves, so `api.goinst*` is right for a recording that was rotated.

    \b
    Examples:
      goinst replay requests.goinst
      goinst replay requests.goinst --output json | jq .name
      goinst replay requests.goinst* --output parquet:requests.parquet
    """
    return replay_into(
        outputs, files, plugins, settings, redact=redact, max_spans=max_spans, verbose=verbose, otlp=otlp,
        where=where, sample=sample,
    )  # fmt: skip


def open_replay(
    files: Sequence[str],
    plugins: Sequence[str],
    settings: tuple[str, ...],
    log: Log,
    *,
    redact: bool | None,
) -> tuple[Replay, PluginSet]:
    """The recordings, to be replayed with the named plugins, or all that are installed. A plugin that is missing or
    broken is named once."""
    from goinst.plugin.manager import PluginSet, installed
    from goinst.recording import Replay, open_recordings

    recordings = open_recordings(files)
    names = split_names(plugins)
    chosen = load_plugins(names) if names else PluginSet.load(one.name for one in installed() if not one.error)
    said: set[str] = set()

    def failed(error: PluginError) -> None:
        if str(error) not in said:
            said.add(str(error))
            log.error("plugin cannot be used", plugin=error.plugin, reason=str(error))

    for failure in chosen.failures:
        failed(failure)
    return Replay(recordings, chosen.protocols, failed, options=settings_of(settings), redact=redact), chosen


def hooks_only(chosen: PluginSet, log: Log) -> Pipeline:
    """The plugins' hooks, for who takes the spans himself: ``hooked`` gives those that remain, ``losses`` counts."""
    from goinst.export.pipeline import Pipeline

    return Pipeline(chosen, (), None, lambda _: None, _switched_off(log), log=log)


def _switched_off(log: Log) -> Callable[[PluginError], None]:
    return lambda error: log.error("plugin switched off", plugin=error.plugin, reason=str(error))


def replay_into(
    outputs: Sequence[str],
    files: Sequence[str],
    plugins: Sequence[str],
    settings: tuple[str, ...],
    *,
    redact: bool | None,
    max_spans: int | None,
    verbose: bool,
    otlp: str | None = None,
    where: str = "",
    sample: float = 1.0,
) -> int:
    """Replay files into outputs; a summary at the end."""
    log = configure(verbose=verbose)
    keep = filters(where, sample)

    from goinst.export.pipeline import Pipeline
    from goinst.records.observer import Telemetry
    from goinst.run.wording import report_summary

    replay, chosen = open_replay(files, plugins, settings, log, redact=redact)
    if sys.stdout is None:
        raise UsageError("standard output is closed, and spans go there; > /dev/null if you do not want them")
    exporters = open_exporters(outputs, stdout=sys.stdout.buffer, is_terminal=sys.stdout.isatty(), otlp=otlp)
    began, ends = time.monotonic(), list[Ending]()
    try:
        pipeline = Pipeline(chosen, exporters, max_spans, ends.append, _switched_off(log), keep, log=log)
        replay.store = pipeline.store
        for batch in replay:
            pipeline.tallied(batch.tallied)
            pipeline.deliver(batch.spans, len(batch.spans))
            if ends:
                break
        pipeline.finish()
        for words in replay.cut:
            log.warning("the recording has no good end; all that is before was replayed", reason=words)
        summary = pipeline.summary(
            Telemetry(losses=replay.losses | pipeline.losses()), ended=[*ends, Ending.RECORDING][0],
            seconds=time.monotonic() - began,
        )  # fmt: skip
        report_summary(log, summary, chosen.protocols, places=False, live=False)
    finally:
        close_exporters(exporters)
    return summary.exit_code
