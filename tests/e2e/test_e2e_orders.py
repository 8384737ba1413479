"""A plugin of a third party without C: a wheel of at most 30 lines of Python, with Capture and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from harness import Server, goinst, needs_root, serving, tracing

from gobuild import build, stripped
from installing import THIRD_PARTY, install

ORDERS = THIRD_PARTY / "goinst-orders"
PLACE = "example.com/shop/orders.(*Order).Place"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents, not on goinst's path."""
    return install("goinst-orders", tmp_path_factory.mktemp("orders"))


@pytest.fixture
def orders(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))


@pytest.fixture(scope="module")
def shop() -> Path:
    return build(ORDERS / "sample")


def _order(server: Server, item: str, user: str) -> tuple[int, bytes]:
    return server.request("GET", f"/order?item={item}&user={user}")


def test_it_is_short_and_has_no_c() -> None:
    (module,) = (ORDERS / "goinst_orders").glob("*.*")
    assert len(module.read_text().splitlines()) <= 30


@pytest.mark.usefixtures("orders")
def test_it_is_listed_and_inspect_says_where_it_goes(shop: Path) -> None:
    (one,) = [plugin for plugin in json.loads(goinst("plugins", "--json").stdout) if plugin["name"] == "orders"]
    assert (one["distribution"], one["version"], one["error"]) == ("goinst-orders", "0.3", None)
    shown = goinst("inspect", str(shop), "--plugins", "orders")
    assert shown.returncode == 0
    assert PLACE in shown.stdout


@pytest.mark.usefixtures("orders")
def test_inspect_says_why_a_stripped_binary_cannot_have_it(shop: Path) -> None:
    shown = goinst("inspect", str(stripped(shop)), "--plugins", "orders")
    assert "the binary does not say what the parameters are called" in shown.stdout + shown.stderr


@pytest.mark.bpf
@needs_root
@pytest.mark.usefixtures("orders")
def test_its_spans_are_children_of_the_request(shop: Path) -> None:
    with serving(shop) as server, tracing("--pid", str(server.pid), "--plugins", "nethttp,orders") as tracer:
        assert _order(server, "tea", "ann") == (200, b"1")
        assert _order(server, "bread", "")[0] == 403
        tracer.wait_spans(4)
        ended = tracer.stop()
    first, request, second, _ = ended.spans  # an order ends before the request that it is part of
    assert first["name"] == second["name"] == "order"
    assert first["plugin"] == "orders"
    assert first["kind"] == "internal"
    assert first["duration_ns"] > 0
    assert first["attributes"] == {"code.function.name": PLACE, "order.item": "tea", "user.name": "ann"}
    assert second["attributes"] == {"code.function.name": PLACE, "order.item": "bread", "user.name": None}
    assert first["parent_span_id"] == request["span_id"]
    assert first["trace_id"] == request["trace_id"]
    assert ended.summary["losses"] == {}


@pytest.mark.bpf
@needs_root
@pytest.mark.usefixtures("orders")
def test_a_recording_is_replayed_by_the_types_of_the_binary(shop: Path, tmp_path: Path) -> None:
    file, own = tmp_path / "shop.goinst", tmp_path / "shop"
    shutil.copy(shop, own)
    with (
        serving(own) as server,
        tracing(
            "--pid", str(server.pid), "--plugins", "nethttp,orders", "--output", "json", str(file), command="record"
        ) as tracer,
    ):
        for item in ("tea", "bread"):
            _order(server, item, "bob")
        tracer.wait_spans(4)
        ended = tracer.stop()
    assert ended.code == 0
    replayed = goinst("replay", str(file), "--output", "json")
    assert replayed.returncode == 0, replayed.stderr
    assert [json.loads(line) for line in replayed.stdout.splitlines()] == ended.spans

    own.unlink()
    replayed = goinst("replay", str(file), "--output", "json")
    spans = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert [span["plugin"] for span in spans] == ["nethttp", "nethttp"]
    (complaint,) = [line for line in replayed.stderr.splitlines() if '"plugin":"orders"' in line.replace(" ", "")]
    assert "its captures are read by the types of" in complaint
    assert json.loads(replayed.stderr.splitlines()[-1])["losses"] == {"orders.not_installed": 2}
