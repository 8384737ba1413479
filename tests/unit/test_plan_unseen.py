"""What a plugin has no probe for is said of binaries that have it, and of no others."""

from __future__ import annotations

from gobuild import PROGRAMS, build
from goinst import Protocol
from goinst.cli.planned import as_text
from goinst.engine.plan import make_plan
from goinst.golang.facts import Facts


def test_functions_that_nobody_probes_are_named() -> None:
    blind = Protocol(
        name="blind",
        summary="sees nothing",
        fragments=(),
        probes=(),
        records=(),
        unseen={"main.main": "what main does is not seen", "main.absent": "what nobody does is not seen"},
    )
    plan = make_plan(Facts.open(str(build(PROGRAMS / "idle"))), (blind,))
    (planned,) = (plugin for plugin in plan.plugins if plugin.name == "blind")
    assert not planned.enabled
    assert planned.unseen == ("what main does is not seen",)
    text = as_text(plan)
    assert "    what main does is not seen\n" in text
    assert "what nobody does" not in text
