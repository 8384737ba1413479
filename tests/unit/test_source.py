"""The C text of a plan: losses and tail calls by name, chains, macros. Whether it compiles and runs: tests/bpf."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum, IntFlag
from itertools import pairwise

import pytest

from goinst import PIPED_STDIN, Fragment, PluginError, Protocol, Record
from goinst.plan.counters import CORE_GONE, CORE_LOSSES, CORE_NOTES
from goinst.plan.source import TAIL_SLOTS, Counter, Part, Program, write_source
from goinst.plugin.enums import macros_of
from goinst.run.demand import Demand
from parts import GOROUTINE, part, probe
from wire import row

LOSSES = {"gone": "it was gone", "late": "it came late"}


def write(*parts: Part, arch: str = "amd64") -> tuple[str, tuple[Program, ...], tuple[Counter, ...]]:
    return write_source(arch, GOROUTINE, parts, filter_pids=True)


def wrapper(source: str, function: str) -> str:
    """The text of one generated program."""
    found = re.search(rf"^int {function}\(struct pt_regs \*ctx\)\n\{{.*?^\}}", source, re.DOTALL | re.MULTILINE)
    assert found, f"no program {function}"
    return found[0]


def functions(programs: Sequence[Program]) -> list[str]:
    return [program.function for program in programs]


def of(counters: Sequence[Counter], kind: str, plugin: str) -> list[tuple[str, str]]:
    return [(c.name, c.where) for c in counters if c.kind == kind and c.plugin == plugin]


def test_each_loss_in_the_text_is_a_counter_with_its_place() -> None:
    text = "\n".join(
        [
            "PROBE(a)",
            "{",
            "    if (ctx->ax)",
            "        LOSS(gone);",
            "    LOSS( late ); LOSS(gone);",
            "    return 0;",
            "}",
        ]
    )
    source, _, counters = write(part("shop", text, [probe("a")], losses=LOSSES))
    assert of(counters, "loss", "shop") == [
        ("gone", "shop/shop.bpf.c:4"),
        ("late", "shop/shop.bpf.c:5"),
        ("gone", "shop/shop.bpf.c:5"),
    ]
    assert {c.words for c in counters if c.plugin == "shop" and c.name == "late"} == {"it came late"}
    numbers = [number for number, c in enumerate(counters) if c.plugin == "shop" and c.kind == "loss"]
    body = source[source.index('#line 1 "shop/shop.bpf.c"') : source.index('#line 1 "goinst/generated.c"')]
    assert [int(number) for number in re.findall(r"goinst_count\((\d+)\)", body)] == numbers
    assert "LOSS(" not in body
    assert f"#define GOINST_COUNTERS {len(counters)}\n" in source


def test_lines_keep_their_numbers() -> None:
    """What the compiler says about a fragment must lead to the right line of it."""
    text = "// one\nPROBE(a)\n{\n    LOSS(gone); int here = 4;\n    return TAIL_CALL(b);\n}\nPROBE(b) { return 0; }"
    source, _, _ = write(part("shop", text, [probe("a")], losses=LOSSES, tails=["b"]))
    lines = source.split("\n")
    start = lines.index('#line 1 "shop/shop.bpf.c"')
    assert "int here = 4;" in lines[start + 4]
    assert lines[start + 7].startswith("PROBE(b)")


def test_words_about_a_loss_are_no_loss() -> None:
    text = "/* LOSS(undeclared) is not meant */\n // nor LOSS(this)\n/*\n * nor LOSS(that)\n */\nPROBE(a) { return 0; }"
    _, _, counters = write(part("shop", text, [probe("a")]))
    assert of(counters, "loss", "shop") == []


def test_an_undeclared_loss_is_the_plugins_mistake() -> None:
    text = "PROBE(a)\n{\n    LOSS(gnoe);\n}"
    with pytest.raises(PluginError, match=r"shop/shop\.bpf\.c:3: LOSS\(gnoe\).*\['gone', 'late'\]") as caught:
        write(part("shop", text, [probe("a")], losses=LOSSES))
    assert caught.value.plugin == "shop"


def test_one_plugin_does_not_count_anothers_losses() -> None:
    one = part("one", "PROBE(a) { LOSS(gone); return 0; }", [probe("a")], losses=LOSSES)
    two = part("two", "PROBE(b) { LOSS(gone); return 0; }", [probe("b")])
    with pytest.raises(PluginError) as caught:
        write(one, two)
    assert caught.value.plugin == "two"


def test_every_loss_of_the_core_is_explained() -> None:
    operation = Record("shop_order", row(n="u64"), lambda values, span, context: None, role="operation")
    _, _, counters = write(part("shop", "", [probe("a")], records=[operation], tails=["a"]))
    core = [c for c in counters if c.kind == "loss"]
    assert {c.name for c in core} <= set(CORE_LOSSES)
    assert {c.name for c in counters if c.kind == "gone"} == set(CORE_GONE)
    assert all(len(words) > 10 for words in (CORE_LOSSES | CORE_NOTES | CORE_GONE).values())
    assert all(c.words == CORE_LOSSES[c.name] for c in core)
    assert ("ring_full", "record shop_order") in of(counters, "loss", "shop")
    assert "operation_map_full" in dict(of(counters, "loss", "core"))


def test_a_tail_call_goes_to_the_slot_of_its_chain() -> None:
    """Two probes enter the same tail: each wrapper of the tail knows its own site, so each has a slot of its own."""
    text = (
        "PROBE(a)\n{\n    TAIL_CALL(deep);\n    return 0;\n}\n"
        "PROBE(b)\n{\n    TAIL_CALL(deep);\n    return 0;\n}\n"
        "PROBE(deep)\n{\n    TAIL_CALL(deeper);\n    return 0;\n}\n"
        "PROBE(deeper)\n{\n    return 0;\n}\n"
    )
    probes = [probe("a", "main.A"), probe("b", "main.B", stack_adjust=24)]
    source, programs, counters = write(part("shop", text, probes, tails=["deep", "deeper", "unused"]))
    tails = [p for p in programs if p.role == "tail"]
    assert functions(tails) == [
        "goinst_0_0_tail_deep",
        "goinst_0_0_tail_deeper",
        "goinst_1_0_tail_deep",
        "goinst_1_0_tail_deeper",
    ]
    slots = [p.slot for p in tails]
    assert len(set(slots)) == 4
    assert all(p.offsets == () for p in tails)
    for chain, program in ((0, "a"), (1, "b")):
        own = [p for p in tails if p.function.startswith(f"goinst_{chain}_")]
        text_of = wrapper(source, f"goinst_{chain}_0_{program}")
        assert f"hit->tails[0] = {own[0].slot};" in text_of
        assert f"hit->tails[1] = {own[1].slot};" in text_of
        assert "hit->tails[2]" not in text_of
        # from one tail into the next
        assert f"hit->tails[1] = {own[1].slot};" in wrapper(source, own[0].function)
    assert "hit->sp = GOINST_SP(ctx) + 24;" in wrapper(source, "goinst_1_0_tail_deep")
    assert [c.where for c in counters if c.name == "tail_call_failed"] == ["TAIL_CALL"]
    assert "#define GOINST_TAILS 3\n" in source


def test_a_tail_call_to_nowhere_is_the_plugins_mistake() -> None:
    text = "PROBE(a) { TAIL_CALL(deep); return 0; }"
    with pytest.raises(PluginError, match=r"shop\.bpf\.c: TAIL_CALL\(deep\) is not among its tails"):
        write(part("shop", text, [probe("a")]))


def test_too_many_tail_calls_are_refused() -> None:
    text = "\n".join(f"PROBE(p{n}) {{ return 0; }}" for n in range(TAIL_SLOTS + 2))
    probes = [probe(f"p{n}") for n in range(TAIL_SLOTS + 2)]
    with pytest.raises(PluginError, match=f"{TAIL_SLOTS + 1} chained and tail-called programs"):
        write(part("shop", text, probes))


def test_base_plugins_run_first_and_closing_programs_last() -> None:
    base = part("base", "", [probe("base_end", closes=True), probe("base_look")])
    above = part("above", "", [probe("above_end", closes=True), probe("above_look")])
    source, programs, counters = write(base, above)
    assert functions(programs) == [
        "goinst_0_0_base_look",
        "goinst_0_1_above_look",
        "goinst_0_2_base_end",
        "goinst_0_3_above_end",
    ]
    assert [p.role for p in programs] == ["entry", "chain", "chain", "chain"]
    assert [p.offsets != () for p in programs] == [True, False, False, False]
    for before, after in pairwise(programs):
        assert after.slot is not None
        assert f"goinst_tails.call(ctx, {after.slot});" in wrapper(source, before.function)
    assert "goinst_tails.call" not in wrapper(source, programs[-1].function)
    # one instruction, one hit, whatever runs there
    assert [c for c in counters if c.kind == "hit"] == [Counter("hit", "base", "base_look", "main.work entry")]
    assert "goinst_count(0)" in wrapper(source, programs[0].function)
    assert all("goinst_count(" not in wrapper(source, p.function) for p in programs[1:])


def test_only_the_first_of_a_chain_looks_at_the_guard_and_the_process() -> None:
    source, programs, _ = write(part("shop", "", [probe("a", guard="jbe"), probe("b", guard="jbe")]))
    first, second = (wrapper(source, p.function) for p in programs)
    assert first.index("GOINST_BRANCH_TAKEN") < first.index("goinst_traced") < first.index("a(ctx, hit);")
    assert "GOINST_BRANCH_TAKEN" not in second
    assert "goinst_traced" not in second
    assert "GOINST_BRANCH_TAKEN" not in wrapper(*_only(probe("c")))


def _only(one: object) -> tuple[str, str]:
    source, programs, _ = write(part("shop", "", [one]))  # type: ignore[list-item]
    return source, programs[0].function


def test_a_site_that_does_not_tell_the_goroutine() -> None:
    assert "hit->g = 0;" in wrapper(*_only(probe("a", g=None)))
    assert "hit->g = ctx->cx;" in wrapper(*_only(probe("a", g="cx")))


def test_places_in_one_function_are_chains_of_their_own() -> None:
    probes = [
        probe("entry"),
        probe("leave", place="return", shift=0x40),
        probe("first_call", place="call", shift=0x10),
        probe("second_call", place="call", shift=0x20),
    ]
    _, programs, counters = write(part("shop", "", probes))
    assert [p.role for p in programs] == ["entry"] * 4
    assert [p.offsets[0] - programs[0].offsets[0] for p in programs] == [0, 0x40, 0x10, 0x20]
    assert [c.where for c in counters if c.kind == "hit"] == [
        "main.work entry",
        "main.work return",
        "main.work call",
        "main.work call",
    ]


def test_probes_on_demand_are_chains_of_their_own() -> None:
    text = "PROBE(always)\n{\n    SIGNAL(late);\n    SIGNAL(late);\n    return 0;\n}\nPROBE(later) { return 0; }"
    shop = part("shop", text, [probe("always"), probe("later", attach_on="late", lost="something")], signals=["late"])
    source, programs, counters = write(shop, part("other", "", [probe("too")]))
    assert functions(programs) == ["goinst_0_0_always", "goinst_0_1_too", "goinst_1_0_later"]
    assert [p.role for p in programs] == ["entry", "chain", "entry"]
    assert [p.attach_on for p in programs] == ["", "", "late"]
    assert of(counters, "signal", "shop") == [("late", "shop/shop.bpf.c:3"), ("late", "shop/shop.bpf.c:4")]
    assert programs[2].lost == "something"
    assert "goinst_tails.call" not in wrapper(source, "goinst_1_0_later")


@pytest.mark.parametrize("member", ["attach_on", "until"])
@pytest.mark.parametrize("wanted", ["laet", "gone", PIPED_STDIN])
def test_a_probe_that_waits_for_what_is_no_signal(member: str, wanted: str) -> None:
    """Misspelled, or a loss: it must not be taken for a probe that is attached at once."""
    text = "PROBE(a) { SIGNAL(late); LOSS(gone); return 0; }\nPROBE(b) { return 0; }\nPROBE(c) { return 0; }"
    waits = {"attach_on": "late", member: wanted}
    shop = part("shop", text, [probe("a"), probe("b", **waits), probe("c", attach_on="late")], losses=LOSSES,
                signals=["late"])  # fmt: skip
    if (member, wanted) == ("attach_on", PIPED_STDIN):
        assert [p.piped_stdin for p in write(shop)[1]] == [False, True, False]
        return
    with pytest.raises(PluginError, match=rf"^plugin shop: probe b: {member}='{wanted}' is not among .* \['late'\]$"):
        write(shop)


@pytest.mark.parametrize(
    ("text", "signals", "words"),
    [
        ("SIGNAL(late);", [], r"shop\.bpf\.c:1: SIGNAL\(late\) is not among its declared signals \[\]"),
        ("LOSS(late);", ["late"], r"shop\.bpf\.c:1: LOSS\(late\) is not among its declared losses \[\]"),
        ("SIGNAL(late);", ["late", "gone"], r"no probe waits for its signal 'gone'"),
    ],
)
def test_a_signal_that_cannot_be_meant(text: str, signals: list[str], words: str) -> None:
    probes = [probe("a"), *(probe("b", attach_on="late") for _ in signals[:1])]
    with pytest.raises(PluginError, match=words) as caught:
        write(part("shop", f"PROBE(a) {{ {text} return 0; }}\nPROBE(b) {{ return 0; }}", probes, signals=signals))
    assert caught.value.plugin == "shop"


class Paid(IntEnum):
    CASH = 0
    CARD = 1


class Mark(IntFlag):
    CARD = 2


def test_numbers_that_c_and_decoders_share() -> None:
    shop = Protocol("shop", "made up", enums=(Paid,))
    assert macros_of(shop) == {"SHOP_CASH": "0", "SHOP_CARD": "1"}
    with pytest.raises(PluginError, match="plugin shop: two of its enums have a member CARD: SHOP_CARD"):
        macros_of(replace(shop, enums=(Paid, Mark)))


def test_what_the_core_counts_for_itself_is_not_for_plugins() -> None:
    source, _, counters = write(part("shop", "PROBE(a) { GONE(absorbed); return 0; }", [probe("a")]))
    assert "{ GONE(absorbed); return 0; }" in source
    assert of(counters, "gone", "shop") == []


def test_what_comes_and_goes() -> None:
    text = "PROBE(a)\n{\n    SIGNAL(late);\n    SIGNAL(gone);\n    LOSS(late);\n    return 0;\n}\n"
    text += "PROBE(b) { return 0; }\nPROBE(c) { return 0; }"
    probes = [probe("a"), probe("b", attach_on="late"), probe("c", attach_on="late", until="gone")]
    _, programs, counters = write(part("shop", text, probes, losses=LOSSES, signals=["late", "gone"]))
    at = {(c.kind, c.name): n for n, c in enumerate(counters)}
    demand, counts = Demand(programs, counters), [0] * len(counters)
    b, c = programs[1:]
    assert demand.first == (c,)
    assert demand.settle(counts, {}) == ([], [])
    counts[at["loss", "late"]] = 1  # a loss of that name calls for nobody
    assert demand.settle(counts, {}) == ([], [])
    counts[at["signal", "late"]] = 1
    assert demand.settle(counts, {}) == ([b], [])
    counts[at["signal", "gone"]] = 1
    assert demand.settle(counts, {}) == ([], [c])
    # what was given before it went does not call it back
    assert demand.settle(counts, {}) == ([], [])
    assert demand.settle(counts, {("shop", "late"): 1}) == ([c], [])
    assert demand.settle(counts, {("shop", "late"): 1}) == ([], [])
    counts[at["signal", "gone"]] = 2
    assert demand.settle(counts, {("shop", "late"): 1}) == ([], [c])


def test_macros_end_with_the_plugin_that_they_belong_to() -> None:
    one = part("one", "", [probe("a")], defines={"URL": "16", "a__req": "((u64)ctx->di)"})
    two = part("two", "", [probe("b")], defines={"URL": "24"})
    source, _, _ = write(one, two)
    lines = source.split("\n")
    order = [line for line in lines if re.match(r"#(define|undef) (URL|a__req)|#line 1 \"(one|two)/", line)]
    assert order == [
        "#define URL 16",
        "#define a__req ((u64)ctx->di)",
        '#line 1 "one/one.bpf.c"',
        "#undef URL",
        "#undef a__req",
        "#define URL 24",
        '#line 1 "two/two.bpf.c"',
        "#undef URL",
    ]


def test_a_closing_brace_of_one_plugin_is_not_lost_in_the_next() -> None:
    """A fragment whose last line has no end must not run into what follows."""
    source, _, _ = write(part("one", "PROBE(a) { return 0; }\n// no end", [probe("a")], defines={"X": "1"}))
    assert "// no end\n#undef X\n" in source


def test_payload_is_that_of_the_largest_operation() -> None:
    def ignore(values: object, span: object, context: object) -> None: ...

    small = Record("shop_small", row(n="u8"), ignore, role="operation")
    large = Record("shop_large", row(text=100), ignore, role="operation")
    fact = Record("shop_fact", row(text=1000), ignore)
    source, _, _ = write(part("shop", "", [probe("a")], records=[small, large, fact]))
    assert "#define GOINST_PAYLOAD_WORDS 13\n" in source
    assert "goinst_operation_begin(hit, 2, 0)" in source
    source, _, _ = write(part("shop", "", [probe("a")], records=[fact]))
    assert "#define GOINST_PAYLOAD_WORDS 1\n" in source


def test_what_the_goroutine_was_started_in_counts_for_all_but_servers() -> None:
    def ignore(values: object, span: object, context: object) -> None: ...

    for kind, inherits in (("server", 0), ("client", 1), ("internal", 1)):
        record = Record("shop_order", row(n="u8"), ignore, role="operation", kind=kind)  # type: ignore[arg-type]
        source, _, _ = write(part("shop", "", [probe("a")], records=[record]))
        assert f"goinst_operation_begin(hit, 1, {inherits})" in source


def test_a_fragment_that_is_not_installed() -> None:
    shop = part("shop", "", [probe("a")])
    for package in ("goinst.bpf", "no.such.package"):
        gone = replace(shop, protocol=replace(shop.protocol, fragments=(Fragment("gone.bpf.c", package=package),)))
        with pytest.raises(PluginError, match=rf"BPF source gone\.bpf\.c is not installed with {package}"):
            write(gone)


def test_architectures() -> None:
    assert "#define GOINST_AMD64 1\n" in write(part("shop", "", [probe("a")]))[0]
    assert "#define GOINST_ARM64 1\n" in write(part("shop", "", [probe("a")]), arch="arm64")[0]


def test_every_process_is_traced_when_no_pids_are_filtered() -> None:
    source, _, _ = write_source("amd64", GOROUTINE, [part("shop", "", [probe("a")])], filter_pids=False)
    assert "#define GOINST_FILTER_PIDS" not in source
    assert "#define GOINST_FILTER_PIDS 1\n" in write(part("shop", "", [probe("a")]))[0]
