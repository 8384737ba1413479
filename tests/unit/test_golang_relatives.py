"""Names that are not what they look like: generic functions, promoted methods, method values."""

from __future__ import annotations

import pytest

import gobuild
from goinst.golang.facts import GoFacts

VERSIONS = [
    *(pytest.param(go, marks=() if go == "1.26.8" else pytest.mark.matrix) for go in gobuild.VERSIONS)
]  # fmt: skip
GENERIC = [each for each in VERSIONS if each.values[0] not in ("1.16.15", "1.17.13")]


def facts_of(program: str, go: str, ldflags: str = "") -> GoFacts:
    return GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / program, go=go, ldflags=ldflags)))


@pytest.mark.parametrize("go", GENERIC)
def test_bodies_of_generic_functions_have_names_of_their_own(go: str) -> None:
    facts = facts_of("generic", go)
    (name,) = facts.bodies("main.apply")
    assert name.startswith("main.apply[go.shape.int")
    assert facts.bodies("main.apply[...]") == (name,)
    function = facts.function(name)
    assert function is not None
    # The name of several bodies is only taken where the function table has it, for the first of them.
    assert (facts.function("main.apply[...]") is None) is (
        "[..." not in {each.name[10:14] for each in facts.matching("^main.apply")}
    )
    methods = facts.bodies("main.(*pair).set")
    assert [each.startswith("main.(*pair[go.shape.") and each.endswith("]).set") for each in methods] == [True, True]
    places = {}
    for method in methods:
        (entry,) = facts.sites(method, "entry")
        assert entry.symbol == method
        found = {each.name: len(each.pieces) for each in facts.variables(method, entry.address)}
        places[entry.address] = (found["k"], found["v"])
    # pair[string, int] and pair[int, []byte]
    assert sorted(places.values()) == [(1, 3), (2, 1)]
    assert facts.bodies("main.list.each")[0].startswith("main.list[go.shape.string")
    assert facts.bodies("main.main") == facts.bodies("no.such") == ()
    assert facts.hint("main.apply") == f"main.apply is generic; its code is {name}"


@pytest.mark.parametrize("ldflags", ["", "-s -w"])
@pytest.mark.parametrize("go", VERSIONS)
def test_what_the_compiler_made_leads_to_what_was_written(go: str, ldflags: str) -> None:
    facts = facts_of("variables", go, ldflags)
    assert facts.wrapped("main.(*box).mixed-fm") == "main.(*box).mixed"
    assert facts.wrapped("main.shelf.Title") == "main.(*box).Title"
    assert facts.wrapped("main.(*box).mixed") == facts.wrapped("no.such") == ""


@pytest.mark.parametrize("ldflags", ["", "-s -w"])
@pytest.mark.parametrize("go", VERSIONS)
def test_hints_for_what_is_not_there(go: str, ldflags: str) -> None:
    facts = facts_of("variables", go, ldflags)
    assert facts.hint("main.box.mixed") == "the method is main.(*box).mixed"
    assert facts.hint("main.shelf.mixed") == (
        "main.shelf.mixed is promoted from an embedded field: the method is main.(*box).mixed"
    )
    assert facts.hint("main.named.Title") == "main.named is an interface; methods of that name are main.(*box).Title"
    assert facts.hint("main.(*box).mixed") == facts.hint("no.such") == facts.hint("x") == ""
