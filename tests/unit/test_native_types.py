"""Types and variables of native programs, from the debugging information of programs built here. That values are what
the programs print: tests/bpf/test_native_capture.py."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

import gobuild
import nativebuild
from goinst.binary.model import Member, Piece, Shape, Variable
from goinst.cache import Cache
from goinst.errors import BinaryError
from goinst.native import NativeFacts

LEVELS = ("-O0", "-O2")


def order(*flags: str) -> NativeFacts:
    return NativeFacts.open(str(nativebuild.build("order.c", "-g", *flags)))


def shop(*flags: str) -> NativeFacts:
    if missing := nativebuild.missing("shop.cc"):
        pytest.skip(f"no {missing}")
    return NativeFacts.open(str(nativebuild.build("shop.cc", "-g", *flags)))


def post(*flags: str) -> NativeFacts:
    if missing := nativebuild.missing("post.rs"):
        pytest.skip(f"no {missing}")
    return NativeFacts.open(str(nativebuild.build("post.rs", "-g", *flags)))


def known(shape: Shape | None) -> Shape:
    assert shape is not None
    return shape


def member(facts: NativeFacts, shape: Shape, name: str) -> tuple[int, Shape]:
    found = next(each for each in shape.fields if each.name == name)
    return found.offset, known(facts.shape(found.type))


def entry(facts: NativeFacts, symbol: str) -> dict[str, Variable]:
    (site,) = facts.sites(symbol, "entry")
    return {each.name: each for each in facts.variables(symbol, site.address)}


def registers(variable: Variable) -> list[str | None]:
    return [piece.register for piece in variable.pieces]


def machine(facts: NativeFacts, amd64: list[str], arm64: list[str]) -> list[str]:
    return amd64 if facts.info.arch == "amd64" else arm64


@pytest.mark.parametrize("flags", [("-O0",), ("-O2",), ("-O2", "-gdwarf-4"), ("-gz",)])
def test_a_struct_of_c(flags: tuple[str, ...]) -> None:
    facts = order(*flags)
    shape = known(facts.shape("struct order"))
    assert (shape.kind, shape.size) == ("struct", 64)
    assert shape.fields == known(facts.shape("order_t")).fields
    assert [(m.name, m.offset) for m in shape.fields] == [
        ("id", 0), ("state", 8), ("customer", 16), ("total", 24), ("items", 32), ("reference", 40), ("next", 56),
    ]  # fmt: skip
    assert member(facts, shape, "id") == (0, Shape("uint64_t", "uint", 8))
    assert member(facts, shape, "state")[1].values == {1: "OPEN", 2: "PAID", 5: "SHIPPED"}
    assert member(facts, shape, "total") == (24, Shape("double", "float", 8))
    _, items = member(facts, shape, "items")
    assert (items.name, items.kind, items.size, items.length) == ("int16_t[4]", "array", 8, 4)
    assert facts.shape(items.elem) == Shape("int16_t", "int", 2)
    _, reference = member(facts, shape, "reference")
    assert (reference.kind, reference.size) == ("union", 8)
    _, text = member(facts, reference, "text")
    assert (text.elem, text.length) == ("char", 8)
    _, customer = member(facts, shape, "customer")
    assert (customer.kind, customer.name) == ("pointer", "customer *")
    name, home = (member(facts, known(facts.shape(customer.elem)), part) for part in ("name", "home"))
    assert name == (0, Shape("char *", "pointer", 8, elem="char"))
    assert home[0] == 12
    assert known(facts.shape("**order")).elem == "*order"
    assert facts.shape("no_such_type") is None
    assert facts.full_name("*order") == "*order"
    with pytest.raises(BinaryError, match="no_such_type: is not in the binary; name one of fixed size"):
        facts.full_name("no_such_type")


@pytest.mark.parametrize("level", LEVELS)
def test_parameters_of_c(level: str) -> None:
    facts = order(level)
    assert [(p.name, p.type_name, p.result) for p in facts.parameters("place") or ()] == [
        ("order", "order_t *", False), ("note", "char *", False), ("length", "size_t", False), ("flags", "int", False),
        ("where", "point", False), ("price", "double", False), ("result", "int64_t", True),
    ]  # fmt: skip
    found = entry(facts, "place")
    assert [registers(found[name]) for name in ("order", "flags", "where")] == [
        machine(facts, ["di"], ["regs[0]"]), machine(facts, ["cx"], ["regs[3]"]), machine(facts, ["r8"], ["regs[4]"]),
    ]  # fmt: skip
    assert known(facts.shape(found["where"].type)).size == 8
    assert registers(found["price"]) == machine(facts, ["xmm0"], ["f0"])
    nine = entry(facts, "nine")
    if facts.info.arch == "amd64":
        assert [nine[name].pieces for name in "ghi"] == [
            (Piece(0, 8, stack=8),), (Piece(0, 4, stack=16),), (Piece(0, 1, stack=24),),
        ]  # fmt: skip
    (result,) = facts.variables("place", facts.sites("place", "return")[0].address)
    assert (result.name, result.role, registers(result)) == ("result", "result", machine(facts, ["ax"], ["regs[0]"]))
    assert facts.variables("place", 1) == ()
    assert facts.parameters("printf") is None


@pytest.mark.parametrize("level", LEVELS)
def test_parameters_of_cpp(level: str) -> None:
    facts = shop(level)
    price = entry(facts, "shop::Book::price")
    assert list(price) == ["this", "count", "base"]
    assert registers(price["base"]) == machine(facts, ["dx", "cx"], ["regs[2]", "regs[3]"])
    this = known(facts.shape(price["this"].type))
    book = known(facts.shape(this.elem))
    assert (this.name, book.name) == ("shop::Book *", "shop::Book")
    assert [m.embedded for m in book.fields] == [True, False]
    item = known(facts.shape(book.fields[0].type))
    _, name = member(facts, item, "name_")
    assert (name.name, name.kind, name.size) == ("std::string", "string", 32)
    assert member(facts, item, "size_")[1].values == {1: "Small", 9: "Large"}
    total = entry(facts, "shop::total")
    assert [variable.indirect for variable in total.values()] == [True, True]  # neither is trivial to copy
    assert registers(total["label"]) == machine(facts, ["si"], ["regs[1]"])
    assert known(facts.shape(total["label"].type)).name == "std::string"
    assert facts.shape("shop::Money") is not None


def test_parameters_of_rust_as_written() -> None:
    facts = post()
    found = entry(facts, "post::Letter::send")
    assert list(found) == ["self", "from", "weight", "copies"]
    assert registers(found["from"]) == machine(facts, ["si", "dx"], ["regs[1]", "regs[2]"])
    assert [(p.offset, p.size) for p in found["weight"].pieces] == [(0, 4), (4, 4)]
    text = known(facts.shape(found["from"].type))
    assert (text.kind, text.name) == ("string", "&str")
    letter = known(facts.shape(known(facts.shape(found["self"].type)).elem))
    _, to = member(facts, letter, "to")
    assert (to.kind, to.name, to.size) == ("string", "String", 16)  # where its address and length are
    _, lines = member(facts, letter, "lines")
    assert lines.kind == "slice"
    assert facts.shape(lines.elem) == Shape("u16", "uint", 2)
    assert member(facts, letter, "class")[1].values == {1: "First", 2: "Second"}
    (values,) = entry(facts, "post::sum").values()
    assert known(facts.shape(values.type)).kind == "slice"


def test_what_an_optimiser_has_changed_is_not_guessed() -> None:
    facts = post("-O")
    for variable in entry(facts, "post::Letter::send").values():
        assert variable.pieces or "left it out" in variable.why or "only a part" in variable.why
    assert registers(entry(facts, "post_plain")["number"]) == machine(facts, ["di"], ["regs[0]"])


def test_without_debugging_information_only_builtin_types() -> None:
    facts = NativeFacts.open(str(nativebuild.build("order.c", "-O2")))
    assert facts.parameters("place") is None
    assert facts.variables("place", facts.sites("place", "entry")[0].address) == ()
    assert facts.shape("struct order") is None
    assert facts.shape("uint32_t") == Shape("uint32", "uint", 4)
    assert facts.shape("*char") == Shape("*char", "pointer", 8, elem="char")
    with pytest.raises(BinaryError, match="which has no debugging information"):
        facts.full_name("order")


def test_types_that_were_kept_apart(tmp_path: Path) -> None:
    whole, program, apart = nativebuild.build("order.c", "-g", "-O2"), tmp_path / "order", tmp_path / "order.debug"
    subprocess.run(["objcopy", "--only-keep-debug", str(whole), str(apart)], check=True)
    subprocess.run(["strip", "-o", str(program), str(whole)], check=True)
    subprocess.run(["objcopy", f"--add-gnu-debuglink={apart}", str(program)], check=True)
    facts, same = NativeFacts.open(str(program)), NativeFacts.open(str(whole))
    assert facts.info.has_dwarf
    assert entry(facts, "place") == entry(same, "place")
    assert facts.shape("struct order") == same.shape("struct order")


@pytest.mark.parametrize("version", ["4", "5"])
def test_types_that_files_share(tmp_path: Path, version: str) -> None:
    whole = nativebuild.build("order.c", "-O2", f"-gdwarf-{version}", "-g")
    for name in ("one", "two"):
        shutil.copy(whole, tmp_path / name)
    subprocess.run(["dwz", "-m", "common", "one", "two"], cwd=tmp_path, check=True)
    facts, same = NativeFacts.open(str(tmp_path / "one")), NativeFacts.open(str(whole))
    assert facts.parameters("place") == same.parameters("place")
    shared, own = (known(each.shape(entry(each, "place")["order"].type)) for each in (facts, same))
    for by_name, reference in ((facts, "struct order"), (facts, shared.elem), (same, own.elem)):
        shape = known(by_name.shape(reference))
        assert [(m.name, m.offset) for m in shape.fields][:3] == [("id", 0), ("state", 8), ("customer", 16)]
        _, customer = member(by_name, shape, "customer")
        assert member(by_name, known(by_name.shape(customer.elem)), "age")[1] == Shape("uint8_t", "uint", 1)


def test_kept_answers_are_the_same(tmp_path: Path) -> None:
    path, cache = str(nativebuild.build("order.c", "-g", "-O2")), Cache(tmp_path / "cache")
    first = NativeFacts.open(path, cache=cache)
    asked = entry(first, "place"), first.shape("struct order"), first.parameters("place")
    first.save()
    again = NativeFacts.open(path, cache=cache)
    assert (entry(again, "place"), again.shape("struct order"), again.parameters("place")) == asked
    assert again._opened is None
    assert isinstance(known(asked[1]).fields[0], Member)


def test_damaged_debugging_information_never_raises() -> None:
    whole = nativebuild.build("order.c", "-g", "-O2")
    sections = NativeFacts.open(str(whole))._binary().image.sections
    generator = random.Random(11)
    answers = 0
    for number in range(40):

        def edit(data: bytearray) -> None:
            for _ in range(generator.randrange(1, 10)):
                section = sections[generator.choice((".debug_info", ".debug_abbrev", ".debug_str", ".debug_loclists"))]
                data[section.offset + generator.randrange(section.size)] = generator.randrange(256)

        facts = NativeFacts.open(str(gobuild.derived(whole, f"dwarf {number}", edit)))
        answers += len(entry(facts, "place"))
        for reference in ("struct order", "order_t", "*customer", "@2d", "@ffffff", "@100/3"):
            shape = facts.shape(reference)
            for part in shape.fields if shape is not None else ():
                facts.shape(part.type)
        facts.parameters("place")
    assert answers > 0
