"""Spans through OpenTelemetry's API to whatever SDK this Python process is configured with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from goinst.capture.wire.values import show
from goinst.plugin.exporter import Exporter
from goinst.spans.span import Span

__all__ = ["OtelExporter"]

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_NO_SDK = (
    "this Python process has no OpenTelemetry SDK, so --output otel does nothing; start goinst with"
    " opentelemetry-instrument, for one"
)


def _valid(text: str) -> str:
    """Without lone surrogates, which would spoil an SDK's whole batch."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _value(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [_valid(item) for item in value]
    # the API takes no structures: they go out as Go would print them
    return _valid(show(value) if isinstance(value, dict | list) else str(value))


class _Identifiers:
    """An SDK's id generator (same methods) that hands out the identifiers of the span at hand, so that they
    are the same in every output and parents fit."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id

    def is_trace_id_random(self) -> bool:
        return True


class OtelExporter(Exporter):
    """Starts and ends a span of the global tracer provider, with the original times, for each of ours.

    Without an SDK the API does nothing, and ``caveat`` says so. ``opentelemetry-instrument goinst run --output
    otel …`` is one way to have one. The API has no resource per span, so the target's resource goes into the
    attributes.
    """

    name = "otel"

    def __init__(self) -> None:
        super().__init__()
        self._provider = trace.get_tracer_provider()
        self._sdk = not isinstance(self._provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)
        self.caveat = "" if self._sdk else _NO_SDK
        self._identifiers = _Identifiers()
        self._tracers: dict[str, Tracer] = {}

    def export(self, spans: Sequence[Span]) -> None:
        """Hand the spans over; what then fails is the SDK's to report."""
        if self._sdk:
            for span in spans:
                self._replay(span)

    def _tracer(self, plugin: str) -> Tracer:
        if plugin not in self._tracers:
            tracer = trace.get_tracer(f"goinst.{plugin}", tracer_provider=self._provider)
            if hasattr(tracer, "id_generator"):  # the SDK's Tracer has; the API does not ask for it
                tracer.id_generator = self._identifiers
            self._tracers[plugin] = tracer
        return self._tracers[plugin]

    def _replay(self, span: Span) -> None:
        self._identifiers.trace_id, self._identifiers.span_id = span.trace_id, span.span_id
        context = Context()  # empty: never a child of what happens to be current here
        if span.parent_span_id:
            parent = SpanContext(span.trace_id, span.parent_span_id, is_remote=True, trace_flags=_SAMPLED)
            context = set_span_in_context(NonRecordingSpan(parent), context)
        attributes: dict[str, Any] = {**span.resource.attributes, **span.attributes}
        replayed = self._tracer(span.plugin).start_span(
            _valid(span.name),
            context=context,
            kind=_KINDS.get(span.kind, SpanKind.INTERNAL),
            attributes={_valid(key): _value(value) for key, value in attributes.items()},
            links=[
                Link(SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED))
                for trace_id, span_id in span.links
            ],
            start_time=span.start_ns,
        )
        if span.status == "error":
            replayed.set_status(Status(StatusCode.ERROR, _valid(span.status_message) or None))
        elif span.status == "ok":
            replayed.set_status(Status(StatusCode.OK))
        replayed.end(end_time=span.start_ns + span.duration_ns)

    def flush(self) -> None:
        """The SDK sends when it sees fit; waiting for its network here would hold up the next batch."""

    def close(self) -> None:
        """Ask the SDK to send what it holds, where it can be asked. The provider is not ours to close."""
        force = getattr(self._provider, "force_flush", None)
        if callable(force):
            force()
