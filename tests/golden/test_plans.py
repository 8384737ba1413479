"""Plans of real binaries, compared with what was decided before: a change has to be looked at and accepted.

``GOLDEN=write pytest tests/golden`` accepts the new plans; look at the diff before you commit it.
"""

import os
import re
from pathlib import Path

import pytest

import gobuild
from goinst.golang.facts import GoFacts
from goinst.plan.plan import make_plan
from goinst.plugin.manager import PluginSet

HERE = Path(__file__).parent
GO = HERE.parent / "go"
# name of the plan: program, Go release, architecture, plugins
PLANS = {
    "arith-1.17-amd64": ("arith", "1.17.13", "amd64", ("nethttp", "jsonrpc")),
    "arith-1.21-amd64": ("arith", "1.21.13", "amd64", ("nethttp", "jsonrpc")),
    "arith-1.27-amd64": ("arith", "1.27.3", "amd64", ("nethttp", "jsonrpc")),
    "ping-1.26-arm64": ("ping", "1.26.8", "arm64", ("nethttp", "jsonrpc")),
}


def plan_of(program: str, go: str, arch: str, plugins: tuple[str, ...]):
    binary = gobuild.build(GO / program, go=go, goarch="" if arch == "amd64" else arch)
    return make_plan(GoFacts.open(str(binary)), PluginSet.load(plugins).protocols)


@pytest.mark.parametrize("name", PLANS)
def test_plan_is_what_it_was(name: str) -> None:
    plan = plan_of(*PLANS[name])
    # where the linker put things is not a decision
    text = re.sub(r"0x[0-9a-f]+", "ADDRESS", plan.describe())
    file = HERE / "plans" / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text


def test_the_same_input_gives_the_same_plan() -> None:
    first, second = (plan_of(*PLANS["arith-1.27-amd64"]) for _ in range(2))
    assert first.source == second.source
    assert first.programs == second.programs
    assert first.counters == second.counters


def test_every_entry_site_of_the_http_plugins_is_emulated() -> None:
    for name, arguments in PLANS.items():
        plan = plan_of(*arguments)
        assert plan.enabled == ("nethttp", "jsonrpc"), name
        sites = [s for p in plan.plugins for probe in p.probes for s in probe.sites if s.place == "entry"]
        assert sites
        assert [s for s in sites if not s.emulated] == [], name
