"""Thousands of requests: what spans say and what the program logged do not differ in one of them."""

from __future__ import annotations

import json

import pytest
from harness import needs_root, tracing
from traffic import RELEASES, SOME, drive, server, server_facts, span_facts

pytestmark = [pytest.mark.bpf, needs_root]

_REQUESTS = 10_000
_EACH = [pytest.param(go, marks=[] if go == SOME[-1] else pytest.mark.matrix) for go in RELEASES]


@pytest.mark.parametrize("secure", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("go", _EACH)
def test_ten_thousand_mixed_requests(go: str, secure: bool) -> None:
    with (
        server(*(["-tls"] if secure else []), go=go) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--set", "nethttp.header_bytes=1024") as tracer,
    ):
        url = f"http{'s' if secure else ''}://127.0.0.1:{running.port}"
        drive(url, streams=16, requests=_REQUESTS, seed=int(secure))
        lines = running.wait_lines(_REQUESTS)
        spans = tracer.wait_spans(_REQUESTS, 60)
        ended = tracer.stop()
    expected, found = server_facts(lines), span_facts(spans)
    differing = {path: (expected[path], found.get(path)) for path in expected if expected[path] != found.get(path)}
    assert not differing, list(differing.items())[:3]
    assert len(spans) == _REQUESTS
    assert len({span["span_id"] for span in spans}) == _REQUESTS
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0


@pytest.mark.parametrize(
    ("go", "seconds"),
    [
        pytest.param(go, seconds, marks=[] if (go, seconds) == (SOME[-1], 5) else pytest.mark.matrix)
        for go in RELEASES
        for seconds in (5, 30)
    ],
)
def test_a_hundred_concurrent_streams_are_not_mixed_up(go: str, seconds: int) -> None:
    """Each request carries an id in its path, in a request header and in the response: all agree, once for each. What
    is lost all the same (the machine withheld the ring's lock; its hypervisor may stop a processor that holds it) is
    counted, span by span."""
    with (
        server("-tls", go=go) as running,
        tracing(
            "--pid", str(running.pid), "--plugins", "nethttp", "--set", "nethttp.capture_headers=x-id", "--stats"
        ) as tracer,
    ):
        sent = drive(f"https://127.0.0.1:{running.port}", streams=100, seconds=seconds, pause=100)
        lines = running.wait_lines(len(sent))
        ended = tracer.stop()
    spans, places = ended.spans, ended.summary["losses_by_place"]
    assert len(sent) > 100
    assert len(sent) - len(spans) == places.pop("nethttp.ring_full at record nethttp_stream", 0) <= len(sent) / 100
    bare = 0
    for span in spans:
        attributes = span["attributes"]
        id = attributes["url.path"].split("/")[2]
        headers = [attributes.get(f"http.{side}.header.x-id") for side in ("request", "response")]
        assert all(found in ([id], None) for found in headers), span
        bare += headers.count(None)
    # the fact of a span that was lost comes without one
    facts = places.pop("nethttp.ring_full at record nethttp_headers", 0)
    assert facts - (len(sent) - len(spans)) <= bare <= facts
    assert all(place.startswith("nethttp.ring_full at record") for place in places), places
    expected = server_facts(lines)
    assert {path: expected[path] for path in span_facts(spans)} == span_facts(spans)
    assert {json.loads(line)["id"] for line in lines} == {entry["id"] for entry in sent}
    streams = [span["attributes"]["goinst.http2.stream_id"] for span in spans]
    assert len(set(streams)) == len(streams), "one connection"
    assert {span["parent_span_id"] for span in spans} == {None}
    assert len({span["trace_id"] for span in spans}) == len(spans)
