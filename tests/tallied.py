"""A recording counted twice: by a span for each, and without; and how many records were decoded for the second."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from goinst import Protocol
from goinst.metrics import MetricStore
from goinst.recording import Replay, open_recordings

__all__ = ["compare"]


def _refuse(error: Exception) -> None:
    raise AssertionError(str(error))


def _shown(store: MetricStore) -> dict[Any, Any]:
    return {
        (point.instrument.name, point.service, *sorted(point.attributes.items())): (
            point.counts,
            [exemplar is not None for exemplar in point.exemplars],
        )
        for point in store.snapshot()
    }


def _counting(protocol: Protocol, decoded: Counter[str]) -> Protocol:
    def wrapped(record: Any) -> Any:
        def decode(values: Any, span: Any, context: Any) -> None:
            decoded[record.name] += 1
            record.decode(values, span, context)

        return dataclasses.replace(record, decode=decode)

    return dataclasses.replace(protocol, records=tuple(map(wrapped, protocol.records)))


def compare(path: Path, protocols: Sequence[Protocol]) -> tuple[Counter[str], Counter[str]]:
    """Assert that both ways give the same; (spans by plugin, records that were decoded, by name)."""
    spans: list[Any] = []
    one, other = MetricStore(), MetricStore()
    decoding = Replay(open_recordings([str(path)]), protocols, _refuse)
    for batch in decoding:
        spans += batch.spans
    one.add(spans)
    decoded: Counter[str] = Counter()
    counting = Replay(open_recordings([str(path)]), [_counting(each, decoded) for each in protocols], _refuse)
    counting.store = other
    tallied: Counter[str] = Counter()
    for batch in counting:
        tallied += batch.tallied
        tallied.update(span.plugin for span in batch.spans)
        other.add(batch.spans)
    assert _shown(one) == _shown(other)
    for point, same in zip(one.snapshot(), other.snapshot(), strict=True):
        if point.attributes == same.attributes:
            assert point.total == pytest.approx(same.total, rel=1e-9)
    assert tallied == Counter(span.plugin for span in spans)
    assert counting.losses == decoding.losses
    assert one.overflowed == other.overflowed
    # a bucket is represented by one of its spans (of whose ids user space makes some, as they come)
    known = {(span.trace_id, span.duration_ns / 1e9) for span in spans}
    for point in other.snapshot():
        for exemplar in filter(None, point.exemplars):
            assert (exemplar[0], exemplar[2]) in known
    return tallied, decoded
