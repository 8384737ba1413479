"""HTTP clients: what a span says of a round trip is what the client itself saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from harness import Ended, Server, Span, Tracer, needs_root, tracing
from traffic import RELEASES, SOME, server

pytestmark = [pytest.mark.bpf, needs_root]

_REQUESTS = 200
_EACH = [pytest.param(go, marks=[] if go in SOME else pytest.mark.matrix) for go in RELEASES]


@contextmanager
def pair(go: str | None = None, *upstream: str) -> Iterator[tuple[Server, str, Tracer]]:
    """A traced server whose handlers call another one, which is not traced: (server, the other's URL, tracer)."""
    with (
        server("-quiet", *upstream) as other,
        server("-quiet", go=go) as caller,
        tracing("--pid", str(caller.pid), "--plugins", "nethttp") as tracer,
    ):
        yield caller, f"http{'s' if upstream else ''}://127.0.0.1:{other.port}", tracer


def clients(spans: list[Span]) -> list[Span]:
    return [span for span in spans if span["kind"] == "client"]


@pytest.fixture(scope="module", params=_EACH)
def release(request: pytest.FixtureRequest) -> str:
    go: str = request.param
    return go


@pytest.fixture(scope="module", params=["http1", "http2"])
def driven(request: pytest.FixtureRequest, release: str) -> tuple[list[dict[str, Any]], list[Span], Ended, str]:
    """A mix of requests sent from the goroutines that a handler starts: the client's log, the spans, the end."""
    with pair(release, *(["-tls"] if request.param == "http2" else [])) as (caller, url, tracer):
        caller.request("GET", f"/drive?url={quote(url)}&requests={_REQUESTS}&streams=4")
        entries = [json.loads(line) for line in caller.wait_lines(_REQUESTS)]
        spans = tracer.wait_spans(_REQUESTS + 1)
        ended = tracer.stop()
    return entries, spans, ended, "2" if request.param == "http2" else "1.1"


def test_every_round_trip_says_what_the_client_saw(
    driven: tuple[list[dict[str, Any]], list[Span], Ended, str],
) -> None:
    entries, spans, ended, version = driven
    assert ended.summary["losses"] == {}
    assert len(clients(spans)) == len(entries) == _REQUESTS
    logged = {entry["path"]: entry for entry in entries}
    for span in clients(spans):
        attributes = span["attributes"]
        url = urlsplit(attributes["url.full"])
        entry = logged.pop(url.path)
        assert attributes["http.request.method"] == span["name"] == entry["method"]
        assert attributes["http.response.status_code"] == entry["status"]
        assert attributes["network.protocol.version"] == version
        assert attributes["http.request.body.size"] == entry["request"]
        assert attributes.get("http.response.body.size", entry["bytes"]) == entry["bytes"]
        assert attributes["goinst.http.connection.reused"] == entry["reused"], entry
        assert (span["status"] == "error") == (entry["status"] >= 400)
        assert attributes["server.address"] == attributes["network.peer.address"] == "127.0.0.1"
        assert attributes["server.port"] == attributes["network.peer.port"] == url.port
        if entry["query"]:
            assert "status=REDACTED" in url.query
        if version == "2":
            assert attributes["tls.protocol.version"] == "1.3"
            assert attributes["tls.client.server_name"] == "traffic.test"
    assert not logged
    sized = [span for span in clients(spans) if "http.response.body.size" in span["attributes"]]
    assert len(sized) > _REQUESTS / 2


def test_every_round_trip_is_a_child_of_the_request_that_made_it(
    driven: tuple[list[dict[str, Any]], list[Span], Ended, str],
) -> None:
    _, spans, _, _ = driven
    (parent,) = [span for span in spans if span["kind"] == "server"]
    assert parent["attributes"]["url.path"] == "/drive"
    assert {span["parent_span_id"] for span in clients(spans)} == {parent["span_id"]}
    assert {span["trace_id"] for span in clients(spans)} == {parent["trace_id"]}


def test_at_most_three_hits_a_round_trip(driven: tuple[list[dict[str, Any]], list[Span], Ended, str]) -> None:
    _, _, ended, _ = driven
    hits = {name: count for name, count in ended.summary["hits"].items() if "ClientConn" in name or "ransport" in name}
    hits |= {name: count for name, count in ended.summary["hits"].items() if "persistConn" in name}
    # a connection that the server had closed is tried again: at most a few
    assert 3 * _REQUESTS <= sum(hits.values()) <= 3 * _REQUESTS + 10


@pytest.mark.parametrize("go", _EACH)
def test_why_it_failed(go: str) -> None:
    with pair(go) as (caller, url, tracer):
        caller.request("GET", "/call?url=http://127.0.0.1:1/refused")
        caller.request("GET", "/call?url=http://nosuch.invalid/dns")
        caller.request("GET", f"/impatient?how=timeout&url={url}/late")
        caller.request("GET", f"/impatient?how=cancel&url={url}/late")
        caller.request("GET", f"/call?url={url.replace('http:', 'https:')}/plain")
        caller.request("GET", "/wrapped?url=http://127.0.0.1:1/wrapped")
        spans = clients(tracer.wait_spans(12))
    kinds = [span["attributes"]["error.type"] for span in spans]
    assert kinds == ["connection_refused", "dns", "timeout", "canceled", "tls", "connection_refused"], spans
    assert all(span["status"] == "error" for span in spans)
    assert all("http.response.status_code" not in span["attributes"] for span in spans)
    assert spans[0]["status_message"] == "dial: ECONNREFUSED"


def test_credentials_in_a_url_do_not_get_out() -> None:
    with pair() as (caller, url, tracer):
        caller.request("GET", f"/call?url={quote(url.replace('//', '//me:s3cret@') + '/nothing?token=s3cret')}")
        (span,) = clients(tracer.wait_spans(2))
    port = urlsplit(url).port
    assert span["attributes"]["url.full"] == f"http://REDACTED:REDACTED@127.0.0.1:{port}/nothing?token=REDACTED"


def test_requests_that_have_nothing_to_do_with_each_other_are_not_merged() -> None:
    with pair() as (caller, url, tracer):
        for _ in range(3):
            caller.request("GET", f"/call?url={url}/nothing")
        spans = tracer.wait_spans(6)
    assert len({span["trace_id"] for span in spans}) == 3
    for span in clients(spans):
        (parent,) = [other for other in spans if other["span_id"] == span["parent_span_id"]]
        assert parent["kind"] == "server"
