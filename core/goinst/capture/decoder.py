"""The decoder of a capture's records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from goinst.capture.wire.nodes import Raw, Reader

__all__ = ["HEAD", "Decoder", "Slot"]

HEAD = 16
"""Bytes of a record's values before the captured ones: the load bias, and how many frames there are."""


@dataclass(slots=True)
class Slot:
    """A captured item: its place among the record's values, and how it is read."""

    label: str
    at: int
    raw: Raw
    after: Any


class Decoder:
    """Reads a record of the capture."""

    def __init__(self, function: str, span: str, slots: list[Slot], frames: int, names: Any, symbol: Any) -> None:
        self._function, self._span, self._slots, self._frames = function, span, slots, frames
        self._names, self._symbol = names, symbol

    def moment(self, values: Any, span: Any, context: Any) -> None:
        """A call by itself."""
        if values.trace_high | values.trace_low:
            span.trace_id = values.trace_high << 64 | values.trace_low
            span.parent_span_id = values.parent
        span.start_ns = values.moment + context.clock.wall
        self._read(values.values, span)
        if values.goid:
            span.attributes["goinst.goroutine.id"] = values.goid

    def operation(self, values: Any, span: Any, context: Any) -> None:
        """A call and its return."""
        self._read(values.values, span)

    def _read(self, data: bytes, span: Any) -> None:
        span.name = self._span
        span.attributes["code.function.name"] = self._function
        bias = int.from_bytes(data[:8], "little")

        def named(address: int) -> Any:
            if not address:
                return None
            frames = self._symbol((address - bias) & (1 << 64) - 1)
            return frames[-1].partition(" ")[0] if frames else f"{address:#x}"

        for slot in self._slots:
            reader = Reader(data, self._names, named)
            value = slot.raw.read(reader, slot.at)
            if slot.after is not None:
                value = slot.after(value)
            span.attributes[slot.label] = value
            if reader.cut:
                span.truncated.append(slot.label)
        if self._frames:
            span.attributes["code.stacktrace"] = "\n".join(self._stack(data, bias))

    def _stack(self, data: bytes, bias: int) -> Iterator[str]:
        count = min(int.from_bytes(data[8:16], "little"), self._frames + 1)
        found = [int.from_bytes(data[HEAD + 8 * i : HEAD + 8 * i + 8], "little") for i in range(count)]
        # since Linux 6.11 the kernel's walk knows a function that has not pushed its frame pointer yet
        if found[1:2] == found[2:3]:
            del found[1:2]
        for number, address in enumerate(each for each in found if each):
            # behind the first, addresses are those behind calls
            frames = self._symbol((address - bias - (number > 0)) & (1 << 64) - 1)
            yield from frames or (f"{address:#x}",)
