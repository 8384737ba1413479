"""A probe that waits for an option is planned only where the option is on."""

from __future__ import annotations

import dataclasses

from gobuild import PROGRAMS, build
from goinst import Fragment, Option, Probe, Protocol, Site
from goinst.cli.planned import missing
from goinst.golang.facts import GoFacts
from goinst.plan.plan import make_plan

ALWAYS = Probe("always", (Site("main.main"),))
ON_REQUEST = Probe("asked", (Site("main.main"),), option="more", optional=True, lost="more of it")
PROTOCOL = Protocol(
    name="optional",
    summary="a probe on request",
    fragments=(Fragment("o.bpf.c", text="PROBE(always)\n{\n    return 0;\n}\nPROBE(asked)\n{\n    return 0;\n}\n"),),
    probes=(ALWAYS, ON_REQUEST),
    records=(),
    options=(Option("more", False, "whether"),),
)


def test_a_probe_waits_for_its_option() -> None:
    facts = GoFacts.open(str(build(PROGRAMS / "ping")))
    (off,) = make_plan(facts, [PROTOCOL]).plugins
    assert [bool(probe.sites) for probe in off.probes] == [True, False]
    assert missing(off) == ["more of it: option more is off"]
    assert off.enabled
    on = make_plan(facts, [PROTOCOL], {"optional": {"more": True}})
    assert [bool(probe.sites) for probe in on.plugins[0].probes] == [True, True]
    assert {program.plugin for program in on.programs} == {"optional"}


def test_it_does_not_switch_the_plugin_off() -> None:
    required = dataclasses.replace(PROTOCOL, probes=(ALWAYS, dataclasses.replace(ON_REQUEST, optional=False)))
    (plan,) = make_plan(GoFacts.open(str(build(PROGRAMS / "ping"))), [required]).plugins
    assert plan.enabled
