"""The last steps of a span inside goinst, live or replayed: hooks, meters, filters, outputs; and what they came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from goinst.errors import GoinstError
from goinst.export.base import Listener, Meter, OutputClosed, OutputEnded, OutputStalled
from goinst.export.ending import Ending
from goinst.metrics import MetricStore
from goinst.plugin.exporter import Exporter
from goinst.plugin.hooks import Failed
from goinst.plugin.manager import PluginSet
from goinst.plugin.summary import Summary
from goinst.records.observer import Observer, Telemetry
from goinst.spans.span import Span

__all__ = ["Pipeline"]


class _Output:
    """An exporter, how many spans it took, in all and by plugin, and why it takes no more."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.taken = 0
        self.plugins: Counter[str] = Counter()
        self.ended: OutputEnded | None = None

    def take(self, spans: list[Span], count: int, plugins: Mapping[str, int]) -> int:
        """How many it takes of these."""
        if self.ended is not None:
            return 0
        try:
            if self.exporter.wants_spans:
                self.exporter.export(spans)
            else:
                self.exporter.count(count)
        except OutputEnded as ended:
            self.ended = ended
            count, plugins = ended.spans, Counter(span.plugin for span in spans[: ended.spans])
        self.taken += count
        self.plugins.update(plugins)
        return count

    @property
    def got(self) -> int:
        """How many of them it did not lose later."""
        return self.taken - self.exporter.undone.total()

    @property
    def loss(self) -> str:
        """What spans are counted as that it did not take."""
        return f"{self.exporter.name}.not_written" if not isinstance(self.ended, OutputStalled) else "output.stalled"


class Pipeline:
    """Hands batches on, counts them, and says in the end what they came to.

    ``limit`` is how many spans are wanted in all, or None; ``end`` is called with the reason when that many went out or
    no output is left that takes any; ``failed`` when a hook is switched off. ``keep`` is what spans must pass to go
    out, by the name under which the others are counted; metrics are of all of them. ``observers`` are outputs of their
    own. ``log`` is told of each output that ends before the run does.

    Outputs fail one by one: the others go on, and what one did not get is counted as a loss under its name, so that for
    each the spans that it got, what was lost and what is open are all that there was. ``spans`` is what the output got
    that got most, ``spans_by_plugin`` whose they are.
    """

    def __init__(
        self,
        plugins: PluginSet,
        exporters: Sequence[Exporter],
        limit: int | None,
        end: Callable[[Ending], None],
        failed: Failed,
        keep: Mapping[str, Callable[[Span], bool]] | None = None,
        *,
        log: Any,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.keep = keep or {}
        self._hooks = plugins.hooks
        self._exporters = list(exporters)
        self._outputs = [_Output(one) for one in exporters]
        self._observers = list(observers)
        self.spans = 0
        self.spans_by_plugin: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._partial = self._exit_code = 0
        self._limit = limit
        self._end = end
        self._failed = failed
        self._log = log
        self._over = False
        self._said: list[Observer] = []
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
        if self._hooks.want_spans or len(self._meters) != 1:
            return None
        return self._meters[0].store

    def tallied(self, spans: Mapping[str, int]) -> None:
        """A batch of which only metrics were wanted: spans by plugin."""
        self._give([], sum(spans.values()), spans)

    def deliver(self, spans: list[Span], count: int) -> None:
        """A batch: ``count`` spans, decoded if anybody wants them decoded."""
        limit = self._limit
        if spans:
            spans = self.hooked(spans)
            for meter in self._meters:
                meter.measure(spans)
            spans = self._kept(spans)
            count = len(spans)
        if limit is not None and self.spans + count >= limit:
            count = limit - self.spans
            spans = spans[:count]
            self._end(Ending.ENOUGH)
        self._give(spans, count, Counter([span.plugin for span in spans]))

    def _give(self, spans: list[Span], count: int, plugins: Mapping[str, int]) -> None:
        """To all outputs."""
        most = 0
        for output in self._outputs if count else ():
            before = output.ended
            taken = output.take(spans, count, plugins)
            most = max(most, taken)
            if output.ended is not None:
                if count > taken:
                    self._lost[output.loss] += count - taken
                if before is None:
                    self._ended(output, output.ended)
        for observer in self._observers:
            if observer.ended is None:
                most = count
            elif count:
                self._lost["recording.not_written"] += count
        if not self._outputs and not self._observers:
            most = count
        self._look()
        self.spans += most
        self.spans_by_plugin.update(plugins if most == count else Counter(span.plugin for span in spans[:most]))

    def _ended(self, output: _Output, ended: OutputEnded) -> None:
        """Say that an output takes no more, and what becomes of the run."""
        self._exit_code = max(self._exit_code, ended.exit_code)
        self._look(ended)
        if not isinstance(ended, OutputClosed):
            say = self._log.warning if isinstance(ended, OutputStalled) else self._log.error
            say("an output ended", output=output.exporter.place, reason=str(ended))
        elif not self._over:
            self._log.warning("an output ended", output=output.exporter.place, reason="its reader went away")

    def _look(self, ended: GoinstError | None = None) -> None:
        """End the run when nobody takes spans any more; ``ended`` is why the last output does not."""
        for observer in self._observers:
            if observer.ended is not None and observer not in self._said:
                self._said.append(observer)
                self._exit_code = max(self._exit_code, observer.ended.exit_code)
                self._log.error("an output ended", output="recording", reason=str(observer.ended))
                ended = ended or observer.ended
        if ended is not None and not self._over:
            reasons = [*(one.ended for one in self._outputs), *(one.ended for one in self._observers)]
            self._over = None not in reasons
            if self._over and not isinstance(ended, OutputStalled):  # that happens only when the run ends anyway
                self._end(Ending.CLOSED if isinstance(ended, OutputClosed) else Ending.NO_OUTPUT)

    def _kept(self, spans: list[Span]) -> list[Span]:
        for name, wanted in self.keep.items():
            kept = [span for span in spans if wanted(span)]
            if len(kept) < len(spans):
                self._lost[name] += len(spans) - len(kept)
            spans = kept
        return spans

    def report(self, spans: list[Span]) -> None:
        """Spans of what is still open, for the exporters that can tell them from those that have ended."""
        wanting = [one for one in self._outputs if one.exporter.wants_partial and one.ended is None]
        spans = self._kept(self.hooked(spans)) if wanting else []
        self._partial += len(spans)
        for output in wanting:
            self._try(output, lambda exporter: exporter.export(spans))
            self._try(output, lambda exporter: exporter.flush())

    def _try(self, output: _Output, do: Callable[[Exporter], None]) -> None:
        if output.ended is None:
            try:
                do(output.exporter)
            except OutputEnded as ended:
                output.ended = ended
                self._ended(output, ended)

    def hooked(self, spans: list[Span]) -> list[Span]:
        """Let the plugins' hooks see the batch; a hook that raises is switched off with its plugin's hooks."""
        if not self._hooks.want_spans:
            return spans
        count = len(spans)
        self._hooks.spans(spans, self._failed)
        kept = [span for span in spans if not span.dropped]
        if len(kept) < count:  # also what a hook took out of the list
            self._lost["hook.dropped"] += count - len(kept)
        return kept

    def flush(self) -> None:
        """Give what is buffered to whoever reads it."""
        for output in self._outputs:
            self._try(output, lambda exporter: exporter.flush())
        self._look()

    def give_up(self, count: int) -> None:
        """``count`` spans were not even decoded, because the user does not want to wait; observers have them."""
        if not self._outputs:
            self._give([], count, {})
        elif count:
            self._lost["output.stalled"] += count

    def finish(self) -> None:
        """No span comes any more: let the exporters send what they hold, and end."""
        self.flush()
        for output in self._outputs:
            ended = output.ended
            self._try(output, lambda exporter: exporter.close())
            if ended is not None:
                output.exporter.close()
        self._settle()

    def _settle(self) -> None:
        """What outputs took and lost later was not among the spans after all."""
        if not self._outputs or any(observer.ended is None for observer in self._observers):
            return
        best = max(self._outputs, key=lambda output: output.got)
        if best.got < self.spans:
            self.spans = best.got
            self.spans_by_plugin = best.plugins - best.exporter.undone

    def losses(self) -> Counter[str]:
        """What was lost on the way out, as ``where.reason``: left out by hooks, or by an exporter that could not."""
        losses = Counter(self._lost)
        for exporter in self._exporters:
            losses.update(exporter.losses)
        return losses

    def summary(
        self,
        state: Telemetry,
        *,
        ended: str,
        seconds: float,
        notes: Mapping[str, int] | None = None,
        places: Mapping[str, int] | None = None,
    ) -> Summary:
        """What the run or the replay amounted to, when it is finished; the plugins are told. ``state`` is what was seen
        of it, ``losses()`` included."""
        summary = Summary(
            spans=self.spans,
            exit_code=self._exit_code,
            ended=ended,
            seconds=seconds,
            open=state.open.total(),
            partial=self._partial,
            spans_by_plugin=self.spans_by_plugin,
            losses=state.losses,
            notes=notes or {},
            places=places or {},
            hits=state.hits,
            ring_high_water=state.ring_high_water,
        )
        self._hooks.summary(summary, self._failed)
        return summary
