"""The live view: its figures, its lines, and the whole of it on a terminal (tmux)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from goinst.live.model import Model, quantile
from goinst.live.screen import View, draw, sorted_rows
from goinst.spans.span import Resource, Span
from recordings import write_shop
from terminal import Terminal

RESOURCE = Resource({"service.name": "shop"}, b"{}")
NOW = 1_700_000_000 * 10**9


def span(name: str = "GET /x", *, took: int = 10**6, ended: int = NOW, status: str = "unset") -> Span:
    made = Span("web", name, "server", 0xABC, 1, 0, ended - took, took, RESOURCE)
    made.status = status
    return made


def test_rates_errors_and_quantiles() -> None:
    model = Model()
    for second in range(20):
        spans = [span(took=(n + 1) * 10**6, ended=NOW + second * 10**9) for n in range(99)]
        model.add([*spans, span(took=10**9, ended=NOW + second * 10**9, status="error")], NOW + second * 10**9)
    (row,) = model.rows()
    assert row.rate == 100
    assert row.errors == 0.01
    assert row.total == 2000
    assert row.history[-20:] == (100,) * 20
    assert row.history[:-20] == (0,) * 40
    for value, exact in ((row.p50, 50e6), (row.p95, 95e6), (row.p99, 99e6)):
        assert abs(value - exact) / exact < 0.1
    model.add((), NOW + 100 * 10**9)
    assert model.rows() == []


def test_quantiles_of_nothing_and_of_one() -> None:
    assert quantile(Counter(), 0.5) == 0
    assert quantile(Counter({-1: 3}), 0.99) == 0


def test_what_is_open_is_there_without_having_ended() -> None:
    model = Model()
    model.add([span("GET /fast")], NOW)
    model.still_open([span("GET /slow"), span("GET /slow"), span("GET /fast")], NOW)
    assert {row.key[2]: (row.open, row.total) for row in model.rows()} == {"GET /fast": (1, 1), "GET /slow": (2, 0)}
    model.add((), NOW + 5 * 10**9)  # nobody has said so since
    assert {row.key[2]: row.open for row in model.rows()} == {"GET /fast": 0}


def test_routes_are_bounded() -> None:
    model = Model()
    model.add([span(f"GET /{number}") for number in range(5000)], NOW)
    rows = model.rows()
    assert len(rows) == 2001
    assert max(row.total for row in rows) == 3000


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("height", [5, 24, 60])
def test_a_screen_is_as_large_as_the_terminal(width: int, height: int) -> None:
    model, view = Model(), View()
    assert len(draw(model, [], view, width, height)[0]) == height
    model.add([span(f"GET /{number}/{'x' * number}\x1b[2J") for number in range(100)], NOW)
    for view in (View(), View(inside=True, chosen=model.rows()[7].key), View(ascii=True, filter="GET", paused=True)):
        lines, _ = draw(model, sorted_rows(model, view), view, width, height)
        assert len(lines) == height
        assert all(len(line) <= width for line in lines)
        assert not any("\x1b" in line for line in lines)


# -- on a terminal -----------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: the live view needs a terminal")
    pytest.importorskip("textual", reason="textual is not installed (goinst[top])")
    write_shop(tmp_path / "shop.goinst")
    terminal = Terminal("top", "--from", str(tmp_path / "shop.goinst"), "--speed", "0")
    yield terminal
    terminal.close()


def chosen(screen: str) -> str:
    return next((line for line in screen.splitlines() if line.startswith(">")), "")


def test_the_whole_view(terminal: Terminal) -> None:
    screen = terminal.until(lambda text: "ended" in text and "routes 7" in text, "all routes")
    lines = screen.splitlines()
    assert lines[3].split() == [
        "SERVICE",
        "ROUTE",
        "OR",
        "METHOD",
        "RATE/S",
        "OPEN",
        "ERR%",
        "P50",
        "P95",
        "P99",
        "MINUTE",
    ]
    assert "GET /healthz" in chosen(screen)
    assert max(map(len, lines)) <= 80
    terminal.press("s")  # by what is open: nothing, of a recording
    terminal.press("s")  # by errors
    terminal.until(lambda text: "sort: errors" in text and "POST /api/orders" in text.splitlines()[4], "by errors")
    terminal.press("Down")
    second = terminal.until(lambda text: "GET /healthz" not in chosen(text), "the next one")
    assert chosen(second)
    terminal.press("Up", "Up", "Up", "Enter")
    inside = terminal.until(lambda text: "SLOWEST" in text, "a route's spans")
    assert "LATEST" in inside
    assert "server of" in inside
    terminal.press("Escape")
    terminal.until(lambda text: "SERVICE" in text, "the table again")
    terminal.press("/")
    terminal.until(lambda text: "part of a service" in text.splitlines()[-1], "a line for the filter")
    terminal.press("-l", "customers")
    terminal.press("Enter")
    filtered = terminal.until(lambda text: "routes 1" in text, "one route")
    assert "filter: customers" in filtered
    terminal.press("Escape")
    terminal.until(lambda text: "routes 7" in text, "all of them")
    terminal.press("p")
    terminal.until(lambda text: "PAUSED" in text, "a pause")
    terminal.press("p")
    terminal.until(lambda text: "PAUSED" not in text, "the end of it")
    terminal.press("c")
    terminal.until(lambda text: "nothing yet" in text, "nothing")
    terminal.press("q")
    assert terminal.ended()


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    pytest.importorskip("textual", reason="textual is not installed (goinst[top])")
    done = subprocess.run(
        [Path(sys.executable).with_name("goinst"), "top", "--port", "1"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == (
        "goinst: goinst top draws on a terminal, and standard output is none; `goinst run` prints spans\n"
    )
