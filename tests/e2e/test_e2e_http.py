"""HTTP requests that are hard to trace, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from harness import Server, Span, Tracer, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]


class Traced:
    """A server under a tracer; a test asks and gets the spans that its requests made."""

    def __init__(self, server: Server, tracer: Tracer) -> None:
        self.server = server
        self.tracer = tracer
        self._seen = 0

    def spans(self, count: int) -> list[Span]:
        new = self.tracer.wait_spans(self._seen + count)[self._seen :]
        self._seen += len(new)
        assert len(new) == count, [span["name"] for span in new]
        return new

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Span:
        self.server.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        (span,) = self.spans(1)
        return span


@pytest.fixture(scope="module")
def odd() -> Iterator[Traced]:
    with (
        serving(build(PROGRAMS / "odd")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp") as tracer,
    ):
        yield Traced(server, tracer)


def test_query_values_are_redacted(odd: Traced) -> None:
    span = odd.ask("GET", "/echo/a%20b?token=s3cret&q=1&flag&x=y=z", User_Agent="probe/1.0")
    attributes = span["attributes"]
    assert attributes["url.query"] == "token=REDACTED&q=REDACTED&flag&x=REDACTED"
    assert attributes["url.path"] == "/echo/a%20b"
    assert attributes["user_agent.original"] == "probe/1.0"
    assert "s3cret" not in str(span)


def test_query_values_are_kept_when_asked_for(odd: Traced) -> None:
    with tracing("--pid", str(odd.server.pid), "--plugins", "nethttp", "--no-redact") as tracer:
        odd.ask("GET", "/nothing?token=visible")
        (span,) = tracer.wait_spans(1)
    assert span["attributes"]["url.query"] == "token=visible"


def test_credentials_do_not_get_out(odd: Traced) -> None:
    span = odd.ask("GET", "/nothing", Authorization="Bearer s3cret", Cookie="session=s3cret")
    assert "s3cret" not in str(span)


@pytest.mark.parametrize(("path", "kind"), [("/panic", "panic"), ("/abort", "aborted")])
def test_a_panicking_handler_gives_a_span(odd: Traced, path: str, kind: str) -> None:
    answer = odd.server.raw(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path.encode())
    (span,) = odd.spans(1)
    assert answer == b""
    assert span["name"].endswith(path)
    assert span["status"] == "error"
    assert span["attributes"]["error.type"] == kind
    assert "http.response.status_code" not in span["attributes"]


def test_a_hijacked_connection_gives_a_span(odd: Traced) -> None:
    answer = odd.server.raw(b"GET /hijack HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n")
    (span,) = odd.spans(1)
    assert answer.endswith(b"hello\n")
    assert span["attributes"]["goinst.http.hijacked"] is True
    assert span["status"] != "error"
    assert "error.type" not in span["attributes"]


def test_after_a_panic_the_next_request_is_itself(odd: Traced) -> None:
    odd.server.raw(b"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n")
    odd.server.request("GET", "/status/404")
    panicked, next_one = odd.spans(2)
    assert panicked["attributes"]["url.path"] == "/panic"
    assert next_one["attributes"]["url.path"] == "/status/404"
    assert next_one["parent_span_id"] is None
    assert next_one["trace_id"] != panicked["trace_id"]


def test_the_preface_of_http_2_is_no_request(odd: Traced) -> None:
    """net/http hands it to its handler like one (RFC 9113 section 3.4)."""
    assert odd.server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert odd.ask("GET", "/status/204")["attributes"]["url.path"] == "/status/204"


@pytest.mark.parametrize("crafted", [b"GET /status/204", b"GET /status/404"], ids=["another path", "the same path"])
def test_a_body_that_looks_like_the_next_request(odd: Traced, crafted: bytes) -> None:
    """Pipelined, with a target of equal length behind it: what the server serves counts, and whom it serves."""
    body = crafted + b" HTTP/1.1\r\nHost: evil\r\nUser-Agent: evil\r\n"
    answer = odd.server.raw(
        b"POST /upload HTTP/1.1\r\nHost: good\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        + b"GET /status/404 HTTP/1.1\r\nHost: good\r\nConnection: close\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1") == 2
    spans = odd.spans(2)
    assert [span["attributes"]["url.path"] for span in spans] == ["/upload", "/status/404"]
    for span in spans:
        assert span["attributes"]["server.address"] == "good"
        assert "user_agent.original" not in span["attributes"]
        assert "truncated" not in span


def test_a_header_that_looks_like_another_request(odd: Traced) -> None:
    """A line longer than the connection's buffer: what comes behind it is where a request's line is else."""
    line = b"X: " + b"x" * 4093 + b"GET /nothinG HTTP/1.1"
    odd.server.raw(b"GET /nothing HTTP/1.1\r\nHost: good\r\n%b\r\nConnection: close\r\n\r\n" % line)
    (span,) = odd.spans(1)
    assert span["attributes"]["url.path"] == "/nothing"
    assert span["attributes"]["server.address"] == "good"
    assert "truncated" not in span


def test_headers_in_pieces_are_whole(odd: Traced) -> None:
    """They have lost their beginning when the handler starts (bufio.Reader.fill)."""
    odd.server.raw(
        b"GET /echo/pieces?a=1 HTTP/1.1\r\nHost: h\r\nUser-",
        b"Agent: test\r\nX: y",
        b"\r\nConnection: close\r\n\r\n",
        pause=0.05,
    )
    odd.server.raw(b"GET /echo/long HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: %b\r\n\r\n" % (b"x" * 6000))
    pieces, long = odd.spans(2)
    assert pieces["attributes"]["url.path"] == "/echo/pieces"
    assert pieces["attributes"]["url.query"] == "a=REDACTED"
    assert pieces["attributes"]["user_agent.original"] == "test"
    assert long["attributes"]["url.path"] == "/echo/long"
    for span in (pieces, long):
        assert span["attributes"]["server.address"] == "h"
        assert "truncated" not in span


def test_contexts_of_others_on_a_kept_connection(odd: Traced) -> None:
    """B3's are only in the header as it came: of a connection's first request, behind bodies, and behind chunks."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    connection = HTTPConnection("127.0.0.1", odd.server.port, timeout=10)
    bodies = (None, b"x" * 100, b"x" * 9000, iter([b"x" * 10, b"y" * 10]), None)
    for body in bodies:
        connection.request("POST", "/upload", body, {"b3": f"{trace}-b7ad6b7169203331-1"}, encode_chunked=True)
        connection.getresponse().read()
    connection.close()
    for span in odd.spans(len(bodies)):
        assert span["attributes"]["goinst.trace_context"] == "b3"
        assert span["trace_id"] == trace


def test_a_very_long_path_is_cut_once(odd: Traced) -> None:
    span = odd.ask("GET", "/echo/" + "p" * 60_000)
    assert span["truncated"] == ["url.path"]


@pytest.mark.parametrize("go", ["1.17.13", "1.27.3"])
def test_the_port_behind_connections_that_wrap_others(go: str) -> None:
    with (
        serving(build(PROGRAMS / "odd", go=go, ldflags="-s -w"), "-wrap") as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp") as tracer,
    ):
        server.request("GET", "/nothing")
        (span,) = tracer.wait_spans(1)
    assert span["attributes"]["server.port"] == server.port


def test_long_path_says_that_it_is_cut(odd: Traced) -> None:
    path = "/echo/" + "p" * 3000
    span = odd.ask("GET", path)
    assert path.startswith(span["attributes"]["url.path"])
    assert len(span["attributes"]["url.path"]) > 400
    assert "url.path" in span["truncated"]


def test_many_headers(odd: Traced) -> None:
    """Beyond the captured part of the header block, nothing is made up."""
    span = odd.ask("GET", "/nothing", None, **{f"X_{number}": "v" * 50 for number in range(60)})
    assert span["attributes"]["url.path"] == "/nothing"
    assert span["attributes"]["http.response.status_code"] == 200


@pytest.mark.parametrize("status", [204, 301, 404, 500, 503])
def test_status(odd: Traced, status: int) -> None:
    span = odd.ask("GET", f"/status/{status}")
    assert span["attributes"]["http.response.status_code"] == status
    assert span["status"] == ("error" if status >= 500 else "unset")
    assert span["attributes"].get("error.type") == (str(status) if status >= 500 else None)


def test_a_handler_that_writes_nothing_is_200(odd: Traced) -> None:
    span = odd.ask("GET", "/nothing")
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["attributes"]["http.response.body.size"] == 0


def test_no_route_is_404(odd: Traced) -> None:
    span = odd.ask("GET", "/there/is/no/such/route")
    assert span["attributes"]["http.response.status_code"] == 404
    assert "http.route" not in span["attributes"]


@pytest.mark.parametrize("size", [0, 1, 5000, 300_000])
@pytest.mark.parametrize("kind", ["big", "chunked"])
def test_response_size(odd: Traced, kind: str, size: int) -> None:
    span = odd.ask("GET", f"/{kind}?bytes={size}")
    assert span["attributes"]["http.response.body.size"] == size


def test_request_size(odd: Traced) -> None:
    read = odd.ask("POST", "/upload", b"u" * 200_000)
    ignored = odd.ask("POST", "/ignore", b"i" * 1000)
    assert read["attributes"]["http.request.body.size"] == 200_000
    assert ignored["attributes"]["http.request.body.size"] == 1000
    assert ignored["attributes"]["http.response.status_code"] == 202


def test_time_in_the_handler(odd: Traced) -> None:
    span = odd.ask("GET", "/slow?ms=120")
    assert 120_000_000 <= span["duration_ns"] < 1_000_000_000
    assert 120_000_000 <= span["attributes"]["goinst.http.server.handler.duration_ns"] <= span["duration_ns"]


def test_route_patterns(odd: Traced) -> None:
    span = odd.ask("GET", "/users/17/orders/4")
    posted = odd.ask("POST", "/users/17", b"{}")
    assert span["attributes"]["http.route"] == "/users/{id}/orders/{order}"
    assert span["name"] == "GET /users/{id}/orders/{order}"
    assert span["attributes"]["url.path"] == "/users/17/orders/4"
    assert posted["name"] == "POST /users/{id}"


def test_methods(odd: Traced) -> None:
    head = odd.ask("HEAD", "/big?bytes=50")
    assert head["attributes"]["http.request.method"] == "HEAD"
    made_up = odd.ask("BREW", "/nothing")
    assert made_up["attributes"]["http.request.method"] == "_OTHER"
    assert made_up["attributes"]["http.request.method_original"] == "BREW"


def test_callers_trace_is_taken_over(odd: Traced) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    span = odd.ask("GET", "/nothing", traceparent=f"00-{trace}-{parent}-01")
    assert span["trace_id"] == trace
    assert span["parent_span_id"] == parent
    malformed = odd.ask("GET", "/nothing", traceparent=f"00-{'0' * 32}-{parent}-01")
    assert malformed["parent_span_id"] is None


def test_http_1_0_and_pipelined(odd: Traced) -> None:
    odd.server.raw(b"GET /status/404 HTTP/1.0\r\n\r\n")
    (old,) = odd.spans(1)
    assert old["attributes"]["network.protocol.version"] == "1.0"
    assert old["attributes"]["http.response.status_code"] == 404
    stream = b"".join(b"GET /echo/%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(9))
    odd.server.raw(stream + b"GET /echo/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    spans = odd.spans(10)
    assert [span["attributes"]["url.path"] for span in spans] == [f"/echo/{n}" for n in [*range(9), "last"]]


@pytest.mark.parametrize("size", [1, 10, 40])
def test_a_header_that_comes_in_pieces(odd: Traced, size: int) -> None:
    """The reader's buffer holds only the last of them when the handler starts."""
    request = b"GET /echo/pieces?q=1 HTTP/1.1\r\nHost: h\r\nUser-Agent: slow\r\nConnection: close\r\n\r\n"
    odd.server.raw(*(request[at : at + size] for at in range(0, len(request), size)), pause=0.003)
    (span,) = odd.spans(1)
    attributes = span["attributes"]
    assert span["name"].startswith("GET ")
    assert attributes["http.request.method"] == "GET"
    assert attributes["url.path"] == "/echo/pieces"
    assert attributes["url.query"] == "q=REDACTED"
    assert attributes["http.response.status_code"] == 200
    assert attributes.get("user_agent.original", "slow") == "slow"


def test_a_malformed_request_makes_no_span(odd: Traced) -> None:
    assert b"400 Bad Request" in odd.server.raw(b"this is no HTTP\r\n\r\n")
    assert odd.ask("GET", "/status/404")["attributes"]["url.path"] == "/status/404"


def test_nothing_was_lost_on_the_way() -> None:
    with (
        serving(build(PROGRAMS / "odd")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp") as tracer,
    ):
        for _ in range(50):
            server.request("GET", "/users/1/orders/2")
        tracer.wait_spans(50)
        ended = tracer.stop()
    assert ended.summary["spans"] == 50
    assert ended.summary["losses"] == {}
    assert ended.summary["open"] == 0


def test_at_most_two_hits_a_request() -> None:
    """On a kept connection; one more when the connection begins, and one when it ends."""
    with (
        serving(build(PROGRAMS / "odd")) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp") as tracer,
    ):
        stream = b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n" * 199
        server.raw(stream + b"GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        tracer.wait_spans(200)
        ended = tracer.stop()
    assert sum(ended.summary["hits"].values()) <= 2 * 200 + 2
