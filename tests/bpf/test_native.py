"""Native programs on a real kernel: what is seen of a C program is what it said itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nativebuild
from goinst import Fragment, Probe, Protocol, Record, Site
from goinst.kernel.compiler import Compiler
from goinst.native import NativeFacts, open_facts
from goinst.plan.settings import PlanSettings
from goinst.run.build import Built, build
from goinst.run.tracer import Tracer
from goinst.spans.span import Resource
from wire import row

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)"),
]


def shown(*names: str) -> Any:
    """A decoder that takes these columns over as attributes."""

    def decode(values: Any, span: Any, context: Any) -> None:
        for name in names:
            value = getattr(values, name)
            span.attributes[name] = value.partition(b"\0")[0].decode() if isinstance(value, bytes) else value

    return decode


@contextmanager
def traced(binary: Path, *protocols: Protocol, multi: bool = True) -> Iterator[tuple[Tracer, subprocess.Popen[str]]]:
    """The program, which waits for a line, and a tracer that is attached to it."""
    compiler = Compiler()
    try:
        built = build(
            open_facts(str(binary)), protocols, {}, PlanSettings(), compiler,
            lambda error: pytest.fail(f"{error}\n{error.detail}"),
            multi=multi, ring_bytes=1 << 20, operations=1024,
        )  # fmt: skip
    finally:
        compiler.close()
    assert isinstance(built, Built), [plugin.reason for plugin in built.plugins]
    resource = Resource({"process.pid": 1}, b"{}")
    tracer = Tracer(
        built, str(binary), {}, lambda _: resource, lambda plugin, words: pytest.fail(f"{plugin}: {words}"),
        redact=False, every=False, name=binary.name, count_only=False,
    )  # fmt: skip
    process = subprocess.Popen([binary, "5"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        tracer.add(process.pid)
        assert tracer.attach() > 0
        assert tracer.refused == []
        yield tracer, process
    finally:
        process.kill()
        process.wait()
        tracer.close()


def said(process: subprocess.Popen[str]) -> list[list[str]]:
    """What the program says from its start signal to its end: a list of words each line."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    lines = []
    while (line := process.stdout.readline()) not in ("done\n", ""):
        lines.append(line.split())
    return lines


WORDS = ", ".join(f"{name} uint64" for name in "abcdef")
PLACE = Protocol(
    name="order",
    summary="orders",
    fragments=(
        Fragment(
            "order.bpf.c",
            text="""
PROBE(place_enter)
{
    struct placed *placed = placed_begin(hit);
    if (!placed)
        return 0;
    placed->flags = ARG(place_enter, arg4);
    placed->length = ARG(place_enter, arg3);
    go_copy(placed->note, 32, ARG(place_enter, arg2), ARG(place_enter, arg3));
    return 0;
}
PROBE(place_leave)
{
    struct placed *placed = placed_current(hit);
    if (!placed)
        return 0;
    placed->result = RESULT(place_leave, result);
    placed_end(placed, 32);
    return 0;
}
PROBE(nine_enter)
{
    struct ninth *ninth = ninth_reserve(0, hit);
    if (!ninth)
        return 0;
    ninth->g = ARG(nine_enter, g);
    ninth->h = ARG(nine_enter, h);
    ninth->i = ARG(nine_enter, i);
    ninth_submit(ninth);
    return 0;
}
""",
        ),
    ),
    probes=(
        Probe("place_enter", (Site("place"),)),
        Probe("place_leave", (Site("place"),), place="return", closes=True),
        Probe("nine_enter", (Site("nine", f"{WORDS}, g uint64, h uint32, i int8 -> n uint64"),)),
    ),
    records=(
        Record(
            "placed",
            row(length="u64", result="i64", flags="i32", note=32),
            shown("length", "result", "flags", "note"),
            role="operation",
            kind="internal",
        ),
        Record("ninth", row(g="u64", h="u32", i="u8"), shown("g", "h", "i"), role="span"),
    ),
)


@pytest.mark.parametrize("multi", [True, False], ids=["uprobe_multi", "perf_events"])
@pytest.mark.parametrize(
    "flags", [("-O2",), ("-O0", "-fno-pie", "-no-pie"), ("-O2", "-fcf-protection=none", "-s", "-rdynamic")]
)
def test_operations_arguments_and_results_of_a_c_program(flags: tuple[str, ...], multi: bool) -> None:
    with traced(nativebuild.build("order.c", *flags), PLACE, multi=multi) as (tracer, process):
        lines = said(process)
        _, _, spans = tracer.drain(decode=True)
        assert not tracer.losses()
    placed = [span.attributes for span in spans if span.name == "placed"]
    wanted = [line[1:] for line in lines if line[0] == "place"]
    assert [(a["note"], a["flags"], a["result"]) for a in placed] == [
        (f"{note} {number}", int(flags), int(result)) for _, note, number, flags, result in wanted
    ]
    assert len(placed) == 5
    assert all(span.duration_ns > 0 for span in spans if span.name == "placed")
    ninth = [span.attributes for span in spans if span.name == "ninth"]
    assert [(a["g"], a["h"], a["i"]) for a in ninth] == [(700 + i, 8, -i & 0xFF) for i in range(5)]


MARKS = Protocol(
    name="marks",
    summary="USDT probes",
    fragments=(
        Fragment(
            "marks.bpf.c",
            text="""
PROBE(mark_begin)
{
    struct begun *begun = begun_reserve(0, hit);
    if (!begun)
        return 0;
    begun->i = ARG(mark_begin, arg1);
    begun->large = ARG(mark_begin, arg2);
    begun->row = ARG(mark_begin, arg3);
    begun->level = ARG(mark_begin, arg4);
    begun_submit(begun);
    return 0;
}
PROBE(mark_word)
{
    struct worded *worded = worded_reserve(0, hit);
    if (!worded)
        return 0;
    go_copy(worded->text, 8, ARG(mark_word, arg1), 5);
    worded->at = ARG(mark_word, arg2);
    worded->low = ARG(mark_word, arg3);
    worded->fixed = ARG(mark_word, arg4);
    worded_submit(worded);
    return 0;
}
PROBE(mark_costly)
{
    struct cost *cost = cost_reserve(0, hit);
    if (!cost)
        return 0;
    cost->prepared = ARG(mark_costly, arg1);
    go_copy(cost->text, 8, ARG(mark_costly, arg2), 5);
    cost_submit(cost);
    return 0;
}
""",
        ),
    ),
    probes=(
        Probe("mark_begin", (Site("usdt:marks:begin"),)),
        Probe("mark_word", (Site("usdt:marks:word"),)),
        Probe("mark_costly", (Site("usdt:marks:costly"),)),
    ),
    records=(
        Record(
            "begun",
            row(i="i64", large="u64", row="i64", level="i64"),
            shown("i", "large", "row", "level"),
            role="span",
        ),
        Record(
            "worded",
            row(at="u64", low="i64", fixed="i64", text=8),
            shown("at", "low", "fixed", "text"),
            role="span",
        ),
        Record("cost", row(prepared="u64", text=8), shown("prepared", "text"), role="span"),
    ),
)
WORDS_SAID = ("alpha", "beta", "gamma", "delta")


@pytest.mark.parametrize("multi", [True, False], ids=["uprobe_multi", "perf_events"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_usdt_arguments_and_semaphores(level: str, multi: bool) -> None:
    binary = nativebuild.build("marks.c", "-g", level)
    with traced(binary, MARKS, multi=multi) as (tracer, process):
        lines = said(process)
        _, _, spans = tracer.drain(decode=True)
        assert not tracer.losses()
    seen = [(span.name, *span.attributes.values()) for span in spans]
    begun = [("begun", *(int(word) for word in line[1:])) for line in lines if line[0] == "begin"]
    assert [each for each in seen if each[0] == "begun"] == begun
    words = [line[1:] for line in lines if line[0] == "word"]
    assert [each for each in seen if each[0] == "worded"] == [
        ("worded", int(at), int(low), 42, text[:5]) for text, at, low in words
    ]
    # the program only passes here when its semaphore is raised
    assert [each for each in seen if each[0] == "cost"] == [
        ("cost", number + 1, WORDS_SAID[(number + 1) % 4][:5]) for number in range(5)
    ]
    assert lines[-1] == ["prepared", "5"]
    process = subprocess.run([binary, "2"], input="go\nend\n", capture_output=True, text=True, check=False)
    assert "prepared 0" in process.stdout  # nobody looks any more


def test_a_native_program_is_told_from_a_go_one(tmp_path: Path) -> None:
    facts = open_facts(str(nativebuild.build("order.c", "-O2")))
    assert isinstance(facts, NativeFacts)
    assert (facts.info.abi, facts.info.go_version, facts.info.version) == ("c", "", (0, 0))
