"""What a run has to say of its beginning and its end, in sentences, for who looks at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from goinst.diagnostics import Log
from goinst.export.ending import Ending
from goinst.plan.counters import CORE_LOSSES, CORE_NOTES
from goinst.plugin.protocol import Protocol
from goinst.plugin.summary import Summary

__all__ = ["ready_lines", "report_summary", "summary_lines", "words_of"]

_FEW = 6
_ENDS: dict[str, str] = {
    Ending.SIGINT: "ended by Ctrl-C",
    Ending.SIGTERM: "ended by SIGTERM",
    Ending.SIGHUP: "ended by SIGHUP",
    Ending.DURATION: "--duration is over",
    Ending.ENOUGH: "--max-spans is reached",
}
# what is counted on the way out, by the whole name or by what is behind its dot
_OUTPUTS = {
    "hook.dropped": "a plugin's hook dropped them",
    "where.left_out": "--where left them out",
    "sample.left_out": "--sample left them out",
    "output.stalled": "nobody took them from an output when the run ended",
    "otlp.queue_full": "they came faster than the Collector takes them (OTEL_BSP_MAX_QUEUE_SIZE)",
    "otlp.not_sent": "the Collector did not take them",
    "core.record_unreadable": "a record could not be read",
    "not_written": "an output had ended before they came",
    "decoder_raised": "the plugin's decoder failed on them",
    "fact_without_span": "what was learned of a span that never came",
    "not_installed": "the plugin that could read them is not installed",
}
# meant to be missing
_WANTED = ("hook.dropped", "where.left_out", "sample.left_out")


def words_of(protocols: Iterable[Protocol]) -> dict[str, str]:
    """Losses and notes as ``plugin.reason``, in words."""
    words = {f"core.{reason}": text for reason, text in (CORE_LOSSES | CORE_NOTES).items()}
    for protocol in protocols:
        words |= {f"{protocol.name}.{reason}": text for reason, text in CORE_LOSSES.items()}
        words |= {f"{protocol.name}.{reason}": text for reason, text in {**protocol.losses, **protocol.notes}.items()}
    return words | _OUTPUTS


def report_summary(log: Log, summary: Summary, protocols: Iterable[Protocol], *, places: bool, live: bool) -> None:
    """Say what a run, or else a replay, amounted to."""
    log.report(
        "summary", lambda: summary_lines(summary, words_of(protocols), places=places),
        **summary.fields(places=places, live=live),
    )  # fmt: skip


def ready_lines(targets: Sequence[Mapping[str, Any]], attach: str, seconds: float) -> Iterator[str]:
    """A line for each executable, as ``Tracer.members`` has it."""
    by = "" if attach == "uprobe_multi" else f" (by {attach})"
    yield f"ready after {seconds:.1f} s{by}; Ctrl-C ends it, and the programs run on"
    for target in targets:
        go = f", {target['go']}" if target["go"] else ""
        yield f"  {target['executable']} ({_pids(target['pids'])}{go}): {', '.join(target['plugins'])}"


def _pids(pids: Sequence[int]) -> str:
    if not pids:
        return "nobody runs it yet"
    more = f" and {len(pids) - _FEW} more" if len(pids) > _FEW else ""
    return f"pid{'s' if len(pids) > 1 else ''} {', '.join(map(str, pids[:_FEW]))}{more}"


def summary_lines(summary: Summary, words: Mapping[str, str], *, places: bool) -> Iterator[str]:
    """How many spans, what was lost and why, and what else is no zero."""
    wanted = {name: count for name, count in summary.losses.items() if name in _WANTED and count}
    lost = {name: count for name, count in summary.losses.items() if name not in wanted and count}
    total = f", {_number(sum(lost.values()))} lost" if lost else ""
    ended = _ENDS.get(summary.ended, summary.ended)
    yield f"{_count(summary.spans, 'span')} in {summary.seconds:.1f} s{total}; {ended}"
    for name, count in sorted(lost.items(), key=lambda item: -item[1]):
        yield f"  lost {_number(count)}: {_said(name, words)}"
    for name, count in wanted.items():
        yield f"  without {_number(count)}: {_said(name, words)}"
    if summary.open:
        yield f"  {_number(summary.open)} had begun and not ended"
    if summary.partial:
        yield f"  {_number(summary.partial)} reports of what was still open"
    if len(summary.spans_by_plugin) > 1:
        yield f"  by plugin: {_list(summary.spans_by_plugin)}"
    for name, count in sorted(summary.notes.items()):
        if count:
            yield f"  {_number(count)}: {_said(name, words)}"
    if any(summary.hits.values()):
        yield f"  probes passed: {_list(summary.hits)}"
    if summary.ring_high_water >= 0.5:
        yield f"  the ring buffer was {summary.ring_high_water:.0%} full at most"
    for name, count in sorted(summary.places.items()) if places else ():
        yield f"  lost {_number(count)} by {name}"


def _said(name: str, words: Mapping[str, str]) -> str:
    text = words.get(name) or words.get(name.partition(".")[2])
    return f"{text} ({name})" if text else name


def _list(counts: Mapping[str, int]) -> str:
    found = sorted((item for item in counts.items() if item[1]), key=lambda item: -item[1])
    more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
    return ", ".join(f"{name} {_number(count)}" for name, count in found[:_FEW]) + more


def _count(number: int, what: str) -> str:
    return f"{_number(number)} {what}{'' if number == 1 else 's'}"


def _number(number: int) -> str:
    return f"{number:,}"
