"""The last step of a span inside goinst: through the plugins' hooks to the exporters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from goinst.engine.summary import Summary
from goinst.errors import PluginError
from goinst.events.span import Span
from goinst.export.base import Exporter, Listener, Meter, OutputClosed
from goinst.metrics import MetricStore
from goinst.plugin.manager import PluginSet

__all__ = ["Delivery"]


class Delivery:
    """Hands batches on and counts them in ``summary``.

    ``limit`` is how many spans are wanted in all, or None; ``end`` is called with the reason when that many went out or
    nobody reads an output any more; ``failed`` when a hook is switched off. ``keep`` is what spans must pass to go
    out, by the name under which the others are counted; metrics are of all of them.
    """

    def __init__(
        self,
        plugins: PluginSet,
        exporters: Sequence[Exporter],
        summary: Summary,
        limit: int | None,
        end: Callable[[str], None],
        failed: Callable[[PluginError], None],
        keep: Mapping[str, Callable[[Span], bool]] | None = None,
    ) -> None:
        self.keep = keep or {}
        self._hooks = plugins.hooks
        self._exporters = list(exporters)
        self._summary = summary
        self._limit = limit
        self._end = end
        self._failed = failed
        self._meters = [one for one in self._exporters if isinstance(one, Meter) and one.counts]
        # whether anybody wants more of spans than their number
        self.decode = any(exporter.wants_spans for exporter in self._exporters) or bool(self.keep or self._meters)
        self.listeners: list[Listener] = [one for one in self._exporters if isinstance(one, Listener)]

    @property
    def store(self) -> MetricStore | None:
        """Where records can be counted without a span for each, because metrics are all that anybody wants; None where
        spans are wanted, or a hook, a filter or a limit has to see them."""
        if any(one.wants_spans for one in self._exporters) or self.keep or self._limit is not None:
            return None
        if self._hooks or len(self._meters) != 1:
            return None
        return self._meters[0].store

    def tallied(self, spans: Mapping[str, int]) -> None:
        """A batch of which only metrics were wanted: spans by plugin."""
        count = sum(spans.values())
        self._summary.spans_by_plugin.update(spans)
        self._summary.spans += count
        for exporter in self._exporters:
            exporter.count(count)

    def deliver(self, spans: list[Span], count: int) -> None:
        """A batch: ``count`` spans, decoded if anybody wants them decoded."""
        summary, limit = self._summary, self._limit
        if spans:
            spans = self.hooked(spans)
            for meter in self._meters:
                meter.measure(spans)
            spans = self._kept(spans)
            count = len(spans)
        if limit is not None and summary.spans + count >= limit:
            count = limit - summary.spans
            spans = spans[:count]
            self._end("enough spans")
        if spans:
            summary.spans_by_plugin.update([span.plugin for span in spans])
        summary.spans += count
        try:
            for exporter in self._exporters:
                if exporter.wants_spans:
                    exporter.export(spans)
                else:
                    exporter.count(count)
        except OutputClosed:
            self._end("the output was closed")

    def _kept(self, spans: list[Span]) -> list[Span]:
        for name, wanted in self.keep.items():
            kept = [span for span in spans if wanted(span)]
            if len(kept) < len(spans):
                self._summary.losses[name] += len(spans) - len(kept)
            spans = kept
        return spans

    def report(self, spans: list[Span]) -> None:
        """Spans of what is still open, for the exporters that can tell them from those that have ended."""
        wanting = [one for one in self._exporters if getattr(one, "wants_partial", False)]
        spans = self._kept(self.hooked(spans)) if wanting else []
        self._summary.partial += len(spans)
        try:
            for exporter in wanting:
                exporter.export(spans)
                exporter.flush()
        except OutputClosed:
            self._end("the output was closed")

    def hooked(self, spans: list[Span]) -> list[Span]:
        """Let the plugins' hooks see the batch; a hook that raises is switched off with its plugin's hooks."""
        if not self._hooks:
            return spans
        count = len(spans)
        for error in self._hooks.spans(spans):
            self._failed(error)
        kept = [span for span in spans if not span.dropped]
        if len(kept) < count:  # also what a hook took out of the list
            self._summary.losses["hook.dropped"] += count - len(kept)
        return kept

    def flush(self) -> None:
        """Give what is buffered to whoever reads it."""
        try:
            for exporter in self._exporters:
                exporter.flush()
        except OutputClosed:
            self._end("the output was closed")

    def finish(self) -> None:
        """No span comes any more: let the exporters send what they hold, and end."""
        self.flush()
        for exporter in self._exporters:
            exporter.close()

    def losses(self) -> Counter[str]:
        """What was lost on the way out, as ``where.reason``: left out by hooks, or by an exporter that could not."""
        losses = Counter(self._summary.losses)
        for exporter in self._exporters:
            losses.update(getattr(exporter, "losses", {}))
        return losses
