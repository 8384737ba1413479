"""`goinst trace` on native programs: what it prints is what the programs printed themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nativebuild
from goinst.native import NativeFacts

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)"),
]


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program of tests/native, which waits for a line."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def traced(binary: Path, *specs: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The events of a program's run, and what it printed."""
    with started(str(binary), "5") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        goinst = Path(sys.executable).with_name("goinst")
        command = [
            goinst,
            "trace",
            "--pid",
            str(process.pid),
            "--output",
            "json",
            "--rate",
            "0",
            "--text",
            "64",
            *specs,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = []
            while '"ready"' not in (line := tracer.stderr.readline()):
                assert line, said
                said.append(line)
            assert not [line for line in said if "error" in line], said
            process.stdin.write("go\n")
            process.stdin.flush()
            lines = []
            while (line := process.stdout.readline()) not in ("done\n", ""):
                lines.append(line.strip())
            process.stdin.write("end\n")
            process.stdin.flush()
            output, _ = tracer.communicate(timeout=60)  # it ends with the program
    return [json.loads(line) for line in output.splitlines()], [*lines, *said]


def of(events: list[dict[str, Any]], name: str, *members: str) -> list[tuple[Any, ...]]:
    """These members of the events of one function, in order."""
    found = [event for event in events if event["name"] == name]
    found.sort(key=lambda event: event["timestamp"])
    return [tuple(event["attributes"].get(member) for member in members) for event in found]


@pytest.mark.parametrize(
    "flags",
    [
        ("-O0",),
        ("-O2", "-gdwarf-4", "-no-pie", "-fno-pie"),
        pytest.param(("-O2",), marks=pytest.mark.matrix),
        pytest.param(("-O3", "-fcf-protection=none", "-fomit-frame-pointer"), marks=pytest.mark.matrix),
    ],
)
def test_c(flags: tuple[str, ...]) -> None:
    events, lines = traced(
        nativebuild.build("order.c", "-g", *flags),
        "place(id = order.id, state = order.state, who = order.customer.name, x = order.customer.home.x,"
        " total = order.total, item = order.items[3], note, flags, y = where.y) -> result",
        "nine(g, h, i) -> result",
    )
    said = [re.fullmatch(r"place (\d+) (note \d+) (-?\d+) (\d+)", line) for line in lines]
    wanted = [(int(m[1]), m[2], int(m[3]), int(m[4])) for m in said if m]
    seen = of(events, "place", "id", "note", "flags", "result")
    assert seen == wanted
    assert len(seen) == 5
    rest = of(events, "place", "state", "who", "x", "total", "item", "y")
    assert rest == [
        ("PAID" if i % 2 else "SHIPPED", "Ada" if i % 2 else "Grace", i, 1.5 * i, -3, 2 * i) for i in range(5)
    ]
    results = [int(line.split()[1]) for line in lines if line.startswith("nine")]
    assert of(events, "nine", "g", "h", "i", "result") == [(700 + i, 8, -i, results[i]) for i in range(5)]


def test_frames_of_one_function_within_each_other() -> None:
    events, _ = traced(nativebuild.build("order.c", "-g", "-O0"), "nested(depth) -> result")
    spans = [event for event in events if event["name"] == "nested"]
    inner, middle, outer = spans[:3]  # in the order in which they end
    values = [(span["attributes"]["depth"], span["attributes"]["result"]) for span in (inner, middle, outer)]
    assert values == [(0, 0), (1, 1), (2, 2)]
    assert (inner["parent_span_id"], middle["parent_span_id"]) == (middle["span_id"], outer["span_id"])
    assert inner["duration_ns"] < middle["duration_ns"] < outer["duration_ns"]


def test_a_call_that_ends_in_a_jump_is_not_missed_silently() -> None:
    binary = nativebuild.build("order.c", "-g", "-O2")
    facts = NativeFacts.open(str(binary))
    assert facts.jumps_out("forward") == ("nested",)
    events, lines = traced(binary, "forward(depth) -> result")
    assert sorted(of(events, "forward", "depth", "result")) == [(0, 0), (1, 1)]
    assert any("a call that ends in a jump to nested is not seen" in line for line in lines)


@pytest.mark.parametrize("level", ["-O2", pytest.param("-O0", marks=pytest.mark.matrix)])
def test_cpp(level: str) -> None:
    if missing := nativebuild.missing("shop.cc"):
        pytest.skip(f"no {missing}")
    events, lines = traced(
        nativebuild.build("shop.cc", "-g", level),
        "shop::Item::price(name = this.name_, size = this.size_, count, cents = base.cents) -> result",
        "shop::Book::price(name = this.name_, pages = this.pages_, count) -> result",
        '"shop::add(int, int)"(a, b) -> result',
        "shop::total(label) -> result",
        "shop::twice<int>(value)",
    )
    said = [m for line in lines if (m := re.fullmatch(r"price (.+) (\d+) (\d+)", line))]
    items = of(events, "shop::Item::price", "name", "count", "result")
    books = of(events, "shop::Book::price", "name", "count", "result")
    assert items == [(m[1], int(m[2]), int(m[3])) for m in said if m[1] == "pin"]
    assert books == [(m[1], int(m[2]), int(m[3])) for m in said if m[1] != "pin"]
    assert (len(items), len(books)) == (2, 1)
    assert of(events, "shop::Item::price", "size", "cents") == [("Small", 1000), ("Small", 1002)]
    assert of(events, "shop::Book::price", "pages") == [(101,)]
    sums = [int(line.split()[1]) for line in lines if line.startswith("add")]
    assert of(events, "shop::add(int, int)", "a", "b", "result") == [(i, 40, sums[i]) for i in range(3)]
    assert of(events, "shop::total", "label", "result") == [("label", 8)] * 3
    assert of(events, "shop::twice<int>", "value") == [(0,), (1,), (2,)]


def test_rust() -> None:
    if missing := nativebuild.missing("post.rs"):
        pytest.skip(f"no {missing}")
    events, lines = traced(
        nativebuild.build("post.rs", "-g"),
        "post::Letter::send(to = self.to, class = self.class, lines = self.lines, from, grams = weight.grams,"
        " tare = weight.tare, copies) -> result",
        "post::sum(values) -> result",
        "post_plain(number, flag) -> result",
    )
    said = [m for line in lines if (m := re.fullmatch(r"send (person \d) (\w+) (\d+) (office \d) (\d+)", line))]
    assert of(events, "post::Letter::send", "to", "class", "from", "result") == [
        (m[1], m[2], m[4], int(m[5])) for m in said
    ]
    assert of(events, "post::Letter::send", "lines", "grams", "tare", "copies") == [
        ([1, 2, i], 20 + i, -1, 7) for i in range(3)
    ]
    sums = [int(line.split()[1]) for line in lines if line.startswith("sum")]
    assert of(events, "post::sum", "values", "result") == [([1, 2, 3, i], sums[i]) for i in range(3)]
    plain = [int(line.split()[1]) for line in lines if line.startswith("plain")]
    assert of(events, "post_plain", "number", "flag", "result") == [(i, i % 2 == 0, plain[i]) for i in range(3)]


def test_without_types_and_with_those_that_are_named() -> None:
    binary = nativebuild.build("order.c", "-O2")
    events, _ = traced(binary, "place(id = uint64(arg1), text = str(arg2, arg3), flags = int32(arg4)) -> result")
    assert of(events, "place", "text", "flags") == [(f"note {i}", i - 5) for i in range(5)]
    assert [result for (result,) in of(events, "place", "result")] == [10003 + 14 * i for i in range(5)]
    events, _ = traced(binary, "place(order *uint64, note *char, length uint64, flags int32, order, note, flags)")
    assert of(events, "place", "note", "flags") == [(f"note {i}", i - 5) for i in range(5)]


def test_usdt() -> None:
    events, lines = traced(
        nativebuild.build("marks.c", "-g", "-O2"),
        "usdt:marks:begin(arg1, arg2, arg3, arg4)",
        "usdt:marks:word(text = str(arg1), arg3)",
    )
    said = [tuple(int(word) for word in line.split()[1:]) for line in lines if line.startswith("begin")]
    assert of(events, "usdt:marks:begin", "arg1", "arg2", "arg3", "arg4") == said
    words = [line.split() for line in lines if line.startswith("word")]
    assert of(events, "usdt:marks:word", "text", "arg3") == [(word[1], int(word[3])) for word in words]
