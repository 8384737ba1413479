"""The report: its figures, and the page in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goinst.cli.main import execute
from goinst.report import Collector, Waterfalls, write_page
from goinst.spans.span import Resource, Span
from recordings import write_shop

RESOURCE = Resource({"service.name": "a"}, b"{}")


def span(number: int, parent: int = 0, kind: str = "server", service: str = "a", **more: Any) -> Span:
    made = Span("web", f"GET /{number}", kind, 9, number, parent, 10**18 + number, 1000, RESOURCE)
    return replace(made, resource=Resource({"service.name": service}, b"{}"), **more)


def test_calls_are_joined_whichever_side_came_first() -> None:
    collector = Collector()
    collector.add(
        [span(1), span(3, 2, service="b"), span(2, 1, "client"), span(4, 1, "client"), span(5, 4, service="c")]
    )
    outside = span(6, 1, "client")
    outside.attributes = {"server.address": "db", "server.port": 5432}
    collector.add([outside])
    edges = {(caller, callee): count for caller, callee, count in collector.figures()["edges"]}
    assert edges == {("callers", "a"): 1, ("a", "b"): 1, ("a", "c"): 1, ("a", "db:5432"): 1}


def test_quantiles_and_bars_are_of_all_spans() -> None:
    collector = Collector()
    collector.add(span(1, duration_ns=(n + 1) * 10**6, name="x") for n in range(100))
    (route,) = collector.figures()["routes"]
    assert sum(count for _, _, count in route["bars"]) == 100
    assert abs(route["p95"] - 95e6) / 95e6 < 0.05
    assert route["max"] == 100 * 10**6


def test_memory_is_bounded() -> None:
    collector = Collector()
    collector.add(
        span(n, n + 10**6, trace_id=n, status="error", status_message=str(n), name=str(n)) for n in range(3000)
    )
    figures = collector.figures()
    assert len(figures["routes"]) == 501
    assert len(figures["errors"]) == 201
    assert sum(route["count"] for route in figures["routes"]) == 3000
    assert sum(error["count"] for error in figures["errors"]) == 3000
    falls = Waterfalls([7])
    falls.add(span(n, trace_id=7) for n in range(1000))
    assert (len(falls.members()[0]["spans"]), falls.members()[0]["more"]) == (200, 800)


def test_a_tree_without_its_root_and_with_a_circle() -> None:
    falls = Waterfalls([9])
    falls.add([span(3, 2), span(2, 77), span(5, 5), span(4, 3)])
    (trace,) = falls.members()
    assert [(one["name"], one["depth"]) for one in trace["spans"]] == [("GET /2", 0), ("GET /3", 1), ("GET /4", 2)]


def test_no_text_becomes_markup() -> None:
    evil = "</script><script>alert(1)</script><!-- \ud800"
    page = write_page({"title": evil, evil: [evil]}).decode()
    assert "alert(1)</script>" not in page
    (data,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["title"].startswith("</script>")


def test_a_recording_without_spans(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_shop(tmp_path / "x", seconds=0)
    assert execute(["report", str(tmp_path / "x"), "-o", str(tmp_path / "x.html")]) == 4
    assert "nothing to report" in capfd.readouterr().err


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    names = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium is installed: the report is looked at in one (apt install chromium-headless-shell)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_clicking_through_the_page(browser: Any, tmp_path: Path) -> None:
    write_shop(tmp_path / "shop.goinst", seconds=20)
    path = tmp_path / "report.html"
    assert execute(["report", str(tmp_path / "shop.goinst"), "-o", str(path)]) == 0
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.title() == "example.com/shop/orders, gateway · goinst report"
    assert page.locator("#table tbody tr").count() == 7
    assert "GET /healthz" in page.locator("#table tbody tr").first.inner_text()

    page.get_by_role("button", name="p99").click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("p99")
    slowest = page.locator("#table tbody tr").first.inner_text()
    assert "GET /healthz" not in slowest
    page.get_by_role("button", name="p99").press("Enter")  # by keyboard, and it keeps the focus
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("p99")
    assert page.evaluate("document.activeElement.textContent") == "p99"
    page.get_by_role("button", name="POST /api/orders").click()
    assert "POST /api/orders" in page.locator("#chart").inner_text()
    assert page.locator(".bars i").count() > 5

    assert "503" in page.locator("#errorlist").inner_text()
    assert page.locator("#traces details").first.get_attribute("open") is not None
    page.locator("#traces details").first.locator("summary").click()  # shut
    nested = page.locator("#traces details", has_text="4 spans").last
    nested.locator("summary").click()
    rows, said = nested.locator(".row"), nested.locator("dl")
    assert [rows.nth(number).inner_text().split()[0] for number in range(4)] == ["GET"] * 4
    assert not said.first.is_visible()
    rows.first.focus()
    page.keyboard.press("Enter")
    assert said.first.is_visible()
    assert "http.route" in said.first.inner_text()
    page.locator("#traces summary").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("#traces details").nth(1).get_attribute("open") is not None

    graph = page.locator("#svg svg").get_attribute("aria-label")
    assert "gateway calls example.com/shop/orders" in graph
    assert "example.com/shop/orders calls index:9200" in graph
    assert "nethttp.ring_full" in page.locator("#losslist").inner_text()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert problems == []
    assert asked == [path.as_uri()]
