"""Plans of real binaries, compared with what was decided before: a change has to be looked at and accepted.

``GOLDEN=write pytest tests/golden`` accepts the new plans; look at the diff before you commit it.
"""

import os
import re
from importlib.metadata import entry_points
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
# those of all other plugins that come with goinst
OTHERS = {
    "chain-1.26-amd64": ("chain", "1.26.8", "amd64", ("nethttp", "http2", "jsonrpc", "jsonstream", "grpc")),
    "netrpc-1.26-amd64": ("netrpc", "1.26.8", "amd64", ("netrpc",)),
    "connectrpc-1.26-amd64": ("connectrpc", "1.26.8", "amd64", ("nethttp", "connectrpc")),
}


def plan_of(program: str, go: str, arch: str, plugins: tuple[str, ...]):
    binary = gobuild.build(GO / program, go=go, goarch="" if arch == "amd64" else arch)
    return make_plan(GoFacts.open(str(binary)), PluginSet.load(plugins).protocols)


def same(text: str, *where: str) -> None:
    """That a text is what it was; where the linker put things is not a decision."""
    text = re.sub(r"0x[0-9a-f]{4,}", "ADDRESS", text)
    file = HERE.joinpath(*where)
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text


def generated(source: str) -> str:
    """The C that goinst writes itself: without headers and fragments, whose text is in the tree, and without
    the numbers of counters, which change with every new one."""
    parts = re.findall(r'^#line \d+ "goinst/generated\.[hc]"\n(.*?)(?=^#line |\Z)', source, re.DOTALL | re.MULTILINE)
    return re.sub(r"\bgoinst_count\(\d+\)", "goinst_count(NUMBER)", "".join(parts))


@pytest.mark.parametrize("name", [*PLANS, *OTHERS])
def test_plan_is_what_it_was(name: str) -> None:
    same(plan_of(*{**PLANS, **OTHERS}[name]).describe(), "plans", f"{name}.txt")


@pytest.mark.parametrize("name", OTHERS)
def test_generated_c_is_what_it_was(name: str) -> None:
    same(generated(plan_of(*OTHERS[name]).source), "source", f"{name}.c")


def test_every_plugin_has_a_golden_plan() -> None:
    own = {point.name for point in entry_points(group="goinst") if point.value.startswith("goinst.plugins.")}
    assert own == {plugin for *_, plugins in (*PLANS.values(), *OTHERS.values()) for plugin in plugins}


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
