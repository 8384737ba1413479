"""--where on a live run, a new configuration at SIGHUP, and targets that come later."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from harness import needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]


def test_a_filter_is_changed_while_probes_are_live(tmp_path: Path) -> None:
    config = tmp_path / "goinst.yaml"
    config.write_text("plugins: nethttp\nwhere: url.path == '/one'\nwait: true\nexe: '*/jsonhand'\n")
    binary = build(PROGRAMS / "jsonhand")
    with tracing("--config", str(config)) as tracer:
        assert tracer.wait_event("ready")["targets"] == []
        with serving(binary) as server:
            tracer.wait_event("process joined", 60)
            server.request("GET", "/two")
            server.request("GET", "/one")
            (span,) = tracer.wait_spans(1)
            assert span["attributes"]["url.path"] == "/one"
            config.write_text("where: 'url.path =='\nexe: '*/jsonhand'\n")
            tracer.process.send_signal(signal.SIGHUP)
            assert (
                "a name or a value expected"
                in tracer.wait_event("configuration not taken: all stays as it was")["reason"]
            )
            config.write_text("where: url.path == '/two'\nexe: '*/jsonhand'\n")
            tracer.process.send_signal(signal.SIGHUP)
            tracer.wait_event("configuration taken")
            server.request("GET", "/one")
            server.request("GET", "/two")
            spans = tracer.wait_spans(2)
            assert spans[1]["attributes"]["url.path"] == "/two"
            ended = tracer.stop()
    assert ended.code == 0
    assert len(ended.spans) == 2
    assert ended.summary["losses"] == {"where.left_out": 2}
