"""Parameters and variables of Go functions, as DWARF and the ABI tell, on real programs."""

from __future__ import annotations

import pytest

import gobuild
from goinst.golang.facts import Facts
from goinst.golang.model import Parameter

VERSIONS = [
    *(pytest.param(go, marks=() if go in ("1.17.13", "1.26.8") else pytest.mark.matrix) for go in gobuild.VERSIONS)
]
GENERIC = [
    *(
        pytest.param(go, marks=() if go == "1.26.8" else pytest.mark.matrix)
        for go in gobuild.VERSIONS
        if go not in ("1.16.15", "1.17.13")
    )
]


def facts_of(program: str, go: str, *, goarch: str = "amd64", ldflags: str = "") -> Facts:
    return Facts.open(str(gobuild.build(gobuild.PROGRAMS / program, go=go, goarch=goarch, ldflags=ldflags)))


def release(go: str) -> tuple[int, ...]:
    return tuple(int(part) for part in go.split(".")[:2])


def shown(parameters: tuple[Parameter, ...] | None) -> str:
    """Write ``a int, b string -> ~r0 error``."""
    assert parameters is not None
    sides = [[f"{each.name} {each.type_name}" for each in parameters if each.result is side] for side in (False, True)]
    return " -> ".join(", ".join(side) for side in sides if side or side is sides[0])


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
@pytest.mark.parametrize("go", VERSIONS)
def test_parameters_are_in_the_order_of_the_source(go: str, goarch: str) -> None:
    facts = facts_of("variables", go, goarch=goarch)
    silent = goarch == "amd64" and release(go) == (1, 17)
    numbered = release(go) >= (1, 18)

    def ends(*results: str, behind: int) -> str:
        names = [
            text if " " in text else f"~r{at + (0 if numbered else behind)} {text}" for at, text in enumerate(results)
        ]
        return "" if silent else f" -> {', '.join(names)}"

    assert shown(facts.parameters("main.(*box).mixed")) == (
        "b *main.box, s string, p main.point, f float64, a [2]int, last uint8" + ends("n int", "err error", behind=6)
    )
    assert shown(facts.parameters("main.many")) == (
        "a int, b int, c int, d int, e int, f int, g int, s string, t []uint8" + ends("string", "int", behind=9)
    )
    assert shown(facts.parameters("main.variadic")) == "format string, args []interface {}" + ends("int", behind=2)
    assert shown(facts.parameters("main.counter.func1")) == "d int" + ends("int", behind=1)
    if release(go) >= (1, 22):
        assert shown(facts.parameters("main.blanks")) == "~p0 int, s string, ~p2 bool, z int -> ~r0 int, ~r1 error"
    else:
        assert shown(facts.parameters("main.blanks")) == "s string, z int" + ends("int", "error", behind=4)
    # It has no body of its own.
    assert facts.function("main.inlined") is None
    assert shown(facts.parameters("main.inlined")).startswith("x int")
    assert facts.parameters("no.such") is None


@pytest.mark.parametrize("go", GENERIC)
def test_generic_functions_take_a_dictionary(go: str) -> None:
    facts = facts_of("generic", go)

    def inputs(pattern: str) -> str:
        (function,) = facts.matching(pattern)
        return shown(facts.parameters(function.name)).partition(" -> ")[0]

    assert (
        inputs(r"^main\.apply\[(\.\.\.|go\.shape.*)\]$") == ".dict uintptr, in []int, f func(int) string, extra string"
    )
    assert inputs(r"^main\.outer\[(\.\.\.|go\.shape.*)\]$") == ".dict uintptr, x string, n int"
    assert inputs(r"^main\.outer\[.*\]\.func1$") == "m int"
    method = inputs(r"^main\.\(\*pair\[(\.\.\.|go\.shape.*)\]\)\.set$").split(", ")
    first, second = method[:2] if release(go) >= (1, 20) else method[1::-1]
    assert first.startswith("p *main.pair[go.shape.string")
    assert second == ".dict uintptr"
    assert method[2:] == ["k string", "v int"]


def test_without_dwarf_there_is_no_answer() -> None:
    facts = facts_of("variables", "1.26.8", ldflags="-s -w")
    assert facts.parameters("main.many") is None
