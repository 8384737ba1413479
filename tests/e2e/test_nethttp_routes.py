"""Routes: the template of the router that matched, or a guess that says it is one."""

from __future__ import annotations

import pytest
from harness import needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

_TEMPLATES = {
    "/gin/users/7/a/b": "/gin/users/:id/*rest",
    "/echo/users/7/a/b": "/echo/users/:id/*",
    "/chi/users/7/a/b": "/chi/users/{id}/*",
    "/gorilla/users/7/a/b": "/gorilla/users/{id:[0-9]+}/{rest:.*}",
}


def test_templates_of_four_routers() -> None:
    with (
        serving(build(PROGRAMS / "routers")) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp", "--no-lineage") as tracer,
    ):
        for path in _TEMPLATES:
            status, body = running.request("GET", path)
            assert (status, body) == (200, b"7")
        running.request("GET", "/nowhere/12345/0af7651916cd43dd/plain")
        spans = tracer.wait_spans(5)
        ended = tracer.stop()
    for span in spans[:4]:
        route = _TEMPLATES[span["attributes"]["url.path"]]
        assert span["attributes"]["http.route"] == route
        assert span["name"] == f"GET {route.replace(':[0-9]+', '').replace(':.*', '')}"
        assert "goinst.http.route.guess" not in span["attributes"]
    guessed = spans[4]
    assert "http.route" not in guessed["attributes"]
    assert guessed["attributes"]["goinst.http.route.guess"] == "/nowhere/{id}/{id}/plain"
    assert guessed["name"] == "GET /nowhere/{id}/{id}/plain"
    assert ended.summary["losses"] == {}
    hits = ended.summary["hits"]
    assert sum(count for name, count in hits.items() if "github.com" in name) == 4, hits
