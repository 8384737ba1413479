"""Operations that have begun and not ended, read from the kernel's map while its programs write it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from goinst.kernel import syscalls as kernel
from goinst.plugin.layout import HEAD, OPERATION, OPERATION_AT
from goinst.records.correlate import Correlator
from goinst.spans.span import Span

__all__ = ["OpenOperations", "StillOpen"]

_OPEN = 1
_STATE_AT = OPERATION_AT["state"]
_LEFT_OUT = 4  # head.flags: --sample keeps nothing of it
_SECOND = 1_000_000_000


class OpenOperations:
    """The entries of a ``goinst_operations`` map; ``sizes`` are its key's and its value's."""

    def __init__(self, descriptor: int, sizes: tuple[int, int, int]) -> None:
        self._descriptor = descriptor
        self._key_size, self._value_size, self._most = sizes

    def __iter__(self) -> Iterator[bytes]:
        """The open ones as they are in the map. One that changes meanwhile may be seen twice, or not at all."""
        for _, value in self._kept():
            yield value

    def count(self) -> int:
        """How many are open, those that --sample leaves out among them."""
        return sum(1 for _ in self._entries())

    def begun_before(self, moment: int) -> Iterator[bytes]:
        """Those that began before a time (CLOCK_MONOTONIC, ns). They are read twice, so that what was written
        between is no mix of two operations."""
        for key, value in self._kept():
            if OPERATION.unpack_from(value)[7] >= moment:
                continue
            again = kernel.lookup(self._descriptor, key, self._value_size)
            if again is not None and again[: _STATE_AT + 1] == value[: _STATE_AT + 1]:
                yield again

    def _kept(self) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._entries():
            if not HEAD.unpack_from(value)[1] & _LEFT_OUT:
                yield key, value

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        key = None
        for _ in range(2 * self._most):  # a key that goes meanwhile makes it begin anew
            key = kernel.next_key(self._descriptor, key, self._key_size)
            if key is None:
                break
            value = kernel.lookup(self._descriptor, key, self._value_size)
            if value is not None and value[_STATE_AT] == _OPEN:
                yield key, value


class StillOpen:
    """Reports what is open for ``after`` seconds, and again whenever as much time has gone by; None: never.
    ``deliver`` gets the spans."""

    def __init__(self, after: float | None, deliver: Callable[[list[Span]], None]) -> None:
        self._after = None if after is None else int(after * _SECOND)
        self._deliver = deliver
        self._due: dict[int, int] = {}

    def report(self, targets: Iterable[tuple[OpenOperations, Correlator]]) -> None:
        """Look once."""
        if self._after is None:
            return
        now = time.monotonic_ns()
        due: dict[int, int] = {}
        spans = []
        for operations, correlator in targets:
            for operation in operations.begun_before(now - self._after):
                span_id = HEAD.unpack_from(operation)[3]
                due[span_id] = self._due.get(span_id, 0)
                if now < due[span_id]:
                    continue
                due[span_id] = now + self._after
                span = correlator.still_open(operation, now)
                if span is not None:
                    spans.append(span)
        self._due = due
        if spans:
            self._deliver(spans)
