"""Long-lived and odd requests, HTTP/1 and HTTP/2, on the Go releases that differ."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from harness import Server, Span, Tracer, needs_root, serving, tracing
from test_nethttp_h2 import curl
from traffic import RELEASES, SOME, server

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

_EACH = [pytest.param(go, marks=[] if go in SOME else pytest.mark.matrix) for go in RELEASES]


class Watched:
    """A server, its tracer, and the spans that a test has not seen yet."""

    def __init__(self, running: Server, tracer: Tracer, *, secure: bool) -> None:
        self.server, self.tracer, self.secure = running, tracer, secure
        self.url = f"http{'s' if secure else ''}://127.0.0.1:{running.port}"
        self._seen = 0

    def next(self, count: int = 1) -> list[Span]:
        new = self.tracer.wait_spans(self._seen + count)[self._seen :]
        self._seen += len(new)
        assert len(new) == count
        return new


@pytest.fixture(scope="module", params=_EACH)
def release(request: pytest.FixtureRequest) -> str:
    go: str = request.param
    return go


@pytest.fixture(scope="module", params=["http1", "http2"])
def watched(request: pytest.FixtureRequest, release: str) -> Iterator[Watched]:
    secure = request.param == "http2"
    with (
        server(*(["-tls"] if secure else []), "-quiet", go=release) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--no-lineage") as tracer,
    ):
        yield Watched(running, tracer, secure=secure)


def test_a_stream_whose_client_leaves(watched: Watched) -> None:
    """Server-sent events: one span at the end, with the bytes until then and how long it took."""
    curl(f"{watched.url}/forever", "-m", "0.3")
    (span,) = watched.next()
    assert span["attributes"]["url.path"] == "/forever"
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["attributes"]["http.response.body.size"] >= 2 * len("data: tick\n\n")
    assert span["attributes"]["http.response.body.size"] % len("data: tick\n\n") == 0
    assert 200e6 < span["duration_ns"] < 5e9


def test_a_client_that_leaves_before_the_answer(watched: Watched) -> None:
    curl(f"{watched.url}/late", "-m", "0.3")
    (span,) = watched.next()
    assert span["attributes"]["url.path"] == "/late"
    assert 200e6 < span["duration_ns"] < 4e9


def test_head_has_no_response_body(watched: Watched) -> None:
    curl(f"{watched.url}/item/head?bytes=50", "-I")
    (span,) = watched.next()
    assert span["attributes"]["http.request.method"] == "HEAD"
    assert "http.response.body.size" not in span["attributes"]


def test_expect_continue(watched: Watched) -> None:
    """The 100 is no status of the request."""
    curl(f"{watched.url}/item/expect?status=202", "-H", "Expect: 100-continue", "-d", "x" * 2000)
    (span,) = watched.next()
    assert span["attributes"]["http.response.status_code"] == 202
    assert span["attributes"]["http.request.body.size"] == 2000


def test_a_very_long_path_is_marked(watched: Watched) -> None:
    path = "/item/" + "p" * 3000
    curl(watched.url + path)
    (span,) = watched.next()
    assert path.startswith(span["attributes"]["url.path"])
    assert len(span["attributes"]["url.path"]) > 400
    assert "url.path" in span["truncated"]
    assert len(span["name"]) < 100


def test_bytes_that_are_no_utf_8(watched: Watched) -> None:
    curl(f"{watched.url}/item/%FF%FE", "-A", "agent-\udcff\udcfe")
    (span,) = watched.next()
    assert span["attributes"]["url.path"] == "/item/%FF%FE"
    assert span["attributes"]["user_agent.original"] == "agent-��"


def test_goexit_is_an_error(watched: Watched) -> None:
    curl(f"{watched.url}/goexit")
    (span,) = watched.next()
    assert span["attributes"]["error.type"] == "goexit"


def test_a_client_that_leaves_a_reverse_proxy(watched: Watched) -> None:
    """ReverseProxy panics with http.ErrAbortHandler then: no panic, and no error of its own."""
    curl(f"{watched.url}/proxy?url={watched.url}/forever", "-m", "0.3")
    spans = watched.next(3)
    (proxy,) = [span for span in spans if span["attributes"].get("url.path") == "/proxy"]
    assert proxy["status"] == "unset"
    assert proxy["attributes"]["error.type"] == "client_disconnected"
    assert proxy["attributes"]["http.response.status_code"] == 200
    (behind,) = [span for span in spans if span["attributes"].get("url.path") == "/forever"]
    assert "error.type" not in behind["attributes"]


def test_a_reverse_proxy_whose_backend_breaks_off(watched: Watched) -> None:
    curl(f"{watched.url}/proxy?url={watched.url}/cut")
    spans = watched.next(3)
    for path in ("/proxy", "/cut"):
        (span,) = [span for span in spans if span["attributes"].get("url.path") == path]
        assert span["status"] == "error"
        assert span["attributes"]["error.type"] == "aborted"
        assert span["attributes"]["http.response.status_code"] == 200
        assert "ErrAbortHandler" in span["status_message"]


def test_connect(watched: Watched) -> None:
    if watched.secure:
        # curl sends it to proxies only
        with server("-quiet") as caller:
            caller.request("GET", f"/connect?url={watched.url}")
        (span,) = watched.next()
        assert span["attributes"]["network.protocol.version"] == "2"
        assert span["name"] == "CONNECT"
        assert span["attributes"]["server.address"] == "example.org"
        assert span["attributes"]["http.response.status_code"] == 404
        return
    with socket.create_connection(("127.0.0.1", watched.server.port), timeout=10) as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 404")
    (span,) = watched.next()
    assert span["name"] == "CONNECT"
    assert span["attributes"]["http.request.method"] == "CONNECT"
    assert span["attributes"]["server.address"] == "example.org"
    assert span["attributes"]["http.response.status_code"] == 404


def test_nothing_was_lost(watched: Watched) -> None:
    """The last one of the module's run on this server."""
    ended = watched.tracer.stop()
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0


@pytest.mark.parametrize("go", _EACH)
def test_hijacked_connections(go: str) -> None:
    with (
        serving(build(PROGRAMS / "odd", go=go)) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        answers = [
            running.raw(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n" % path)
            for path in (b"/hijack", b"/hijack", b"/answered/101", b"/answered/200", b"/answered/503")
        ]
        # a handler may end after the answer that it has written: the next request's can be the first to end
        spans = sorted(tracer.wait_spans(len(answers)), key=lambda span: span["timestamp"])
        ended = tracer.stop()
    # what the handler wrote to the connection itself is known to nobody
    assert [span["attributes"].get("http.response.status_code") for span in spans] == [None, None, 101, 200, 503]
    assert [int(answer.split()[1]) for answer in answers] == [101, 101, 101, 200, 503]
    routes = ["/hijack", "/hijack", "/answered/", "/answered/", "/answered/"]
    for span, route in zip(spans, routes, strict=True):
        assert span["attributes"]["goinst.http.hijacked"] is True
        assert "http.response.body.size" not in span["attributes"]
        assert span["status"] == ("error" if span["attributes"].get("http.response.status_code") == 503 else "unset")
        if go in ("1.23.12", "1.24.13", "1.25.5", "1.26.8", "1.27.3"):
            assert span["attributes"]["http.route"] == route
    assert ended.summary["losses"] == {}
