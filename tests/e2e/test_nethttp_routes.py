"""Routes: the template of the router that matched, or a guess that says it is one."""

from __future__ import annotations

import time
from http.client import HTTPConnection

import pytest
from harness import needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

_FIFTH = {"/echo5/users/7/a/b": "/echo5/users/:id/*"}
_TEMPLATES = {
    "/late/users/7": "/late/users/{id}",  # on a goroutine of its own
    "/mounted/v1/articles/a-b": "/mounted/v1/articles/{slug}",  # below a prefix that the router does not see
    "/gin/users/7/a/b": "/gin/users/:id/*rest",
    "/echo/users/7/a/b": "/echo/users/:id/*",
    "/chi/users/7/a/b": "/chi/users/{id}/*",
    "/gorilla/users/7/a/b": "/gorilla/users/{id:[0-9]+}/{rest:.*}",
}


_ROUTERS = [
    pytest.param("1.23.12", "", id="1.23", marks=pytest.mark.matrix),
    # gin 1.7, echo 4.6, chi 5.0.7, gorilla/mux 1.8.0
    pytest.param("1.17.13", "-modfile=old.mod", id="1.17 old", marks=pytest.mark.matrix),
    pytest.param("1.21.13", "", id="1.21", marks=pytest.mark.matrix),
    # gin 1.12, echo 4.16 and 5.3, chi 5.5
    pytest.param(None, "-modfile=latest.mod -tags=echo5", id="1.26 latest"),
    pytest.param("1.25.5", "-modfile=latest.mod -tags=echo5", id="1.25 latest", marks=pytest.mark.matrix),
    pytest.param("1.27.3", "-modfile=latest.mod -tags=echo5", id="1.27 latest", marks=pytest.mark.matrix),
]


@pytest.mark.parametrize(("go", "flags"), _ROUTERS)
def test_templates_of_routers(go: str | None, flags: str) -> None:
    templates = _TEMPLATES | (_FIFTH if "echo5" in flags else {})
    with (
        serving(build(PROGRAMS / "routers", go=go, extra_env={"GOFLAGS": flags})) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--no-lineage") as tracer,
    ):
        for path in templates:
            status, body = running.request("GET", path)
            assert (status, body) == (200, b"7")
        running.request("GET", "/nowhere/12345/0af7651916cd43dd/plain")
        spans = tracer.wait_spans(len(templates) + 1)
        ended = tracer.stop()
    for span in spans[:-1]:
        route = templates[span["attributes"]["url.path"]]
        assert span["attributes"]["http.route"] == route
        assert span["name"] == f"GET {route.replace(':[0-9]+', '').replace(':.*', '')}"
        assert "goinst.http.route.guess" not in span["attributes"]
    guessed = spans[-1]
    assert "http.route" not in guessed["attributes"]
    assert guessed["attributes"]["goinst.http.route.guess"] == "/nowhere/{id}/{id}/plain"
    assert guessed["name"] == "GET /nowhere/{id}/{id}/plain"
    assert ended.summary["losses"] == {}
    hits = ended.summary["hits"]
    assert sum(count for name, count in hits.items() if "github.com" in name) == len(templates), hits


def test_a_handler_that_outlives_its_request_says_nothing_of_the_next_one() -> None:
    """It is on a goroutine of its own (http.TimeoutHandler), and its router is done when another request goes on."""
    with (
        serving(build(PROGRAMS / "routers", extra_env={"GOFLAGS": "-modfile=latest.mod -tags=echo5"})) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp") as tracer,
    ):
        connection = HTTPConnection("127.0.0.1", running.port, timeout=10)
        for path, status in (("/late/slow/7", 503), ("/free", 200), ("/late/users/7", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, len(answer.read()) > 0) == (status, path != "/free")
        connection.close()
        spans = tracer.wait_spans(3)
        tracer.stop()
    assert [span["attributes"].get("http.route", "") for span in spans] == ["", "", "/late/users/{id}"]


def test_a_panic_in_echo_v5_keeps_its_template() -> None:
    """v5 gives its context back however the handler ends."""
    with (
        serving(build(PROGRAMS / "routers", extra_env={"GOFLAGS": "-modfile=latest.mod -tags=echo5"})) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--no-lineage") as tracer,
    ):
        with pytest.raises(ConnectionError):
            running.request("GET", "/echo5/panics/7")
        (span,) = tracer.wait_spans(1)
        ended = tracer.stop()
    assert span["name"] == "GET /echo5/panics/:id"
    assert span["status"] == "error"
    assert ended.summary["losses"] == {}


_MUX = [pytest.param(go, marks=[] if go == "1.27.3" else pytest.mark.matrix) for go in ("1.23.12", "1.24.13", "1.27.3")]


@pytest.mark.parametrize("go", _MUX)
def test_the_pattern_of_a_copied_request(go: str) -> None:
    """Middleware that adds to a request's context hands a copy on: from the second request on, it is looked at."""
    with (
        serving(build(PROGRAMS / "odd", go=go), "-copy") as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--no-lineage") as tracer,
    ):
        running.request("GET", "/users/1/orders/2")
        tracer.wait_event("probes added on demand")
        for number in range(20):
            running.request("GET", f"/users/{number}/orders/7")
        running.request("GET", "/nowhere")
        first, *spans, last = tracer.wait_spans(22)
        ended = tracer.stop()
    assert "http.route" not in first["attributes"]
    assert {span["attributes"]["http.route"] for span in spans} == {"/users/{id}/orders/{order}"}
    assert {span["name"] for span in spans} == {"GET /users/{id}/orders/{order}"}
    assert "http.route" not in last["attributes"]
    assert ended.summary["losses"] == {}
    assert ended.summary["hits"]["net/http.(*ServeMux).ServeHTTP call"] == 21


def test_no_hit_for_patterns_where_nothing_is_copied() -> None:
    with (
        serving(build(PROGRAMS / "odd")) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--no-lineage") as tracer,
    ):
        for path in ("/users/1/orders/2", "/nowhere", "/nothing"):
            running.request("GET", path)
        tracer.wait_spans(3)
        time.sleep(0.3)
        running.request("GET", "/users/1/orders/2")
        spans = tracer.wait_spans(4)
        ended = tracer.stop()
    assert {span["attributes"].get("http.route") for span in spans} == {"/users/{id}/orders/{order}", "/nothing", None}
    assert ended.summary["hits"]["net/http.(*ServeMux).ServeHTTP call"] == 0
