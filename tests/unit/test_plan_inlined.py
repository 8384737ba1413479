"""Probes on functions that the compiler has inlined: another place, one that stands in, or a word about it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gobuild import PROGRAMS, build
from goinst import Fragment, Probe, Protocol, Site
from goinst.cli.planned import as_text, missing
from goinst.config import RunConfig
from goinst.golang.facts import GoFacts
from goinst.plan.plan import Plan, make_plan
from goinst.run.reporting import report_plan

# what is inlined where: main.innermost wherever it is called; main.inner, too, but it is also called by its address
INNERMOST = Site("main.innermost", callee="main.show", place="call")
INNER, SHOW = Site("main.inner"), Site("main.show")
C = "".join(f"PROBE({name})\n{{\n    return 0;\n}}\n" for name in ("first", "second", "third"))


@pytest.fixture(scope="module")
def facts() -> GoFacts:
    return GoFacts.open(str(build(PROGRAMS / "frames")))


def plan(facts: GoFacts, *probes: Probe) -> Plan:
    return make_plan(facts, [Protocol("inlined", "", (Fragment("i.bpf.c", text=C),), probes)])


def told(made: Plan) -> list[tuple[str, str]]:
    """What is said of a plan when its executable begins to be traced, and how loud."""
    said: list[tuple[str, str]] = []

    class Log:
        def __getattr__(self, level: str) -> Any:
            return lambda event, **more: said.append((level, more["reason"]))

    built: Any = SimpleNamespace(plan=made, loaded=SimpleNamespace(rejected=()))
    executable: Any = SimpleNamespace(name="frames", every=False)
    report_plan(Log(), built, executable, RunConfig())
    return said


def test_calls_are_found_wherever_their_caller_is_inlined(facts: GoFacts) -> None:
    sites = facts.sites("main.innermost", "call", "main.show")
    assert {site.symbol for site in sites} == {*facts.inlined("main.innermost")}
    assert len(sites) > 2
    for site in sites:
        assert facts.symbolise(site.address)[0][0] == "main.innermost"


def test_calls_that_another_function_makes_do_not_count(facts: GoFacts) -> None:
    """The closure in method defers show; inner, which is inlined into it, calls show, too."""
    sites = facts.sites("main.(*thing).method.func1", "call", "main.show")
    assert sites
    for site in sites:
        assert [name for name, _, _ in facts.symbolise(site.address)] == ["main.(*thing).method.func1"]


def test_a_function_that_is_inlined_nowhere_is_preferred(facts: GoFacts) -> None:
    (found,) = plan(facts, Probe("first", (INNER, SHOW))).plugins[0].probes
    assert found.symbol == "main.show"
    assert found.inlined_in == ()


def test_what_is_inlined_in_part_is_taken_and_said(facts: GoFacts) -> None:
    made = plan(facts, Probe("first", (INNER,)))
    (found,) = made.plugins[0].probes
    assert found.symbol == "main.inner"
    assert "main.(*thing).method" in found.inlined_in
    (said,) = missing(made.plugins[0])
    assert said.startswith("calls of main.inner that are inlined in main.(*thing).method")
    assert told(made) == [("error", said)]
    assert told(plan(facts, Probe("first", (INNER,), optional=True))) == [("warning", said)]


def test_another_probe_stands_in(facts: GoFacts) -> None:
    made = plan(facts, Probe("first", (INNER,)), Probe("second", (INNERMOST,), instead_of="first", optional=True))
    first, second = made.plugins[0].probes
    assert first.covered
    assert len(second.sites) > 2
    assert missing(made.plugins[0]) == []
    assert told(made) == []
    assert {program.function.rpartition("_")[2] for program in made.programs} == {"first", "second"}


def test_what_stands_in_is_enough(facts: GoFacts) -> None:
    """The function has no body of its own, and the probe is required."""
    assert facts.function("main.innermost") is None
    required = Probe("first", (Site("main.innermost"),))
    alone = plan(facts, required).plugins[0]
    assert not alone.enabled
    assert "its body is inlined in" in alone.reason
    both = plan(facts, required, Probe("second", (INNERMOST,), instead_of="first", optional=True)).plugins[0]
    assert both.enabled
    assert missing(both) == []


def test_one_of_two_that_stand_in_is_not_enough(facts: GoFacts) -> None:
    made = plan(
        facts,
        Probe("first", (INNER,)),
        Probe("second", (INNERMOST,), instead_of="first", optional=True),
        Probe("third", (Site("main.main", callee="main.inner", place="call"),), instead_of="first", optional=True),
    )
    assert not made.plugins[0].probes[0].covered


def test_nothing_stands_in_where_nothing_is_inlined(facts: GoFacts) -> None:
    made = plan(facts, Probe("first", (SHOW,)), Probe("second", (INNERMOST,), instead_of="first", optional=True))
    _, second = made.plugins[0].probes
    assert second.sites == ()
    assert missing(made.plugins[0]) == []
    assert "second" not in as_text(made)
    assert len(made.programs) == 1
