"""Metrics without a span for each record are the metrics of the spans."""

from __future__ import annotations

import random
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from goinst.plugins import grpc, nethttp, netrpc

import recordings
from goinst import PluginError, Protocol, Record, Resource, Series
from goinst.metrics import Limits, MetricStore
from goinst.metrics.tally import Tally
from goinst.plugin.layout import HEAD, OPERATION, lay_out
from goinst.recording import Recorder, RotatingFile
from goinst.records.arrays import places
from goinst.records.correlate import Correlator
from goinst.records.observer import Source
from goinst.records.ring import Slab, walk
from goinst.spans.span import Clock
from tallied import compare
from wire import on_wire, row

_PIECES = (
    b"GET", b"PUT", b"POST", b"BREW", b"PROPFINDING", b" ", b"  ", b"/", b"/a/b?c=d", b"/orders/17", b"HTTP/1.1", b"\0",
    b"HTTP/1.0", b"HTTP/2.0", b"\r\n", b"\n", b"\r\n\r\n", b"Host: a",
    b"traceparent: 00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01",
)  # fmt: skip
_PATTERNS = (b"", b"GET /orders/{id}", b"/", b"example.com/x/", b"nothing", b"/" + b"long/" * 40)

_OF = {"nethttp_line": "nethttp_request", "nethttp_error": "nethttp_client"}  # facts about one kind of operation


def _block(rng: random.Random) -> tuple[bytes, int, int]:
    """A header block, and the lengths of method and target: mostly right, sometimes damaged or pipelined."""
    method = rng.choice((b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"BREW", b"PROPFINDING"))
    uri = rng.choice((b"/", b"/orders/%d" % rng.randrange(10**6), b"/x?y=%d" % rng.randrange(10)))
    block = b"%s %s HTTP/1.%d\r\nHost: shop.test\r\nUser-Agent: x\r\n" % (method, uri, rng.random() < 0.8)
    if rng.random() < 0.2:
        block += _PIECES[-1] + b"\r\n"
    block += b"\r\n"
    odd = rng.random()
    if odd < 0.05:
        block = block * 2  # pipelined, and of the same lengths
    elif odd < 0.1:
        other = b"%s %s HTTP/1.1\r\n\r\n" % (rng.choice((b"PUT", b"HEAD", b"OPTIONS"))[: len(method)], uri)
        block = other + block
    elif odd < 0.15:
        block = block.replace(b"\r\n", b"\n")
    elif odd < 0.2:
        block = block[: rng.randrange(len(block))]
    elif odd < 0.3:
        block = b"".join(rng.choices(_PIECES, k=rng.randrange(9)))
    return block[:512], len(method) if odd < 0.9 else rng.randrange(12), len(uri)


def _values(record: Record, options: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Any bytes in every column; what is behind the part that counts, too."""
    values: dict[str, Any] = {}
    for column in record.columns:
        if column.type == "bytes":
            size = options[column.size] if isinstance(column.size, str) else column.size
            text = rng.choice((b"", b"EOF", b"/a.B/C", b"127.0.0.1:80"))[: int(size)]
            values[column.name] = text.ljust(rng.choice((0, int(size))), b"~")
        else:
            bits = int(column.type[1:])
            values[column.name] = rng.choice((0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 200, (1 << bits - 1) - 1))
            if column.type[0] == "i" and rng.random() < 0.3:
                values[column.name] = -1
    for name in values:
        if name.endswith(("_length", "_copied")) and rng.random() < 0.9:
            text = values.get(name.rpartition("_")[0], b"")
            # of few texts, or there is no room for the series
            values[name] = rng.choice((6, 6, 6, 6, 2, 0)) if isinstance(text, bytes) else 0
    return values


def _request(values: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Of a request's values a request with a target of its own; others as they are."""
    if "block" in values:
        block, method, uri = _block(rng)
        pattern, flags = rng.choice(_PATTERNS), rng.choice((0, 0, 0, 1, 2, 4, 8, 16, 24))
        values = values | {
            "block": block, "block_length": len(block), "method_length": method, "uri_length": uri,
            "pattern": pattern[:128].ljust(128, rng.choice((b"\0", b"!"))), "pattern_length": len(pattern),
            "flags": flags, "status": rng.choice((200, 200, 404, 500, 0)),
        }  # fmt: skip
    return values


def _record(path: Path, protocol: Protocol, seed: int, count: int, *, disorder: float = 0) -> int:
    """A recording of records of all kinds, of each some shapes; how many operations are in it. ``disorder``: how many
    facts come too late."""
    rng = random.Random(seed)
    options = {option.name: option.default for option in protocol.options}
    layouts = tuple(lay_out(protocol.name, record, at, options) for at, record in enumerate(protocol.records, 1))
    recorder = Recorder(RotatingFile(str(path)), "test")
    services = {pid: Resource({"service.name": f"s{pid % 2}", "process.pid": pid}, b"{}") for pid in (7, 8, 9)}
    source = Source(
        "/srv/x", {}, "plan", (protocol.name,), layouts, {protocol.name: options}, services.__getitem__, redact=True
    )
    tap, operations = recorder.source(source), 0

    shapes = {layout.type: [_values(layout.record, options, rng) for _ in range(8)] for layout in layouts}

    def one(layout: Any, span: int, process: int) -> bytes:
        record = layout.record
        began = rng.randrange(10**9)
        if record.role == "operation":
            took = rng.choice((0, -5, 100_000, int(rng.lognormvariate(13, 3))))
            head = OPERATION.pack(layout.type, 0, process, span, 0, span + 1, 0, began, max(began + took, 0))
        else:
            head = HEAD.pack(layout.type, 0, process, span)
        wire = on_wire(record, options, _request(rng.choice(shapes[layout.type]), rng))
        return head + (wire if rng.random() < 0.99 else wire[: rng.randrange(len(wire) + 1)])

    kinds = [layout for layout in layouts if layout.record.role == "operation"]
    facts = [layout for layout in layouts if layout.record.role == "fact"]
    late: list[bytes] = []
    for number in range(count // 500):
        batch = [*late]
        late = []
        for _ in range(500):
            operations += 1
            process = rng.choice((7, 8, 9))
            kind = rng.choice(kinds)
            about = [fact for fact in facts if _OF.get(fact.record.name, kind.record.name) == kind.record.name]
            for fact in rng.sample(about, min(rng.choice((0, 0, 0, 1, 2)), len(about))):
                batch.append(one(fact, operations, process))
            end = one(kind, operations, process)
            # a few end in the next batch, with their facts in this one
            (late if rng.random() < 0.02 else batch).append(end)
            if facts and rng.random() < disorder:
                batch.append(one(rng.choice(facts), operations, process))
        slab = recordings.slab_of(batch)
        view = Slab(slab)
        tap.batch(memoryview(slab), view.data, view.take(1 << 30), Clock(number * 10**9, (number + 2) * 10**9, number))
    recorder.close({})
    return operations


@pytest.mark.parametrize("protocol", [nethttp.PROTOCOL, grpc.PROTOCOL, netrpc.PROTOCOL], ids=lambda one: one.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_records_hold(tmp_path: Path, protocol: Protocol, seed: int) -> None:
    made = _record(tmp_path / "x.goinst", protocol, seed, 4000)
    tallied, decoded = compare(tmp_path / "x.goinst", [protocol])
    assert made * 0.9 < tallied[protocol.name] <= made
    operations = {record.name for record in protocol.records if record.role == "operation"}
    assert sum(decoded[name] for name in operations) < made


def test_facts_that_come_too_late(tmp_path: Path) -> None:
    made = _record(tmp_path / "x.goinst", nethttp.PROTOCOL, 3, 2000, disorder=0.002)
    tallied, _ = compare(tmp_path / "x.goinst", [nethttp.PROTOCOL])
    assert made * 0.9 < tallied["nethttp"] <= made


def test_ordinary_requests_are_not_decoded(tmp_path: Path) -> None:
    """A gateway that calls two services: servers and clients, with a path of its own for each request."""
    spans = recordings.write_shop(tmp_path / "shop.goinst", 60)
    tallied, decoded = compare(tmp_path / "shop.goinst", [nethttp.PROTOCOL])
    assert tallied.total() == spans > 6000
    # the first of each kind, and one a second for each bucket
    assert decoded.total() < spans / 10


def _shop(**more: Any) -> Protocol:
    """The made-up plugin with a declaration in one line."""
    call, note = recordings.PROTOCOL.records
    return replace(recordings.PROTOCOL, records=(replace(call, series=Series(("status", "text"), **more)), note))


def _calls(path: Path, count: int = 1000) -> None:
    batch = [
        recordings.operation(number, status=(200, 500)[number % 5 == 0], text=b"abc"[: number % 3])
        for number in range(count)
    ]
    recordings.write(path, [batch], _shop())


def test_a_third_party_plugin_says_it_in_a_line(tmp_path: Path) -> None:
    _calls(tmp_path / "x.goinst", 99)  # the hundredth call has a child
    tallied, decoded = compare(tmp_path / "x.goinst", [_shop()])
    assert tallied["madeup"] == 99
    assert decoded["madeup_call"] < 20


def test_what_becomes_several_spans_is_decoded(tmp_path: Path) -> None:
    _calls(tmp_path / "x.goinst")
    always = replace(recordings.PROTOCOL.records[0], decode=_with_child, series=Series(("status",)))
    protocol = replace(recordings.PROTOCOL, records=(always, recordings.PROTOCOL.records[1]))
    tallied, decoded = compare(tmp_path / "x.goinst", [protocol])
    assert (tallied["madeup"], decoded["madeup_call"]) == (2000, 1000)


def _with_child(values: Any, span: Any, context: Any) -> None:
    span.children = (span.child("inner", values.number + 5000),)


def test_losses_of_decoders_are_counted_for_each(tmp_path: Path) -> None:
    def decode(values: Any, span: Any, context: Any) -> None:
        if values.status >= 500:
            context.count("too bad")

    _calls(tmp_path / "x.goinst")
    call = replace(recordings.PROTOCOL.records[0], decode=decode, series=Series(("status",)))
    tallied, decoded = compare(
        tmp_path / "x.goinst", [replace(recordings.PROTOCOL, records=(call, recordings.PROTOCOL.records[1]))]
    )
    assert tallied["madeup"] == 1000
    assert 200 < decoded["madeup_call"] < 220


def test_a_plugin_that_says_nothing_is_decoded(tmp_path: Path) -> None:
    _calls(tmp_path / "x.goinst")
    tallied, decoded = compare(tmp_path / "x.goinst", [recordings.PROTOCOL])
    assert decoded["madeup_call"] == 1000
    assert tallied["madeup"] == 1010


def test_more_series_than_there_is_room_for() -> None:
    layouts = [lay_out("madeup", record, at, {}) for at, record in enumerate(_shop().records, 1)]
    stores = [MetricStore(Limits(series=20, values=10)) for _ in range(2)]
    records = [recordings.operation(n, status=n % 40) for n in range(99)] * 3
    slab = recordings.slab_of(records)
    for store in stores:
        correlator = Correlator(layouts, {}, recordings.resource_of, redact=True, failed=pytest.fail)
        if store is stores[0]:
            store.add(correlator.replay(Slab(slab), 0, 1, 1))
        else:
            assert Tally(correlator, store).replay(Slab(slab), 0, 1, 1) == Counter(madeup=297)
    one, other = ([(p.attributes, p.counts) for p in store.snapshot()] for store in stores)
    assert one == other
    assert stores[0].overflowed == stores[1].overflowed


def test_a_series_of_columns_that_are_not_there_is_a_mistake_of_the_plugin() -> None:
    record = Record("x_y", row(a="u8"), _with_child, series=Series(("b",), {"c.size": "d"}))
    with pytest.raises(PluginError, match=r"no columns \['b', 'd'\]"):
        lay_out("x", record, 1, {})


def test_records_are_found_as_one_by_one() -> None:
    """Runs of one length, discarded ones, one that is still being written, a ring that wraps, a limit."""
    rng = random.Random(3)
    for _ in range(200):
        ring = bytearray()
        while len(ring) < 2000:
            length = rng.choice((0, 8, 24, 24, 31))
            for _ in range(rng.choice((1, 2, 9, 30))):
                ring += struct.pack("<II", length | rng.choice((0,) * 30 + (1 << 30,)), 0) + bytes(length + -length % 8)
        ring = ring[:4096].ljust(4096, b"\0")
        begin = 8 * rng.randrange(512)
        turned = bytes(ring[-begin:] + ring[:-begin]) if begin else bytes(ring)
        at = 4096 * rng.randrange(3) + begin
        if rng.random() < 0.5:
            turned = turned.replace(struct.pack("<II", 31, 0), struct.pack("<II", 31 | 1 << 31, 0), 1)
        limit, produced = rng.choice((5, 64, 1000)), at + 1600
        data = memoryview(turned * 2)
        expected = walk(data, at, produced, 4095, limit)
        found, position = places(data, at, produced, 4095, limit)
        # the second copy of what is mapped twice is as good as the first
        turns = (found[0] - 8) // 4096 * 4096
        assert ([tuple(pair) for pair in (found - turns).T.tolist()], position) == expected
