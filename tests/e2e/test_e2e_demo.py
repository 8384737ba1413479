"""``goinst demo``, as the README's reader meets it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness import goinst, needs_root


@pytest.mark.bpf
@needs_root
def test_demo_shows_each_kind_of_span_and_ends() -> None:
    done = goinst("demo", "--seconds", "1.5", seconds=120)
    assert done.returncode == 0, done.stderr
    for name in ("GET /healthz", "Arith.Multiply", "Arith.Divide", "Log.Write", "batch"):
        assert name in done.stdout
    assert "a-secret" not in done.stdout
    assert "spans seen" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_without_go_says_so(tmp_path: Path) -> None:
    done = goinst("demo", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("goinst: the demo builds a Go server, but no go command is on PATH")
