"""Source lines: which code they have, and which line code has, also of stripped programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gobuild
from goinst.binary.model import LineSite
from goinst.cache import Cache
from goinst.golang.facts import GoFacts

VERSIONS = [
    *(pytest.param(go, marks=() if go in ("1.17.13", "1.26.8") else pytest.mark.matrix) for go in gobuild.VERSIONS)
]
SOURCE = gobuild.PROGRAMS / "variables" / "main.go"


def facts_of(go: str, *, goarch: str = "amd64", ldflags: str = "") -> GoFacts:
    return GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / "variables", go=go, goarch=goarch, ldflags=ldflags)))


def line_of(text: str) -> int:
    """Return the number of the only line of the program that contains ``text``."""
    (number,) = [at for at, line in enumerate(SOURCE.read_text().splitlines(), 1) if text in line]
    return number


def only(sites: tuple[LineSite, ...]) -> LineSite:
    (site,) = sites
    return site


@pytest.mark.parametrize("ldflags", ["", "-s -w"])
@pytest.mark.parametrize("go", VERSIONS)
def test_frames_are_what_the_runtime_says(go: str, ldflags: str) -> None:
    path = gobuild.build(gobuild.PROGRAMS / "frames", go=go, ldflags=ldflags)
    shown = subprocess.run([str(path)], capture_output=True, text=True, check=True).stdout
    facts = GoFacts.open(str(path))
    inlined = 0
    for stack in shown.strip().split("\n\n"):
        frames = [line.split("\t") for line in stack.splitlines()]
        assert len(frames) > 2
        while frames:
            chain = facts.symbolise(int(frames[0][0], 16))
            assert chain == tuple((name, file, int(line)) for _, name, file, line in frames[: len(chain)])
            assert facts.source_line(int(frames[0][0], 16)) == chain[0][1:]
            inlined += len(chain) > 1
            frames = frames[max(len(chain), 1) :]
    assert inlined > 2
    assert facts.symbolise(1) == ()
    assert facts.source_line(1) is None


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
@pytest.mark.parametrize("ldflags", ["", "-s -w"])
@pytest.mark.parametrize("go", VERSIONS)
def test_a_line_is_found_in_its_function(go: str, ldflags: str, goarch: str) -> None:
    facts = facts_of(go, goarch=goarch, ldflags=ldflags)
    line = line_of("return 1, nil")
    found = only(facts.lines("main.go", line))
    assert (found.symbol, found.inlined_in, found.line) == ("main.(*box).mixed", "", line)
    assert found.file == str(SOURCE)
    function = facts.function("main.(*box).mixed")
    assert function is not None
    assert function.entry < found.site.address < function.end
    assert facts.source_line(found.site.address) == (found.file, line)
    assert (found.site.place, found.site.guard) == ("line", None)
    assert found.site.stack_adjust > 0
    for suffix in ("variables/main.go", str(SOURCE)):
        assert facts.lines(suffix, line) == (found,)
    assert facts.lines("ain.go", line) == ()
    assert facts.lines("nothing.go", line) == ()


@pytest.mark.parametrize("go", VERSIONS)
def test_the_line_of_a_declaration_is_where_the_function_starts(go: str) -> None:
    facts = facts_of(go)
    found = only(facts.lines("main.go", line_of("func blanks(")))
    assert (found.site,) == facts.sites("main.blanks", "entry")


@pytest.mark.parametrize("go", VERSIONS)
def test_the_closure_and_what_makes_it_share_a_line(go: str) -> None:
    facts = facts_of(go)
    found = facts.lines("main.go", line_of("return func(d int) int {"))
    assert sorted(each.symbol for each in found) == ["main.counter", "main.counter.func1"]


@pytest.mark.parametrize("ldflags", ["", "-s -w"])
@pytest.mark.parametrize("go", VERSIONS)
def test_inlined_bodies_have_a_site_each(go: str, ldflags: str) -> None:
    facts = facts_of(go, ldflags=ldflags)
    found = [*facts.lines("main.go", line_of("last = tag")), *facts.lines("main.go", line_of("return x*3 + len(tag)"))]
    assert {(each.symbol, each.inlined_in) for each in found} == {("main.inlined", "main.caller")}
    for each in found:
        chain = facts.symbolise(each.site.address)
        assert [name for name, _, _ in chain] == ["main.inlined", "main.caller"]
        assert chain[1][2] in (line_of('w := inlined(v+1, "first")'), line_of('w += inlined(v*2, "second")'))


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
@pytest.mark.parametrize("go", VERSIONS)
def test_the_stack_is_as_deep_as_the_code_says(go: str, goarch: str) -> None:
    """At a RET and where a function starts SP is as at its first instruction: pclntab has to agree."""
    facts = facts_of(go, goarch=goarch)
    binary = facts._binary()
    for symbol in ("main.(*box).mixed", "main.caller", "main.use", "fmt.Fprintf"):
        for place in ("entry", "return"):
            for site in facts.sites(symbol, place):
                assert binary.functions.stack_depth(site.address) == site.stack_adjust == 0


def test_no_body_with_the_line_is_missed() -> None:
    """The search looks only into functions that can have it; here it is compared with all code there is."""
    facts = GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / "ping", go="1.26.8")))
    binary = facts._binary()
    ((place, name),) = binary.lines._files.ending("fmt/print.go")
    indexes, numbers = binary.lines._files.users(place)
    everything = [
        code
        for index, number in zip(indexes.tolist(), numbers.tolist(), strict=True)
        for code in binary.lines._code(index, number)
    ]
    assert len({code.function for code in everything}) > 40
    lines = {code.line for code in everything}
    assert len(lines) > 300
    for line in sorted(lines)[::7]:
        expected = sorted(code for code in everything if code.line == line)
        assert sorted(code for _, code in binary.lines.code("fmt/print.go", line)) == expected
    assert name.endswith("/fmt/print.go")


def test_lines_nearby() -> None:
    facts = facts_of("1.26.8")
    blank = line_of("func main() {") - 1
    assert facts.lines("main.go", blank) == ()
    near = facts.lines_near("main.go", blank)
    assert line_of("func main() {") in near
    assert len(near) == 6
    assert near == tuple(sorted(near))
    assert all(facts.lines("main.go", line) for line in near)


def test_two_files_of_one_name_are_both_meant() -> None:
    facts = GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / "frames", go="1.26.8")))
    folder = gobuild.PROGRAMS / "frames"
    assert sorted(facts.source_files("main.go")) == [str(folder / "main.go"), str(folder / "other" / "main.go")]
    assert facts.source_files("other/main.go") == (str(folder / "other" / "main.go"),)
    assert facts.source_files("her/main.go") == ()
    source = (folder / "other" / "main.go").read_text().splitlines()
    found = facts.lines("other/main.go", source.index("\tf()") + 1)
    assert only(found).symbol == "example.com/frames/other.Call"


def test_answers_are_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    path = str(gobuild.build(gobuild.PROGRAMS / "variables", go="1.26.8"))

    def answers(facts: GoFacts) -> list[object]:
        line = line_of("return 1, nil")
        return [
            facts.lines("main.go", line), facts.lines_near("main.go", 1), facts.source_files("main.go"),
            facts.inlined_sites("main.inlined"),
        ]  # fmt: skip

    cold = GoFacts.open(path, cache=cache)
    expected = answers(cold)
    cold.save()
    warm = GoFacts.open(path, cache=cache)
    assert answers(warm) == expected
    assert warm.known


def test_many_addresses_are_named_quickly() -> None:
    path = str(gobuild.build(gobuild.PROGRAMS / "ping", go="1.26.8"))
    code = (
        "import random, sys, time\n"
        "from goinst.golang.facts import GoFacts\n"
        "facts = GoFacts.open(sys.argv[1])\n"
        "functions = facts.matching(r'^net/http\\.')\n"
        "addresses = [random.Random(1).randrange(each.entry, each.end) for each in functions[:500]]\n"
        "facts.symbolise(addresses[0])\n"
        "start = time.process_time()\n"
        "named = [facts.symbolise(address) for address in addresses]\n"
        "assert all(named)\n"
        "print(time.process_time() - start)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert float(shown.stdout) < 0.5


@pytest.mark.parametrize("ldflags", ["", "-s -w"])
@pytest.mark.parametrize("go", VERSIONS)
def test_each_inlined_body_is_found_where_it_starts(go: str, ldflags: str) -> None:
    facts = GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / "ping", go=go, ldflags=ldflags)))
    readable = 0
    for symbol in ("net/http.Header.Get", "net/url.(*URL).Hostname"):
        found = facts.inlined_sites(symbol)
        assert len(found) >= len(facts.inlined(symbol)) > 0
        assert {each.site.symbol for each in found} == set(facts.inlined(symbol))
        assert len({each.site.address for each in found}) == len(found)
        for each in found:
            chain = facts.symbolise(each.site.address)
            level = [name for name, _, _ in chain].index(symbol)
            assert chain[level + 1][1:] == (each.file, each.line)
            assert chain[-1][0] == each.site.symbol
            readable += any(variable.pieces for variable in each.variables)
            assert all(variable.pieces or variable.why for variable in each.variables)
        assert found[0].variables == facts.variables(symbol, found[0].site.address)
    assert bool(readable) is not bool(ldflags)
    assert facts.inlined_sites("net/http.serverHandler.ServeHTTP") == facts.inlined_sites("no.such") == ()
