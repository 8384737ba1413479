"""golang.org/x/net/http2 on its own, without TLS: an implementation of its own until Go 1.26, net/http's since 1.27."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Ended, Span, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

_CALLS = 60


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("1.17.13", ""), id="1.17 v0.17"),
        pytest.param(("1.17.13 noregabiargs", ""), id="1.17 noregabiargs v0.17", marks=pytest.mark.matrix),
        pytest.param(("1.21.13", ""), id="1.21 v0.17", marks=pytest.mark.matrix),
        pytest.param(("1.24.13", ""), id="1.24 v0.17", marks=pytest.mark.matrix),
        pytest.param(("1.26.8", "-modfile=latest.mod"), id="1.26 v0.62"),
        pytest.param(("1.27.3", ""), id="1.27 v0.17", marks=pytest.mark.matrix),
        pytest.param(("1.27.3", "-modfile=latest.mod"), id="1.27 v0.62"),
    ],
)
def driven(request: pytest.FixtureRequest) -> Iterator[tuple[list[Span], Ended]]:
    go, flags = request.param
    go, _, experiment = go.partition(" ")
    settings = {"GOEXPERIMENT": experiment} if experiment else {}
    binary = build(PROGRAMS / "xnet", go=go, extra_env={"GOFLAGS": flags, **settings})
    with (
        serving(binary) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        running.request("GET", f"/drive?n={_CALLS}")
        # the call that ends with the connection's closing may come late: the h2c request itself
        spans = tracer.wait_spans(2 * _CALLS + 3)
        yield spans, tracer.stop()


def of(spans: list[Span], kind: str, start: str) -> list[Span]:
    def path(span: Span) -> str:
        attributes = span["attributes"]
        found: str = attributes.get("url.path") or "/" + attributes["url.full"].split("/", 3)[3]
        return found

    return [span for span in spans if span["kind"] == kind and path(span).startswith(start)]


def test_streams_of_the_server(driven: tuple[list[Span], Ended]) -> None:
    spans, ended = driven
    items = of(spans, "server", "/item/")
    (port,) = {span["attributes"]["server.port"] for span in of(spans, "server", "/drive")}
    assert sorted(span["attributes"]["url.path"] for span in items) == sorted(f"/item/{n}" for n in range(_CALLS))
    for span in items:
        attributes = span["attributes"]
        n = int(attributes["url.path"].rpartition("/")[2])
        assert attributes["http.request.method"] == "POST"
        assert attributes["network.protocol.version"] == "2"
        assert attributes["url.scheme"] == "http"
        assert attributes["http.request.body.size"] == n
        assert attributes["http.response.status_code"] == 200 + n % 5
        assert attributes["http.response.body.size"] == (0 if n % 5 == 4 else 2 * n)
        assert attributes["http.response.header.content-type"] == ["text/x-item"]
        assert attributes["server.port"] == port
        assert span["parent_span_id"] is None
    (aborted,) = of(spans, "server", "/panic")
    assert aborted["attributes"]["error.type"] == "aborted"
    assert ended.summary["losses"] == {}


def test_the_preface_is_no_request(driven: tuple[list[Span], Ended]) -> None:
    """h2c's handler gets "PRI * HTTP/2.0" and takes the connection over."""
    spans, ended = driven
    assert {span["attributes"]["http.request.method"] for span in spans} == {"GET", "POST"}
    assert ended.summary["notes"] == {"nethttp.http2_preface": 1}


def test_calls_of_the_client(driven: tuple[list[Span], Ended]) -> None:
    spans, _ = driven
    calls = of(spans, "client", "/item/")
    (parent,) = of(spans, "server", "/drive")
    assert len(calls) == _CALLS
    for span in calls:
        attributes = span["attributes"]
        n = int(attributes["url.full"].rpartition("/")[2])
        assert attributes["http.request.method"] == "POST"
        assert attributes["network.protocol.version"] == "2"
        assert attributes["http.response.status_code"] == 200 + n % 5
        assert attributes["http.request.body.size"] == n
        assert attributes["network.peer.address"] == "127.0.0.1"
        assert span["parent_span_id"] == parent["span_id"]
    (aborted,) = of(spans, "client", "/panic")
    assert aborted["status"] == "error"
    assert aborted["attributes"]["error.type"]


def test_at_most_three_hits_each(driven: tuple[list[Span], Ended]) -> None:
    """But for the newest x/net on Go 1.27, whose transport calls net/http's: both have probes."""
    _, ended = driven
    hits = {name: count for name, count in ended.summary["hits"].items() if "newproc1" not in name}
    wraps = not any("x/net/http2.(*ClientConn)" in name for name in hits if hits[name])
    assert sum(hits.values()) <= 3 * (2 * _CALLS + 3) + (2 * (_CALLS + 1) if wraps else 0) + 20, hits
