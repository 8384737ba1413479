"""What people see on a terminal: spans that fit it, and beginning and end in sentences."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goinst import Probe, Protocol, Resource, Site, Span
from goinst.diagnostics import Log
from goinst.export.console import ConsoleExporter
from goinst.export.sink import Sink
from goinst.plan.source import Counter as Count
from goinst.plugin.manager import PluginSet
from goinst.plugin.summary import Summary
from goinst.run.reporting import Comings
from goinst.run.silent import Passed, passed, silent_probes
from goinst.run.wording import ready_lines, summary_lines, words_of
from goinst.text import width_of
from recordings import write_shop

ATTRIBUTES: dict[str, Any] = {
    "http.request.method": "GET", "url.path": "/api/orders/7", "http.route": "/api/orders/{id}",
    "http.response.status_code": 500, "error.type": "500", "client.address": "2001:db8::1", "client.port": 51234,
    "goinst.http.server.handler.duration_ns": 1500, "http.response.body.size": 37,
    "goinst.http.connection.reused": True,
    "http.response.header.content-type": ["text/plain; charset=utf-8"], "user_agent.original": "漢字" * 30,
}  # fmt: skip


def span(name: str = "GET /api/orders/{id}", kind: str = "server", **more: Any) -> Span:
    resource = Resource({"service.name": "example.com/shop/orders"}, b"{}")
    return Span("web", name, kind, 1, 2, 0, 10**18, 1500, resource, attributes=dict(ATTRIBUTES), **more)


def shown(columns: int, *spans: Span, monkeypatch: pytest.MonkeyPatch, colour: bool = False) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "" if colour else "1")
    out = io.BytesIO()
    ConsoleExporter(Sink(out, "test", owned=False), is_terminal=columns > 0).export(spans)
    return out.getvalue().decode().splitlines()


def test_spans_fit_every_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [
        span(),
        span("short"),
        span("x" * 300, "client", status="error", status_message="no " * 90),
        span("漢" * 60),
    ]
    for columns in range(36, 260):
        lines = shown(columns, *spans, monkeypatch=monkeypatch)
        coloured = shown(columns, *spans, monkeypatch=monkeypatch, colour=True)
        assert [line for line in lines if width_of(line) > columns] == [], columns
        assert [re.sub(r"\x1b\[\d+m", "", line).rstrip() for line in coloured] == lines


def test_nothing_is_said_twice_and_nothing_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = shown(400, span(), monkeypatch=monkeypatch)
    assert line.count("/api/orders/{id}") == line.count("500") == line.count("51234") == 1
    assert "duration_ns" not in line
    assert "error.type" not in line
    assert "http.response.header.content-type=text/plain; charset=utf-8" in line
    assert "connection.reused=true" in line
    (piped,) = shown(0, span(), monkeypatch=monkeypatch)
    assert piped.split() == line.split()
    (call,) = shown(80, span("POST", "client"), monkeypatch=monkeypatch)
    assert "→ POST" in call


# -- beginning and end -------------------------------------------------------------------------------------------------


def test_ready_is_a_line_for_each_executable() -> None:
    targets = [
        {"executable": "/srv/api", "go": "go1.26.8", "plugins": ["nethttp", "grpc"], "pids": [7]},
        {"executable": "/srv/job", "go": "", "plugins": ["nethttp"], "pids": list(range(1, 20))},
        {"executable": "/srv/new", "go": "go1.17", "plugins": ["nethttp"], "pids": []},
    ]
    assert list(ready_lines(targets, "perf events", 0.52)) == [
        "ready after 0.5 s (by perf events); Ctrl-C ends it, and the programs run on",
        "  /srv/api (pid 7, go1.26.8): nethttp, grpc",
        "  /srv/job (pids 1, 2, 3, 4, 5, 6 and 13 more): nethttp",
        "  /srv/new (nobody runs it yet, go1.17): nethttp",
    ]


def test_losses_come_first_and_in_words_and_zeros_not_at_all() -> None:
    summary = Summary(
        spans=12345, ended="SIGINT", seconds=30.04, open=3, spans_by_plugin=Counter(nethttp=12000, grpc=345),
        losses=Counter({"nethttp.ring_full": 7, "core.evicted": 12, "where.left_out": 40, "csv.not_written": 0,
                        "json.not_written": 1, "shop.unknown": 2}),
        notes=Counter({"core.context_written": 9}), hits=Counter({"a entry": 12345, "b return": 0}),
    )  # fmt: skip
    words = words_of(PluginSet.load(["nethttp"]).protocols)
    assert list(summary_lines(summary, words, places=False)) == [
        "12,345 spans in 30.0 s, 22 lost; ended by Ctrl-C",
        "  lost 12: put out while under way, to make room for other operations (--max-operations) (core.evicted)",
        "  lost 7: the ring buffer was full (--ring-megabytes) (nethttp.ring_full)",
        "  lost 2: shop.unknown",
        "  lost 1: an output had ended before they came (json.not_written)",
        "  without 40: --where left them out (where.left_out)",
        "  3 had begun and not ended",
        "  by plugin: nethttp 12,000, grpc 345",
        "  9: a traceparent was written into a request (--propagate) (core.context_written)",
        "  probes passed: a entry 12,345",
    ]
    nothing = Summary(ended="duration", seconds=1, hits=Counter({"a entry": 0}))
    assert list(summary_lines(nothing, words, places=True)) == ["0 spans in 1.0 s; --duration is over"]


def test_a_required_probe_that_is_never_passed_is_pointed_out() -> None:
    site = (Site("f", "x int"),)
    protocol = Protocol(
        "web", "", (), (
            Probe("web_serve", site, side="server"), Probe("web_finish", site, side="server"),
            Probe("web_stand_in", site, instead_of="web_finish", side="server"),
            Probe("web_call", site, side="client"), Probe("web_extra", site, optional=True, side="server", lost="x"),
        ), (),
    )  # fmt: skip

    def pointed_out(still_open: int = 0, **hits: int) -> list[str]:
        counters = [Count("hit", "web", name, f"{name} entry") for name in hits]
        found = passed([(counters, list(hits.values()))])
        return [words for _, words in silent_probes([protocol], found, still_open)]

    assert pointed_out(web_serve=500, web_finish=0, web_call=0, web_extra=0) == [
        "web_finish entry 0 times, web_serve entry of the same server 500 times"
    ]
    assert pointed_out(web_serve=500, web_finish=0, web_stand_in=500) == []
    assert pointed_out(web_serve=500, web_finish=0, still_open=400) == []
    assert pointed_out(web_serve=9, web_finish=0) == []
    assert pointed_out(web_serve=500) == []
    assert passed([]) == {}
    assert Passed("x").count == 0


def on_terminal(columns: int, *arguments: str) -> str:
    """What a command writes on a terminal of so many columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "goinst.cli.main", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
             "TERM": "xterm", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    data = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError as error:  # the last one has closed the terminal
            assert error.errno == errno.EIO
            break
        if not part:
            break
        data += part
    os.close(ours)
    assert process.wait() == 0
    return data.decode().replace("\r\n", "\n")


def test_a_replay_on_a_terminal_of_80_columns(tmp_path: Path) -> None:
    recording = tmp_path / "shop.goinst"
    count = write_shop(recording, 2)
    lines = on_terminal(80, "replay", str(recording)).splitlines()
    assert [line for line in lines if width_of(line) > 80] == []
    at = next(number for number, line in enumerate(lines) if " spans in " in line)
    spans, said = lines[:at], lines[at:]
    assert len(spans) == count
    assert re.fullmatch(rf"\d\d:\d\d:\d\d {count} spans in \d+\.\d s, 12 lost; the recording ended", said[0])
    words = " ".join(" ".join(said[1:]).split())
    assert words.startswith("lost 12: the ring buffer was full (--ring-megabytes) (nethttp.ring_full)")
    assert "{" not in "".join(said)


def test_other_events_are_sentences_and_drive_no_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    log = Log(stream=out, verbose=True)
    log.warning(
        "not seen", plugin="web", executable="/srv/\x1b]0;x\x07", reason="calls of f that are inlined", lost="spans"
    )
    log.info("process joined", pid=7, executable="/srv/x")
    log.error("plugin switched off", plugin="web", reason="no", detail="two\nlines \x1b[2J")
    log.report("summary", lambda: ["first", "  second"], spans=1)
    text = re.sub(r"\x1b\[\d+m", "", out.getvalue())
    assert "\x1b" not in text
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line).rstrip() for line in text.splitlines()] == [
        "warning: not seen: calls of f that are inlined; lost: spans (plugin web, executable",
        "           /srv/\\x1b]0;x\\x07)",
        "process joined (pid 7, executable /srv/x)",
        "error: plugin switched off: no (plugin web)",
        "two",
        "lines \\x1b[2J",
        "first",
        "           second",
    ]
    lines = io.StringIO()
    Log(stream=lines).report("summary", lambda: pytest.fail("not on a terminal"), spans=1)
    assert json.loads(lines.getvalue())["spans"] == 1


def test_a_process_is_news_once() -> None:
    class Known:
        name = "/srv/x"

        def missed(self, process: Any) -> float:
            return 0.5 if process.pid == 2 else 0.0

    lines = io.StringIO()
    comings, known = Comings(Log(stream=lines)), Known()
    there, new, again = (SimpleNamespace(pid=pid, exe="/srv/x", identity=(pid, 1.0, (1, 1))) for pid in (1, 2, 2))
    comings.joined(known, there, say=False)  # type: ignore[arg-type]
    for one in (there, new, again):
        comings.joined(known, one, say=True)  # type: ignore[arg-type]
    comings.left(known, new)  # type: ignore[arg-type]
    comings.joined(known, new, say=True)  # type: ignore[arg-type]
    said = [(line["event"], line["pid"]) for line in map(json.loads, lines.getvalue().splitlines())]
    assert said == [("process joined", 2), ("process left", 2), ("process joined", 2)]
