"""Damaged debugging sections and line tables: answers, or one line that says what is wrong, and soon."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import gobuild
from goinst.errors import BinaryError
from goinst.golang.binary import GoBinary
from goinst.golang.facts import GoFacts

SECTIONS = (
    ".debug_info", ".debug_abbrev", ".debug_loc", ".debug_loclists", ".debug_line", ".debug_addr", ".debug_ranges",
    ".debug_rnglists", ".gopclntab",
)  # fmt: skip
ROUNDS = int(os.environ.get("GOINST_DAMAGE_ROUNDS", "6"))


def questions(facts: GoFacts) -> list[Callable[[], object]]:
    def at_each_site(symbol: str) -> object:
        sites = [*facts.sites(symbol, "entry"), *facts.sites(symbol, "return")]
        return [facts.variables(symbol, site.address) for site in sites]

    return [
        *(lambda symbol=symbol: facts.parameters(symbol) for symbol in ("main.many", "main.inlined")),  # type: ignore[misc]
        *(lambda symbol=symbol: at_each_site(symbol) for symbol in ("main.(*box).mixed", "main.counter.func1")),  # type: ignore[misc]
        lambda: [facts.lines("main.go", line) for line in range(30, 90, 7)],
        lambda: facts.lines_near("fmt/print.go", 1),
        lambda: facts.inlined_sites("main.inlined"),
        lambda: facts.inlined_sites("fmt.Printf"),
        lambda: [facts.symbolise(each.entry + 20) for each in facts.matching(r"^fmt\.")],
        lambda: [facts.wrapped("main.shelf.Title"), facts.hint("main.shelf.mixed"), facts.bodies("main.many")],
    ]


@pytest.mark.parametrize("go", ["1.21.13", "1.26.8"])
def test_damaged_debugging_sections(go: str, tmp_path: Path) -> None:
    whole = gobuild.build(gobuild.PROGRAMS / "variables", go=go, ldflags="-compressdwarf=false")
    image = GoBinary.open(str(whole)).image
    spots = [found for name in SECTIONS if (found := image.sections.get(name)) is not None]
    content = whole.read_bytes()
    choose = random.Random(go)
    answered = 0
    for number in range(ROUNDS):
        data = bytearray(content)
        for _ in range(choose.choice((1, 10, 300, 20_000))):
            spot = choose.choice(spots)
            at = spot.offset + choose.randrange(spot.size)
            data[at] = choose.choice((0, 255, choose.randrange(256), data[at] ^ 1 << choose.randrange(8)))
        path = tmp_path / str(number)
        path.write_bytes(data)
        started = time.process_time()
        facts = GoFacts.open(str(path))
        for ask in questions(facts):
            try:
                answered += bool(ask())
            except BinaryError as error:
                assert "\n" not in str(error)
        assert time.process_time() - started < 20
        path.unlink()
    assert answered > ROUNDS
