"""Packages under other import paths than their own: vendored in a GOPATH, mapped by a build system, forked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Span, needs_root, serving, tracing

from gobuild import PROGRAMS, build
from packaging import MODULE, forked, mapped, vendored

pytestmark = [pytest.mark.bpf, needs_root]

_SOURCE = PROGRAMS / "packages"
_MUX, _XNET, _GRPC = "github.com/gorilla/mux", "golang.org/x/net", "google.golang.org/grpc"
_ALL = (_MUX, _XNET, _GRPC)
_FORKS = {_MUX: "third_party/routing", _XNET: "third_party/wires", _GRPC: "third_party/rpc"}
_SOME = {_MUX: "third_party/routing", _XNET: "third_party/wires"}
_MAPPED = {path: f"other.org/monorepo/vendor/{path}" for path in _ALL}


def _vendored() -> tuple[Path, dict[str, str]]:
    return vendored(_SOURCE), {path: f"{MODULE}/vendor/{path}" for path in _ALL}


def _both() -> tuple[Path, dict[str, str]]:
    """Some packages vendored, others forked."""
    paths = {path: f"{MODULE}/{other}" for path, other in _SOME.items()}
    return vendored(_SOURCE, moves=_SOME), {**paths, _GRPC: f"{MODULE}/vendor/{_GRPC}"}


@pytest.mark.parametrize(
    "make",
    [
        _both,
        pytest.param(_vendored, marks=pytest.mark.matrix),
        pytest.param(lambda: (vendored(_SOURCE, go="1.27.3"), _vendored()[1]), marks=pytest.mark.matrix, id="1.27"),
        pytest.param(
            lambda: (forked(_SOURCE, _FORKS), {path: f"{MODULE}/{other}" for path, other in _FORKS.items()}),
            marks=pytest.mark.matrix, id="forked",
        ),
        pytest.param(lambda: (mapped(_SOURCE, _MAPPED), _MAPPED), marks=pytest.mark.matrix, id="mapped"),
        pytest.param(lambda: (build(_SOURCE), {}), marks=pytest.mark.matrix, id="plain"),
    ],
)  # fmt: skip
def test_what_is_elsewhere_is_seen_as_at_home(make: Callable[[], tuple[Path, dict[str, str]]]) -> None:
    binary, places = make()
    with serving(binary) as server, tracing("--pid", str(server.pid), "--plugins", "nethttp,grpc") as tracer:
        assert server.request("GET", "/over/nothing") == (200, b"200 OK")
        # two requests, the call between them, the RPC on both sides; the h2c connection's own request
        tracer.wait_spans(5)
        ended = tracer.stop()
    spans = [span for span in ended.spans if span["attributes"].get("http.request.method") != "_OTHER"]
    outer, call, inner = (_only(spans, kind, "nethttp", name) for kind, name in _PAGES)
    assert call["parent_span_id"] == outer["span_id"]
    assert [span["attributes"]["http.route"] for span in (outer, inner)] == ["/over/{service}", "/check/{service}"]
    assert [span["attributes"]["network.protocol.version"] for span in (outer, call, inner)] == ["1.1", "2", "2"]
    made, served = (_only(spans, kind, "grpc", "grpc.health.v1.Health/Check") for kind in ("client", "server"))
    assert made["parent_span_id"] == inner["span_id"]
    for span in (made, served):
        assert span["attributes"]["rpc.grpc.status_code"] == 5
        assert span["attributes"]["goinst.grpc.status"] == "NOT_FOUND"
    assert len(spans) == 5
    assert {span["status"] for span in spans} <= {"unset", "error"}
    assert ended.summary["losses"] == {}
    said = [event for event in ended.events if event["event"] == "packages under other names"]
    assert [event["level"] for event in ended.events if event["level"] == "warning"] == []
    assert {path: real for event in said for path, real in event["packages"].items() if path in _ALL} == {
        path: real for path, real in places.items() if path != _XNET
    }
    assert all(
        real.startswith(places[_XNET]) for event in said for path, real in event["packages"].items() if _XNET in path
    )


_PAGES = (("server", "GET /over/{service}"), ("client", "GET"), ("server", "GET /check/{service}"))


def _only(spans: list[Span], kind: str, plugin: str, name: str) -> Span:
    (found,) = [span for span in spans if (span["kind"], span["plugin"], span["name"]) == (kind, plugin, name)]
    return found
