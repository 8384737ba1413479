"""Recordings that no kernel was needed for: records of a made-up plugin, as the ring buffer would hold them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
from goinst.plugins import nethttp

from goinst import Protocol, Record
from goinst.plugin.layout import HEAD, OPERATION, lay_out
from goinst.recording import Recorder, RotatingFile
from goinst.records.observer import Source
from goinst.records.ring import Slab
from goinst.spans.span import Clock, Resource
from wire import on_wire, row

__all__ = ["PROTOCOL", "operation", "resource_of", "slab_of", "write", "write_shop"]


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
            row(number="u64", status="u16", text=32),
            decode_call,
            role="operation",
        ),
        Record("madeup_note", row(weight="u32"), decode_note),
    ),
)


def operation(number: int, *, process: int = 7, status: int = 200, text: bytes = b"x", **more: int) -> bytes:
    """A madeup_call as the ring holds it; times in ns since the machine started."""
    began = more.get("began", 1_000_000 * number)
    head = OPERATION.pack(
        1, 0, process, number + 1, more.get("trace", 5), number + 1, more.get("parent", 0), began,
        began + more.get("took", 1000),
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


# -- requests, as the built-in plugin records them ---------------------------------------------------------------------

_SECOND = 1_000_000_000
_ROUTES = ((b"GET /api/orders/{id}", 5), (b"POST /api/orders", 2), (b"GET /healthz", 8), (b"GET /api/customers", 3))
SHOP_STARTED = 1_700_000_000


def _request(
    process: int, span: int, parent: int, trace: int, began: int, took: int, route: bytes, status: int
) -> bytes:
    method, _, pattern = route.partition(b" ")
    path = pattern.replace(b"{id}", b"%d" % span)
    block = b"%s %s HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: tests\r\n\r\n" % (method, path)
    record = nethttp.PROTOCOL.records[0]
    values = {
        "block": block, "block_length": len(block), "method_length": len(method), "uri_length": len(path),
        "status": status, "pattern": route, "pattern_length": len(route), "written": 200 + span % 900,
        "content_length": 40 if method == b"POST" else 0, "peer": b"10.0.0.7:5000", "peer_length": 13,
        "local_port": 8080,
    }  # fmt: skip
    head = OPERATION.pack(1, 0, process, span, 0, trace, parent, began, began + took)
    return head + on_wire(record, {"header_bytes": 512}, values)


def _call(process: int, span: int, parent: int, trace: int, began: int, took: int, host: bytes, path: bytes) -> bytes:
    record = next(one for one in nethttp.PROTOCOL.records if one.name == "nethttp_client")
    values = {
        "method": b"GET", "method_length": 3, "scheme": b"http", "scheme_length": 4, "host": host,
        "host_length": len(host), "path": path, "path_length": len(path), "path_copied": len(path), "status": 200,
        "major": 1, "minor": 1, "content_length": 0, "response_length": 100,
    }  # fmt: skip
    number = nethttp.PROTOCOL.records.index(record) + 1
    head = OPERATION.pack(number, 0, process, span, 0, trace, parent, began, began + took)
    return head + on_wire(record, {"header_bytes": 512}, values)


def write_shop(path: Path, seconds: int = 60) -> int:
    """A recording of a gateway that calls orders, which calls an index: how many spans are in it. Made from a seed:
    always the same."""
    rng = random.Random(4)
    recorder = Recorder(RotatingFile(str(path)), "test")
    protocol = nethttp.PROTOCOL
    options = {option.name: option.default for option in protocol.options}
    layouts = tuple(lay_out(protocol.name, record, at, options) for at, record in enumerate(protocol.records, 1))
    known = {
        pid: Resource(attributes, orjson.dumps(attributes))
        for pid, name in ((7, "gateway"), (8, "example.com/shop/orders"))
        for attributes in [{"service.name": name, "process.pid": pid}]
    }
    source = Source(
        "/srv/shop", {"go_version": "go1.26.8", "main_module": "example.com/shop"}, "plan", (protocol.name,), layouts,
        {protocol.name: options}, known.__getitem__, redact=True,
    )  # fmt: skip
    tap = recorder.source(source)
    span = 0
    for tenth in range(seconds * 10):
        batch = []
        for _ in range(rng.randint(2, 9)):
            route = rng.choices([one for one, _ in _ROUTES], [weight for _, weight in _ROUTES])[0]
            took = int(rng.lognormvariate(11 if route == b"GET /healthz" else 15, 0.9))
            status = 503 if rng.random() < (0.06 if route.startswith(b"POST") else 0.004) else 200
            began, trace, top = tenth * _SECOND // 10 + rng.randrange(_SECOND // 10), span + 1000, span + 1
            span += 1
            if b"orders" in route:
                call, served, index = span + 1, span + 2, span + 3
                span += 3
                batch.append(_call(8, index, served, trace, began + took // 3, took // 4, b"index:9200", b"/_search"))
                batch.append(
                    _request(8, served, call, trace, began + took // 5, took // 2, b"GET /orders/{id}", status)
                )
                batch.append(_call(7, call, top, trace, began + took // 6, took * 3 // 5, b"orders:8080", b"/orders/1"))
            batch.append(_request(7, top, 0, trace, began, took, route, status))
        slab = slab_of(batch)
        view = Slab(slab)
        now = SHOP_STARTED * _SECOND + (tenth + 1) * _SECOND // 10
        tap.batch(memoryview(slab), view.data, view.take(), Clock(SHOP_STARTED * _SECOND, now, tenth))
    recorder.close({"spans": span, "losses": {"nethttp.ring_full": 12}, "seconds": float(seconds)})
    return span
