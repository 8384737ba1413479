"""Hooks of another distribution, of every kind that pluggy knows, in pluggy's order; whole, and such as raise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goinst import Resource, Span
from goinst.diagnostics import Log
from goinst.errors import PluginError
from goinst.export.pipeline import Pipeline
from goinst.plugin.manager import PluginSet
from recordings import write_shop

# the order of a call: wrappers around all, then tryfirst, then the plugin registered last, then trylast
WHOLE = ("hookplain", "hooklast", "hookwrap", "hookfirst", "hookold", "hookbare")
ORDER = ["wrap before", "old before", "first", "plain", "last", "old after", "wrap after"]


@pytest.fixture
def hooks(hooks_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(hooks_site))


def batch(count: int = 2) -> list[Span]:
    return [Span("shop", f"s{number}", "server", 1, 2, 0, 3, 4, Resource({}, b"{}")) for number in range(count)]


class Delivered:
    """Batches through the hooks of plugins, as in a run."""

    def __init__(self, *names: str) -> None:
        self.plugins = PluginSet.load(names)
        self.failures: list[PluginError] = []
        self.pipeline = Pipeline(self.plugins, [], None, lambda _: None, self.failures.append, log=Log())

    def seen(self, spans: list[Span] | None = None) -> list[str]:
        """What the hooks wrote on each span of a batch: on all the same."""
        spans = batch() if spans is None else spans
        kept = self.pipeline.hooked(spans)
        (same,) = {tuple(span.attributes.get("hooks", ())) for span in kept}
        return list(same)


@pytest.mark.usefixtures("hooks")
def test_the_order_and_the_arguments_are_pluggys() -> None:
    from goinst_hooks import bare

    bare.calls.clear()
    run = Delivered(*WHOLE)
    assert run.plugins.failures == ()
    assert run.seen() == ORDER
    assert run.seen() == ORDER
    assert run.failures == []
    assert bare.calls == [1, 1]


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize(
    ("bad", "writes", "says"),
    [
        ("hookbad", "bad", "its hook goinst_spans raised KeyError: 'bad'; switched off"),
        ("hookbadwrap", "badwrap", "its hook goinst_spans raised ValueError: behind the others; switched off"),
        ("hookbadold", "", "its hook goinst_spans raised OSError: by force; switched off"),
    ],
)
def test_one_that_raises_is_named_and_off_and_the_others_see_the_same_batch(bad: str, writes: str, says: str) -> None:
    for names in ((bad, *WHOLE), (*WHOLE, bad)):
        run = Delivered(*names)
        seen = run.seen()
        assert [name for name in seen if name != writes] == ORDER
        assert seen.count(writes) == bool(writes)
        assert [(error.plugin, str(error)) for error in run.failures] == [(bad, f"plugin {bad}: {says}")]
        assert run.seen() == ORDER
        assert len(run.failures) == 1


@pytest.mark.usefixtures("hooks")
def test_a_wrapper_that_does_not_yield_is_refused() -> None:
    plugins = PluginSet.load(["hookunfit", "hookplain"])
    assert [protocol.name for protocol in plugins.protocols] == ["hookplain"]
    (failure,) = plugins.failures
    assert str(failure).startswith("plugin hookunfit: its hooks do not fit: ")
    assert "not a generator" in str(failure)


def test_what_a_hook_takes_out_of_the_batch_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "goinst_taker.py").write_text(
        "from goinst import Protocol, hookimpl\nPROTOCOL = Protocol('taker', '', (), (), ())\n"
        "@hookimpl\ndef goinst_spans(spans):\n    spans[0].dropped = True\n    del spans[-1]\n"
    )
    info = tmp_path / "goinst_taker-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: goinst-taker\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[goinst]\ntaker = goinst_taker\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    run = Delivered("taker")
    run.seen(batch(4))
    assert run.pipeline.losses() == {"hook.dropped": 2}


def test_in_a_command(hooks_site: Path, tmp_path: Path) -> None:
    recording = tmp_path / "shop.goinst"
    write_shop(recording, 1)
    done = subprocess.run(
        [sys.executable, "-m", "goinst.cli.main", "replay", str(recording), "--output", "json",
         "--plugins", ",".join(("nethttp", "hookbad", *WHOLE))],
        env={**os.environ, "PYTHONPATH": str(hooks_site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spans = [json.loads(line)["attributes"]["hooks"] for line in done.stdout.splitlines()]
    assert len(spans) > 10
    assert all([name for name in seen if name != "bad"] == ORDER for seen in spans)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["plugin switched off", "summary"]
    assert "hookbad" in events[0]["reason"]
    assert 0 < sum("bad" in seen for seen in spans) < len(spans)
