"""Parameters and variables of Go functions, as DWARF and the ABI tell, on real programs."""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import gobuild
from goinst.binary.model import Argument, LineSite, Parameter, Piece, Site, Variable
from goinst.cache import Cache
from goinst.golang.facts import GoFacts
from stops import Stopped, run

VERSIONS = [
    *(pytest.param(go, marks=() if go in ("1.17.13", "1.26.8") else pytest.mark.matrix) for go in gobuild.VERSIONS)
]
EXPERIMENTS = [pytest.param(f"1.17.13 {each}", marks=pytest.mark.matrix) for each in ("noregabi", "noregabiargs")]
GENERIC = [
    *(
        pytest.param(go, marks=() if go == "1.26.8" else pytest.mark.matrix)
        for go in gobuild.VERSIONS
        if go not in ("1.16.15", "1.17.13")
    )
]


def facts_of(program: str, go: str, *, goarch: str = "amd64", ldflags: str = "") -> GoFacts:
    return GoFacts.open(str(gobuild.build(gobuild.PROGRAMS / program, go=go, goarch=goarch, ldflags=ldflags)))


def only(sites: tuple[LineSite, ...]) -> LineSite:
    (site,) = sites
    return site


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
        function = facts.matching(pattern)[-1]
        return shown(facts.parameters(function.name)).partition(" -> ")[0]

    assert (
        inputs(r"^main\.apply\[(\.\.\.|go\.shape.*)\]$") == ".dict uintptr, in []int, f func(int) string, extra string"
    )
    assert inputs(r"^main\.outer\[(\.\.\.|go\.shape.*)\]$") == ".dict uintptr, x string, n int"
    assert inputs(r"^main\.outer\[.*\]\.func1$") == "m int"
    (name,) = (each for each in facts.bodies("main.(*pair).set") if each.startswith("main.(*pair[go.shape.string"))
    method = shown(facts.parameters(name)).partition(" -> ")[0].split(", ")
    first, second = method[:2] if release(go) >= (1, 20) else method[1::-1]
    assert first.startswith("p *main.pair[go.shape.string")
    assert second == ".dict uintptr"
    assert method[2:] == ["k string", "v int"]


# Where they are

MIXED = "b *main.box, s string, p main.point, f float64, a [2]int, last uint8 -> n int, err error"
MANY = "a int, b int, c int, d int, e int, f int, g int, s string, t []byte -> r0 string, r1 int"


def words(pieces: tuple[Piece, ...]) -> list[tuple[str | None, int | None]]:
    """Give register or stack place of each word, as pieces of several words have them in a row."""
    return [
        (piece.register, None if piece.stack is None else piece.stack + step)
        for piece in pieces
        for step in range(0, piece.size, 8)
    ]


def declared(argument: Argument) -> list[tuple[str | None, int | None]]:
    return [
        (where.register, None if where.stack is None else where.stack + step)
        for where in argument.words.values()
        for step in range(0, where.size, 8)
    ]


def by_name(variables: tuple[Variable, ...]) -> dict[str, Variable]:
    named = {each.name: each for each in variables}
    assert len(named) == len(variables)
    return named


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
@pytest.mark.parametrize(("symbol", "signature"), [("main.(*box).mixed", MIXED), ("main.many", MANY)])
@pytest.mark.parametrize("go", VERSIONS)
def test_arguments_are_where_the_abi_puts_them(go: str, symbol: str, signature: str, goarch: str) -> None:
    facts = facts_of("variables", go, goarch=goarch)
    inputs, outputs = facts.arguments(signature)
    (entry,) = facts.sites(symbol, "entry")
    function = facts.function(symbol)
    assert function is not None
    for address in (entry.address, function.entry):
        found = by_name(facts.variables(symbol, address))
        for argument in inputs:
            variable = found[argument.name]
            assert words(variable.pieces) == declared(argument), argument.name
            assert (variable.role, variable.why, variable.indirect) == ("parameter", "", False)
        for variable in found.values():
            assert (variable.role == "parameter") is bool(variable.pieces)
            assert bool(variable.pieces) is not bool(variable.why)
    results = facts.parameters(symbol)
    assert results is not None
    named = [each.name for each in results if each.result]
    for site in facts.sites(symbol, "return"):
        found = by_name(facts.variables(symbol, site.address))
        assert [each.name for each in found.values() if each.role == "result"] == named
        for name, argument in zip(named, outputs, strict=bool(named)):
            assert words(found[name].pieces) == declared(argument)


@pytest.mark.parametrize("go", VERSIONS)
def test_unnamed_parameters_take_their_places(go: str) -> None:
    facts = facts_of("variables", go)
    (entry,) = facts.sites("main.blanks", "entry")
    found = by_name(facts.variables("main.blanks", entry.address))
    inputs, _ = facts.arguments("a int, s string, b bool, z int")
    expected = {argument.name: declared(argument) for argument in inputs}
    if release(go) >= (1, 18):
        assert words(found["s"].pieces) == expected["s"]
        assert words(found["z"].pieces) == expected["z"]
    else:  # DWARF neither lists the unnamed ones nor says where all of the others are
        assert words(found["s"].pieces) in ([], expected["s"])
        assert words(found["z"].pieces) in ([], expected["z"])
        assert all(each.pieces or "does not list all parameters" in each.why for each in (found["s"], found["z"]))
    if release(go) >= (1, 22):
        assert (words(found["~p0"].pieces), words(found["~p2"].pieces)) == (expected["a"], expected["b"])


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
@pytest.mark.parametrize("go", VERSIONS)
def test_what_escaped_is_found_through_its_pointer(go: str, goarch: str) -> None:
    facts = facts_of("variables", go, goarch=goarch)
    found = by_name(facts.variables("main.counter", facts.sites("main.counter", "return")[0].address))
    assert (found["count"].type, found["count"].indirect, found["count"].role) == ("int", True, "local")
    assert [piece.size for piece in found["count"].pieces] == [8]


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
@pytest.mark.parametrize("go", VERSIONS)
def test_a_closure_finds_its_variables_by_the_context_register(go: str, goarch: str) -> None:
    facts = facts_of("variables", go, goarch=goarch)
    (entry,) = facts.sites("main.counter.func1", "entry")
    found = by_name(facts.variables("main.counter.func1", entry.address))
    context = {"amd64": "dx", "arm64": "regs[26]"}[goarch]
    assert found["count"] == Variable("count", "int", "captured", (Piece(0, 8, based=(context, 8)),), indirect=True)
    assert found["label"] == Variable("label", "string", "captured", (Piece(0, 16, based=(context, 16)),))


@pytest.mark.parametrize("go", GENERIC)
def test_the_dictionary_takes_a_register(go: str) -> None:
    facts = facts_of("generic", go)
    (method,) = (
        function
        for name in facts.bodies("main.(*pair).set")
        if name.startswith("main.(*pair[go.shape.string") and (function := facts.function(name))
    )
    found = by_name(facts.variables(method.name, method.entry))
    receiver = "bx" if release(go) < (1, 20) else "ax"
    registers = {name: [piece.register for piece in each.pieces] for name, each in found.items()}
    assert registers == {"p": [receiver], "k": ["cx", "di"], "v": ["si"], "old": []}


def test_an_inlined_body_has_the_names_of_its_function() -> None:
    facts = facts_of("variables", "1.26.8")
    assert facts.function("main.inlined") is None
    caller = facts.function("main.caller")
    assert caller is not None
    seen = [facts.variables("main.inlined", address) for address in range(caller.entry, caller.end)]
    assert {each.name for variables in seen for each in variables} == {"x", "tag"}
    assert {each.type for variables in seen for each in variables if each.name == "tag"} == {"string"}


def test_a_call_has_the_arguments_of_what_is_called() -> None:
    facts = facts_of("variables", "1.26.8")
    (call,) = facts.sites("main.main", "call", "main.caller")
    assert by_name(facts.variables("main.caller", call.address))["v"].pieces == (Piece(0, 8, register="ax"),)


def test_a_variable_has_no_value_before_it_is_declared() -> None:
    """Without optimisation it has its place all the time, and whatever was there before."""
    path = gobuild.build(gobuild.PROGRAMS / "variables", go="1.26.8", extra_env={"GOFLAGS": "-gcflags=-N"})
    facts = GoFacts.open(str(path))
    source = (gobuild.PROGRAMS / "variables" / "main.go").read_text().splitlines()
    first = source.index('\tw := inlined(v+1, "first")') + 1
    here, behind = (
        next(each.site.address for each in facts.lines("main.go", line) if each.symbol == "main.caller")
        for line in (first, first + 2)
    )
    before, after = (by_name(facts.variables("main.caller", address))["w"] for address in (here, behind))
    assert (before.pieces, before.why) == ((), "is declared here or below, and has no value yet")
    assert after.pieces
    assert not after.why


def test_answers_are_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    path = str(gobuild.build(gobuild.PROGRAMS / "variables", go="1.26.8"))

    def answers(facts: GoFacts) -> list[object]:
        (entry,) = facts.sites("main.counter.func1", "entry")
        return [facts.parameters("main.many"), facts.variables("main.counter.func1", entry.address)]

    cold = GoFacts.open(path, cache=cache)
    expected = answers(cold)
    cold.save()
    warm = GoFacts.open(path, cache=cache)
    assert answers(warm) == expected
    assert warm.known


def test_without_dwarf_there_is_no_answer() -> None:
    facts = facts_of("variables", "1.26.8", ldflags="-s -w")
    assert facts.parameters("main.many") is None
    (entry,) = facts.sites("main.many", "entry")
    assert facts.variables("main.many", entry.address) == ()


# What a stopped program has there

VALUES: dict[str, Callable[[bytes, Stopped], str]] = {
    "int": lambda data, _: str(int.from_bytes(data, "little", signed=True)),
    "uint8": lambda data, _: str(data[0]),
    "float64": lambda data, _: f"{struct.unpack('<d', data)[0]:g}",
    "string": lambda data, stopped: text_at(stopped, data),
    "[]uint8": lambda data, stopped: text_at(stopped, data),
    "[2]int": lambda data, _: str(int.from_bytes(data[:8], "little")),
    "*main.box": lambda data, stopped: text_at(stopped, stopped.read(int.from_bytes(data, "little"), 16)),
    "main.point": lambda data, _: ",".join(map(str, struct.unpack("<2q", data))),
    "[]interface {}": lambda data, _: str(int.from_bytes(data[8:16], "little")),
}
SIZES = {"int": 8, "string": 16}  # of what is reached through a pointer
SYMBOLS = {
    "main.blanks": "blanks", "main.(*box).mixed": "mixed", "main.many": "many", "main.escapes": "escapes",
    "main.counter.func1": "counter", "main.caller": "caller", "main.variadic": "variadic", "main.(*box).Title": "Title",
}  # fmt: skip
"""Functions that print their variables, and the first word of what they print."""
NAMES = {"b": "b.Name", "args": "len"}  # what they print of a variable, where it is not all of it


def text_at(stopped: Stopped, data: bytes) -> str:
    start, size = struct.unpack_from("<2Q", data)
    return stopped.read(start, size).decode()


def value_of(variable: Variable, site: Site, stopped: Stopped) -> str:
    """Read a variable as its pieces say."""
    data = bytearray(max(piece.offset + piece.size for piece in variable.pieces))
    for piece in variable.pieces:
        if piece.register is not None:
            part = stopped.registers[piece.register].to_bytes(8, "little")[: piece.size]
        elif piece.stack is not None:
            part = stopped.read(stopped.registers["sp"] + site.stack_adjust + piece.stack, piece.size)
        elif piece.based is not None:
            part = stopped.read(stopped.registers[piece.based[0]] + piece.based[1], piece.size)
        else:
            assert piece.constant is not None
            part = (piece.constant & (1 << 64) - 1).to_bytes(8, "little")[: piece.size]
        data[piece.offset : piece.offset + piece.size] = part
    if variable.indirect:
        data = bytearray(stopped.read(int.from_bytes(data, "little"), SIZES[variable.type]))
    return VALUES[variable.type](bytes(data), stopped)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks at amd64 registers")
@pytest.mark.parametrize("flags", ["", "-gcflags=-N"])
@pytest.mark.parametrize("go", [*VERSIONS, *EXPERIMENTS])
def test_a_stopped_program_has_the_values_there(go: str, flags: str) -> None:
    """Stops where functions start and at each line that prints: values are what the program prints then."""
    go, _, experiment = go.partition(" ")
    settings = {"GOFLAGS": flags} | ({"GOEXPERIMENT": experiment} if experiment else {})
    path = gobuild.build(gobuild.PROGRAMS / "variables", go=go, extra_env=settings)
    facts = GoFacts.open(str(path))
    source = (gobuild.PROGRAMS / "variables" / "main.go").read_text().splitlines()
    hits: dict[tuple[str, str], list[dict[str, str]]] = {}
    at: dict[int, Callable[[Stopped], None]] = {}

    def watch(symbol: str, where: str, site: Site) -> None:
        variables = [each for each in facts.variables(symbol, site.address) if each.pieces and not each.why]
        found = hits.setdefault((SYMBOLS[symbol], where), [])

        def look(stopped: Stopped) -> None:
            found.append({each.name: value_of(each, site, stopped) for each in variables if each.type in VALUES})

        assert at.setdefault(site.address, look) is look

    for symbol, word in SYMBOLS.items():
        watch(symbol, "entry", facts.sites(symbol, "entry")[0])
        (line,) = [number for number, text in enumerate(source, 1) if f'Printf("{word} ' in text]
        watch(symbol, "line", only(facts.lines("main.go", line)).site)
    shown = run(path, at).splitlines()
    compared = {"entry": 0, "line": 0}
    for (word, where), found in hits.items():
        printed = [line.split()[1:] for line in shown if line.startswith(f"{word} ")]
        assert len(found) == len(printed) > 0, (word, where)
        for values, line in zip(found, printed, strict=True):
            said = dict(pair.split("=") for pair in line)
            if "p.X" in said:
                said["p"], said["a"] = f"{said['p.X']},{said['p.Y']}", said["a0"]
            for name, value in values.items():
                if (wanted := said.get(NAMES.get(name, name))) is not None:
                    if where == "entry" and name == "count":  # before the call adds to it
                        wanted = str(int(wanted) - int(said["d"]))
                    assert value == wanted, (word, where, name)
                    compared[where] += 1
    assert compared["entry"] >= (75 if flags and release(go) < (1, 23) else 84)
    assert compared["line"] >= 60
