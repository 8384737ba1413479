"""Recordings that no kernel was needed for: records of a made-up plugin, as the ring buffer would hold them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from goinst import Column, Protocol, Record
from goinst.events.record import HEAD, OPERATION, lay_out
from goinst.events.ring import Slab
from goinst.events.span import Clock, Resource
from goinst.events.tap import Source
from goinst.recording import Recorder, RotatingFile
from wire import on_wire

__all__ = ["PROTOCOL", "operation", "resource_of", "slab_of", "write"]


def decode_call(values: Any, span: Any, context: Any) -> None:
    """A call with a number, and a child with an id of its own for every hundredth."""
    span.name = f"call {values.text.decode()}"
    span.attributes["http.request.method"] = "GET"
    span.attributes["http.response.status_code"] = values.status
    span.attributes["number"] = values.number
    if values.status >= 500:
        span.status, span.attributes["error.type"] = "error", str(values.status)
    if values.number % 100 == 99:
        span.children = (span.child("inner", context.clock.new_id()),)


def decode_note(values: Any, span: Any, context: Any) -> None:
    """Something learned of a call."""
    span.attributes["note"] = values.weight


PROTOCOL = Protocol(
    name="madeup",
    summary="made up",
    fragments=(),
    probes=(),
    records=(
        Record(
            "madeup_call",
            (Column("number", "u64"), Column("status", "u16"), Column("text", "bytes", 32)),
            decode_call,
            role="operation",
        ),
        Record("madeup_note", (Column("weight", "u32"),), decode_note),
    ),
)


def operation(number: int, *, process: int = 7, status: int = 200, text: bytes = b"x", **more: int) -> bytes:
    """A madeup_call as the ring holds it; times in ns since the machine started."""
    began = more.get("began", 1_000_000 * number)
    head = OPERATION.pack(
        1, 0, process, number + 1, more.get("trace", 5), number + 1, more.get("parent", 0), began,
        began + more.get("took", 1000), 0,
    )  # fmt: skip
    return head + on_wire(PROTOCOL.records[0], {}, {"number": number, "status": status, "text": text})


def note(number: int, weight: int) -> bytes:
    """A madeup_note about a call."""
    return HEAD.pack(2, 0, 7, number + 1) + on_wire(PROTOCOL.records[1], {}, {"weight": weight})


def slab_of(records: Iterable[bytes]) -> bytes:
    """Records as they lie in the ring."""
    return b"".join(struct.pack("<II", len(one), 0) + one + bytes(-len(one) % 8) for one in records)


def resource_of(process: int) -> Resource:
    """What is known of a process."""
    attributes = {"service.name": f"service-{process}", "process.pid": process}
    return Resource(attributes, orjson.dumps(attributes))


def write(path: Path, batches: Sequence[Sequence[bytes]], protocol: Protocol = PROTOCOL, **limits: Any) -> Recorder:
    """A recording of these batches, without an end."""
    recorder = Recorder(RotatingFile(str(path), **limits), "test")
    known: dict[int, Resource] = {}
    layouts = tuple(lay_out(protocol.name, record, at, {}) for at, record in enumerate(protocol.records, 1))
    source = Source(
        "/srv/x", {"go_version": "go1.26"}, "plan", (protocol.name,), layouts, {protocol.name: {}},
        lambda pid: known.setdefault(pid, resource_of(pid)), redact=True,
    )  # fmt: skip
    tap = recorder.source(source)
    for number, batch in enumerate(batches):
        slab = slab_of(batch)
        view = Slab(slab)
        tap.batch(memoryview(slab), view.data, view.take(), Clock(1_700_000_000_000_000_000, number, number))
        recorder.turn()
    return recorder
