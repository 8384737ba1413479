"""Values with parts (what captures give) in outputs whose attributes are typed."""

from __future__ import annotations

import io

import pytest

from goinst.export.console import ConsoleExporter
from goinst.export.sink import Sink
from goinst.spans.span import Resource, Span

ORDER = {"ID": 7, "User": {"Name": "o c", "Age": None}, "Items": [{"SKU": "a"}, {"SKU": "b"}], "Tags": {}}


def span() -> Span:
    attributes = {"order": ORDER, "numbers": [1, 2]}
    return Span("trace", "f", "internal", 1, 2, 0, 3, 4, Resource({}, b"{}"), attributes=attributes)


def test_the_collector_gets_lists_of_pairs() -> None:
    pytest.importorskip("opentelemetry.proto", reason="goinst[otlp] is not installed")
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    from goinst.export.protobuf import SpanEncoder

    data = TracesData.FromString(SpanEncoder({}, "1").request([span()]))
    (sent,) = data.resource_spans[0].scope_spans[0].spans
    order, numbers = sent.attributes
    assert (order.key, numbers.key) == ("order", "numbers")
    parts = {pair.key: pair.value for pair in order.value.kvlist_value.values}
    assert parts["ID"].int_value == 7
    user = {pair.key: pair.value for pair in parts["User"].kvlist_value.values}
    assert user["Name"].string_value == "o c"
    assert user["Age"].WhichOneof("value") is None
    assert [item.kvlist_value.values[0].value.string_value for item in parts["Items"].array_value.values] == ["a", "b"]
    assert parts["Tags"].WhichOneof("value") == "kvlist_value"
    assert [item.int_value for item in numbers.value.array_value.values] == [1, 2]


def test_people_read_them_as_go_prints_them() -> None:
    out = io.BytesIO()
    ConsoleExporter(Sink(out, "test", owned=False), is_terminal=False).export([span()])
    assert b'order={ID:7 User:{Name:"o c" Age:nil} Items:[{SKU:"a"} {SKU:"b"}] Tags:{}}' in out.getvalue()
