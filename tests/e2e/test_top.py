"""goinst top on a real program: what is seen on the terminal is what the program was asked."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Server, needs_root
from traffic import server

from terminal import Terminal

pytestmark = [pytest.mark.bpf, needs_root]

SCREENS = Path(__file__).parents[2] / "build" / "screens"


@pytest.fixture
def watched() -> Iterator[tuple[Server, Terminal]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: the live view needs a terminal")
    pytest.importorskip("textual", reason="textual is not installed (goinst[top])")
    with server("-quiet") as running:
        terminal = Terminal("top", "--pid", str(running.pid), "--plugins", "nethttp")
        try:
            terminal.until(lambda text: "nothing yet" in text and "starting" not in text, "ready", 60)
            yield running, terminal
        finally:
            terminal.close()


def _figures(screen: str, name: str) -> list[str]:
    """Rate and number in flight of a route."""
    line = next((line for line in screen.splitlines() if f" {name} " in line), "")
    return line.partition(name)[2].split()[:2]


def test_a_live_program(watched: tuple[Server, Terminal]) -> None:
    running, terminal = watched
    SCREENS.mkdir(parents=True, exist_ok=True)
    open_ones = []
    try:
        for _ in range(3):  # streams that go on for ever
            one = socket.create_connection(("127.0.0.1", running.port), timeout=10)
            one.sendall(b"GET /forever?a=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            open_ones.append(one)
        for _ in range(40):
            running.request("GET", "/nothing")
        screen = terminal.until(
            lambda text: (
                _figures(text, "GET /forever") == ["0.0", "3"] and _figures(text, "GET /nothing") == ["4.0", "0"]
            ),
            "three in flight, forty done",
        )
        (SCREENS / "top.txt").write_text(screen)
        assert "in flight 3" in screen
        assert max(map(len, screen.splitlines())) <= 80
        terminal.press("s")
        terminal.until(lambda text: "sort: open" in text and "/forever" in text.splitlines()[4], "by what is open")
        terminal.press("s", "s", "s", "s", "s")  # all the way round to the rate
        terminal.until(lambda text: "sort: rate" in text and "/nothing" in text.splitlines()[4], "by rate")
        terminal.press("Up", "Up", "Enter")
        inside = terminal.until(lambda text: "SLOWEST" in text and "total 40" in text, "the spans of a route")
        (SCREENS / "top-route.txt").write_text(inside)
        assert inside.count("/nothing") > 5
    finally:
        for one in open_ones:
            one.close()
    terminal.press("Escape")
    terminal.until(lambda text: "in flight 0" in text and "/forever" in text, "that they have ended", 30)
    terminal.press("q")
    assert terminal.ended()
    # and the program runs on
    assert running.request("GET", "/nothing")[0] < 500
