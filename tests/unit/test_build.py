"""Who is left out when nothing names the plugin that does not compile."""

from __future__ import annotations

from typing import Any

import pytest

from gobuild import PROGRAMS, build
from goinst import Fragment, Probe, Protocol, Site
from goinst.errors import BuildError
from goinst.golang.facts import GoFacts
from goinst.kernel.program import BpfObject
from goinst.plan.settings import PlanSettings
from goinst.run.build import build as build_programs

BROKEN = "llvm_dies_of_this"


class Crashing:
    """A compiler that ends without a word at some text, as LLVM does when it is killed."""

    def compile(self, source: str) -> Any:
        """BuildError that names nobody."""
        if BROKEN in source and "#define GOINST_PROPAGATE" in source:
            raise BuildError("the compiler ended with status 1", detail="")
        return BpfObject((), {})  # far enough: there is nothing to load in it


def plugin(name: str, text: str = "") -> Protocol:
    code = f"PROBE({name}_main)\n{{\n    return 0;\n}}\n{text}"
    return Protocol(name, "", (Fragment(f"{name}.bpf.c", text=code),), (Probe(f"{name}_main", (Site("main.main"),)),))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_culprit_is_found_with_the_settings_that_failed(place: int) -> None:
    plugins = [plugin(name, f"static int {BROKEN};" if number == place else "") for number, name in enumerate("abc")]
    failed: list[str] = []
    with pytest.raises(BuildError, match="the compiler left out the program"):
        build_programs(
            GoFacts.open(str(build(PROGRAMS / "idle"))), plugins, {}, PlanSettings(propagate="dry-run"),
            Crashing(), lambda error: failed.append(error.plugin), multi=True, ring_bytes=1 << 20, operations=64,
        )  # type: ignore[arg-type]  # fmt: skip
    assert failed == ["abc"[place]]


def test_without_what_breaks_it_nobody_is_left_out() -> None:
    with pytest.raises(BuildError, match="the compiler left out the program"):
        build_programs(
            GoFacts.open(str(build(PROGRAMS / "idle"))), [plugin("a", f"static int {BROKEN};")], {}, PlanSettings(),
            Crashing(), lambda error: pytest.fail(str(error)), multi=True, ring_bytes=1 << 20, operations=64,
        )  # type: ignore[arg-type]  # fmt: skip
