"""Functions of native programs by all their names, and the instructions that are probed: on programs built here."""

from __future__ import annotations

import inspect
import random
import re
import subprocess
from pathlib import Path

import pytest

import gobuild
import nativebuild
from goinst.binary.model import Location
from goinst.errors import BinaryError
from goinst.golang.facts import GoFacts
from goinst.native import NativeFacts, open_facts
from goinst.native.demangle import demangle, plain


@pytest.fixture(scope="module")
def order() -> NativeFacts:
    return NativeFacts.open(str(nativebuild.build("order.c", "-g", "-O2")))


@pytest.fixture(scope="module")
def shop() -> NativeFacts:
    if missing := nativebuild.missing("shop.cc"):
        pytest.skip(f"no {missing}")
    return NativeFacts.open(str(nativebuild.build("shop.cc", "-g", "-O2")))


@pytest.fixture(scope="module")
def post() -> NativeFacts:
    if missing := nativebuild.missing("post.rs"):
        pytest.skip(f"no {missing}")
    return NativeFacts.open(str(nativebuild.build("post.rs", "-g", "-O")))


def entries(binary: Path) -> dict[str, int]:
    """What nm(1) says of functions."""
    rows = subprocess.run(["nm", str(binary)], capture_output=True, text=True, check=True).stdout.split("\n")
    return {words[2]: int(words[0], 16) for row in rows if len(words := row.split()) == 3 and words[1] in "tTW"}


def test_functions_are_where_nm_says(order: NativeFacts) -> None:
    listed = entries(Path(order.info.path))
    for name in ("place", "nine", "nested", "main"):
        function = order.function(name)
        assert function is not None
        assert function.entry == listed[name]
        assert order.function(f"{listed[name]:#x}") is not None
    assert {f.name: f.entry for f in order.matching("^(place|ni.*)$")} == {n: listed[n] for n in ("place", "nine")}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("strlen", "not in this file|decided when"),
        ("plac", "no function plac in the binary"),
        ("0x10", "no code at 0x10"),
        ("puts", "not in this file, which only calls it"),
    ],
)
def test_what_is_not_there_is_explained(order: NativeFacts, name: str, why: str) -> None:

    assert order.function(name) is None
    assert re.search(why, order.why_not(name))
    assert order.sites(name, "entry") == ()


def test_an_address_inside_a_function_is_none(order: NativeFacts) -> None:
    place = order.function("place")
    assert place is not None
    assert order.why_not(f"{place.entry + 1:#x}") == (
        f"{place.entry + 1:#x} is inside place: only where a function starts arguments are known"
    )


def test_a_function_that_was_inlined_says_where(order: NativeFacts) -> None:
    assert order.why_not("doubled") == "doubled has no body of its own: the compiler inlined it in main"
    assert order.inlined("doubled") == ("main",)
    assert order.inlined("place") == ()


def test_names_of_cpp(shop: NativeFacts) -> None:
    assert shop.function("shop::add") is None
    assert shop.why_not("shop::add") == (
        "shop::add may be shop::add(double, double) or shop::add(int, int): name one of them"
    )
    listed = entries(Path(shop.info.path))
    for name, linked in {
        "shop::add(int, int)": "_ZN4shop3addEii",
        "shop::Item::price": "_ZNK4shop4Item5priceEiNS_5MoneyE",
        "shop::Book::price(int, shop::Money) const": "_ZNK4shop4Book5priceEiNS_5MoneyE",
        "shop::twice<double>": "_ZN4shop5twiceIdEET_S1_",
        "(anonymous namespace)::hidden": "_ZN12_GLOBAL__N_16hiddenEi",
    }.items():
        function = shop.function(name)
        assert function is not None, name
        assert function.entry == listed[linked] == getattr(shop.function(linked), "entry", 0)
    assert "shop::add(int, int)" in shop.why_not("add")
    assert {f.name for f in shop.matching("^shop::add")} == {"shop::add(int, int)", "shop::add(double, double)"}


def test_names_of_rust(post: NativeFacts) -> None:
    for name in ("post::Letter::send", "post::sum", "post_plain"):
        assert post.function(name) is not None, name
    generic = post.matching("^post::largest")
    assert len(generic) == 2
    assert [post.function(function.name) for function in generic] == list(generic)


def test_names_with_versions_of_a_shared_library() -> None:
    library = next(Path("/lib").glob("*-linux-gnu/libc.so.6"), None)
    if library is None:
        pytest.skip("no C library where Debian has it")
    libc = NativeFacts.open(str(library))
    assert libc.function("memcpy@GLIBC_2.2.5") is not None or libc.info.arch != "amd64"
    assert "indirect function" in libc.why_not("strlen")
    assert libc.function("malloc") is not None


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("shop::Item::price(int, shop::Money) const", "shop::Item::price"),
        ("int shop::twice<int>(int)", "shop::twice<int>"),
        ("std::map<int, (anonymous namespace)::T>::at(int const&)", "std::map<int, (anonymous namespace)::T>::at"),
        ("(anonymous namespace)::hidden(int)", "(anonymous namespace)::hidden"),
        ("A::operator()(int)", "A::operator()"),
        ("A::operator bool() const", "A::operator bool"),
        ("std::ostream& ns::operator<< <char>(std::ostream&, char)", "ns::operator<< <char>"),
        ("post::sum", "post::sum"),
    ],
)
def test_the_name_without_parameters(name: str, short: str) -> None:
    assert plain(name) == short


def test_a_name_that_only_looks_mangled_stays() -> None:
    assert [demangle(name) for name in ("_Z", "_ZZZZ", "_R", "_RNvC", "_ZN", "main")] == [
        "_Z", "_ZZZZ", "_R", "_RNvC", "_ZN", "main",
    ]  # fmt: skip


def test_entry_sites_are_emulated_and_before_any_argument_changes() -> None:
    for flags in (("-O0",), ("-O2",), ("-O2", "-fcf-protection=full"), ("-Os", "-fno-pie", "-no-pie")):
        facts = NativeFacts.open(str(nativebuild.build("order.c", *flags)))
        function = facts.function("main")
        (site,) = facts.sites("main", "entry")
        assert function is not None
        assert function.entry <= site.address < function.entry + 16
        assert site.emulated or facts.info.arch != "amd64"
        assert (site.guard, site.g) == (None, None)
        assert len(facts.sites("place", "return")) >= 1


def test_arguments_by_the_abi(order: NativeFacts) -> None:
    parameters, (result,) = order.arguments("")
    assert [argument.name for argument in parameters] == [f"arg{number}" for number in range(1, 7)]
    typed, _ = order.arguments("a int32, x float64, p *byte, b bool")
    amd64 = order.info.arch == "amd64"
    assert [argument.words[""] for argument in typed] == (
        [Location("di", None, 4), Location("xmm0", None, 8), Location("si", None, 8), Location("dx", None, 1)]
        if amd64
        else [
            Location("regs[0]", None, 4), Location("f0", None, 8), Location("regs[1]", None, 8),
            Location("regs[2]", None, 1),
        ]
    )  # fmt: skip
    assert result.words[""].register == ("ax" if amd64 else "regs[0]")
    with pytest.raises(BinaryError, match="type string: is not in the binary"):
        order.arguments("s string")
    with pytest.raises(BinaryError, match="no name and type"):
        order.arguments("note")
    (note, where), (sum_,) = order.arguments("note *char, where struct point -> sum long")
    assert (note.words[""].size, where.words[""].size, sum_.words[""].size) == (8, 8, 8)


def test_a_native_program_can_be_asked_whatever_a_go_program_can(order: NativeFacts) -> None:
    samples = {
        "symbol": "place", "pattern": "^pl", "type_name": "order", "path": "id", "signature": "a int32",
        "place": "entry", "reference": "order", "written": "order", "file": "order.c", "line": 1, "address": 0x1200,
        "tail": "lace", "functions": ("place",), "fields": (),
    }  # fmt: skip
    asked = []
    for name, method in inspect.getmembers(GoFacts, inspect.isfunction):
        if name.startswith("_") or name == "save":
            continue
        required = list(inspect.signature(method).parameters)[1:]
        getattr(order, name)(*(samples[p] for p in required if p in samples))
        asked.append(name)
    assert {"function", "sites", "shape", "variables", "parameters"} <= set(asked)


def test_a_go_program_is_told_from_a_native_one(order: NativeFacts) -> None:
    go = gobuild.build(gobuild.PROGRAMS / "ping")
    assert type(open_facts(str(go))) is GoFacts
    assert type(open_facts(str(gobuild.stripped(go)))) is GoFacts
    native = open_facts(str(go), native=True)
    assert isinstance(native, NativeFacts)
    assert native.function("main.main") is not None
    found = open_facts(order.info.path)
    assert isinstance(found, NativeFacts)
    assert (found.info.abi, found.info.go_version, found.info.has_dwarf) == ("c", "", True)
    with pytest.raises(BinaryError, match="not an ELF file"):
        open_facts(__file__)


def test_debugging_information_that_was_kept_apart(tmp_path: Path, order: NativeFacts) -> None:
    program, apart = tmp_path / "order", tmp_path / ".debug" / "order.debug"
    apart.parent.mkdir()
    subprocess.run(["objcopy", "--only-keep-debug", order.info.path, str(apart)], check=True)
    subprocess.run(["strip", "-o", str(program), order.info.path], check=True)
    without = NativeFacts.open(str(program))
    assert without.function("place") is None
    assert "(stripped)" in without.why_not("place")
    subprocess.run(["objcopy", f"--add-gnu-debuglink={apart}", str(program)], check=True)
    found = NativeFacts.open(str(program))
    assert found.info.has_symtab
    assert found.function("place") == order.function("place")
    apart.write_bytes(apart.read_bytes() + b"\0")
    assert NativeFacts.open(str(program)).function("place") is None


def test_damaged_symbols_never_raise() -> None:
    """Whatever is in the tables: an answer, none, or one line about the file."""
    whole = nativebuild.build("order.c", "-O2", "-rdynamic")
    sections = NativeFacts.open(str(whole))._binary().image.sections
    tables = [".symtab", ".strtab", ".dynsym", ".dynstr", ".gnu.version", ".eh_frame_hdr", ".text"]
    generator = random.Random(3)
    answers = 0
    for number in range(40):

        def edit(data: bytearray) -> None:
            for _ in range(generator.randrange(1, 30)):
                section = sections[generator.choice(tables)]
                at = section.offset + generator.randrange(section.size)
                data[at] = generator.choice((0, 255, generator.randrange(256)))

        try:
            facts = NativeFacts.open(str(gobuild.derived(whole, f"symbols {number}", edit)))
            for name in ("place", "printf", "nothing", "0x1300", "place@0x1200", "a::b(int)"):
                answers += facts.function(name) is not None
                assert facts.function(name) is not None or facts.why_not(name)
            facts.matching("a")
            facts.symbolise(0x1300)
            for place in ("entry", "return"):
                facts.sites("place", place)  # type: ignore[arg-type]
            facts.jumps_out("place")
        except BinaryError as error:
            assert "\n" not in str(error)
    assert answers >= 20
