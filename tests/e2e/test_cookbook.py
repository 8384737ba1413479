"""The recipes of docs/TRACE.md do what the page says they do."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import GOINST, READY_SECONDS, needs_root, serving

from gobuild import PROGRAMS, build, stripped

pytestmark = [pytest.mark.bpf, needs_root]

PAGE = Path(__file__).parents[2] / "docs" / "TRACE.md"
_RECIPE = re.compile(r"```\nsudo goinst trace (?P<command>[^\n]+)\n```\n```\n(?P<output>.*?)```\n", re.DOTALL)


def _recipes() -> list[tuple[str, str]]:
    text = PAGE.read_text().partition("## Cookbook")[2].partition("\n## ")[0]
    found = [(match["command"], match["output"]) for match in _RECIPE.finditer(text)]
    assert len(found) == text.count("sudo goinst trace ")
    return found


RECIPES = _recipes()


def _pattern(line: str) -> str:
    """A line of the page as what it may be like elsewhere: times, pids, numbers of orders and how often."""
    line = line.strip()
    if row := re.fullmatch(r"(\S.*?) +\d+ █+", line):  # its bucket or text
        return re.escape(row[1]) + r" +\d+ █*"
    line = re.sub(r"^12:00:00\.000 4711 ", "\0", line)
    line = re.escape(line).replace("…", ".*")
    line = line.replace("\0", r"\d\d:\d\d:\d\d\.\d{3} \d+ ")
    line = re.sub(r"(?<= )[\d\\.]+(?:µs|ms)(?= |$)|(?<=\\ )[\d\\.]+(?:µs|ms)", r"[\\d.]+(?:ns|µs|ms|s)", line)
    return re.sub(
        r"(o\\\.ID=|order\\ |args=\\\[|count=|hist\\ duration:\\ |Path:\\ |\(data\\\):\\ )\d+", r"\1\\d+", line
    )


@contextmanager
def _redis() -> Iterator[dict[str, int]]:
    if shutil.which("redis-server") is None:
        yield {}
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        says = f"while :; do redis-cli -p {port} set octi fest; sleep 0.1; done"
        client = subprocess.Popen(["sh", "-c", says], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            yield {"redis-server": server.pid}
        finally:
            client.kill()
            client.wait()
            server.kill()


def _run(pid: int, words: list[str]) -> str:
    """What the command prints within a second of tracing, or of listing."""
    process = subprocess.Popen(
        [GOINST, "trace", "--pid", str(pid), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        if "-l" not in words:
            assert process.stderr is not None
            said = ""
            while '"ready"' not in said:
                line = process.stderr.readline()
                assert line, said
                said += line
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=READY_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    return output


def _recipe(command: str, targets: dict[str, int]) -> str | None:
    """What a recipe prints; None when its target is not installed."""
    words = shlex.split(command)
    at = words.index("--exe")
    target = words[at + 1]
    del words[at : at + 2]
    return _run(targets[target], words) if target in targets else None


@pytest.fixture(scope="module")
def printed(request: pytest.FixtureRequest) -> Iterator[dict[str, str | None]]:
    """What each recipe that is tested prints; some at a time, since most of it is waiting."""
    tests = [item for item in request.session.items if getattr(item, "originalname", "") == "test_a_recipe"]
    with (
        serving(build(PROGRAMS / "cookbook")) as app,
        serving(stripped(build(PROGRAMS / "cookbook"))) as other,
        _redis() as redis,
        ThreadPoolExecutor(3) as pool,
    ):
        targets = {"./app": app.pid, "./stripped": other.pid, **redis}
        commands = [test.callspec.params["command"] for test in tests if isinstance(test, pytest.Function)]
        yield dict(zip(commands, pool.map(lambda command: _recipe(command, targets), commands), strict=True))


@pytest.mark.parametrize(
    ("command", "output"),
    [
        pytest.param(command, output, id=command, marks=pytest.mark.matrix if number % 2 else ())
        for number, (command, output) in enumerate(RECIPES)
    ],
)
def test_a_recipe(command: str, output: str, printed: dict[str, str | None]) -> None:
    text = printed[command]
    if text is None:
        pytest.skip("its target is not installed")
    lines = [line.strip() for line in text.splitlines()]
    for line in output.splitlines():
        pattern = re.compile(_pattern(line))
        assert any(pattern.fullmatch(each) for each in lines), f"{pattern.pattern} in\n{text[:3000]}"
