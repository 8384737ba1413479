"""What captured bytes become: Go's own words for values, and no exception for any bytes."""

from __future__ import annotations

import random
import struct
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gobuild import PROGRAMS, build
from goinst.capture.expand import Maker
from goinst.capture.targets import find_functions
from goinst.capture.wire.build import Limits, Nodes, smaller_limits
from goinst.capture.wire.nodes import Raw, Reader
from goinst.capture.wire.values import ABSENT, Absent, Scalar, go_duration, go_time, held, show
from goinst.errors import BinaryError, UsageError
from goinst.golang.facts import GoFacts

GO_PROGRAM = """package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	for _, text := range os.Args[1:] {
		n, _ := strconv.ParseInt(text, 10, 64)
		fmt.Println(time.Duration(n), "|", time.Unix(n>>20, n&0xfffff).UTC().Format(time.RFC3339Nano))
	}
}
"""


def test_durations_and_times_are_written_as_go_writes_them(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(GO_PROGRAM)
    (tmp_path / "go.mod").write_text("module clock\\n\\ngo 1.16\\n".replace("\\n", "\n"))
    source = random.Random(1)
    numbers = [0, 1, -1, 999, 1000, 1001, 10**6, 10**9, 60 * 10**9, 3600 * 10**9, 2**63 - 1, -(2**63), 1_500_000_000]
    numbers += [source.randrange(-(2**63), 2**63) >> source.randrange(60) for _ in range(400)]
    shown = subprocess.run([build(tmp_path), *map(str, numbers)], capture_output=True, text=True, check=True).stdout
    for number, line in zip(numbers, shown.splitlines(), strict=True):
        duration, _, moment = line.partition(" | ")
        assert go_duration(number) == duration
        seconds, nanoseconds = (number >> 20) + 62135596800, number & 0xFFFFF
        if len(moment.partition("-")[0]) == 4:
            assert go_time(nanoseconds, seconds & (1 << 64) - 1) == moment


def test_times_beyond_the_calendar_are_seconds() -> None:
    assert go_time(5, 2**62) == f"<{2**62} s after year 1>"
    assert go_time(0, 2**64 - 1) == "<-1 s after year 1>"


@pytest.mark.parametrize(
    ("data", "cut", "text"),
    [
        (b"", False, ""),
        ("é".encode()[:1], False, "\\xc3"),
        ("é".encode()[:1], True, ""),
        ("a世".encode()[:3], True, "a"),
        ("a世".encode(), True, "a世"),
        ("🌍".encode()[:3], True, ""),
        (b"\xff", True, "\\xff"),
        (b"\x80\x80\x80\x80", True, "\\x80\\x80\\x80\\x80"),
        (b"a\x00b", False, "a\0b"),
    ],
)
def test_text_is_utf_8_and_whole_runes_where_it_was_cut(data: bytes, cut: bool, text: str) -> None:
    assert Scalar.text(data, cut=cut) == text


def test_numbers_that_json_has_no_word_for() -> None:
    reals = [Scalar.real(struct.pack("<d", value), 0, 8) for value in (1.5, float("nan"), float("inf"), -float("inf"))]
    assert reals == [1.5, "NaN", "+Inf", "-Inf"]
    assert Scalar.complex(struct.pack("<dd", 1, -2.5), 0, 16) == "(1-2.5i)"
    assert Scalar.complex(struct.pack("<ff", 0, float("inf")), 0, 8) == "(0+Infi)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nil"),
        (True, "true"),
        ("", '""'),
        ("GET", "GET"),
        ("two words", '"two words"'),
        ('say "x"\n', '"say \\"x\\"\\n"'),
        (Absent("<unreadable>"), "<unreadable>"),
        ({"ID": 7, "Name": "x", "Tags": ["a", None]}, '{ID:7 Name:"x" Tags:["a" nil]}'),
        ([], "[]"),
        (1.5, "1.5"),
    ],
)
def test_values_in_a_line(value: Any, text: str) -> None:
    assert show(value) == text


def test_errors_by_what_their_types_hold() -> None:
    eof = ("*errors.errorString", "22", 1, ["EOF", None])
    errno = ("syscall.Errno", "12", 2, [None, None])
    assert held([]) is None
    assert held([("", "0", 0, [None, None])]) is None
    assert held([eof]) == "EOF"
    assert held([("*fmt.wrapError", "22", 1, ["a: EOF", None]), eof]) == "a: EOF"
    assert held([("*io/fs.PathError", "22", 1, ["open", "/x"]), errno]) == "open /x: no such file or directory"
    assert held([("*net/url.Error", "22", 1, ["Get", "http://h/"]), eof]) == 'Get "http://h/": EOF'
    assert held([("*github.com/pkg/errors.withStack", "22", 1, [None, None]), eof]) == "EOF"
    assert held([("*main.failure", "22", 0xC000, [None, None])]) == "<*main.failure 0xc000>"
    assert held([("main.failure", "25", 0xC000, [None, None])]) == "<main.failure>"
    assert held([("[]int", "23", 4, [None, None])]) == "<[]int of 4>"


@cache
def _maker() -> Maker:
    return Maker(GoFacts.open(str(build(PROGRAMS / "torture"))))


_TYPES = (
    "*main.everything",
    "main.everything",
    "main.embedded",
    "*main.outer",
    "main.outer",
    "*main.node",
    "error",
    "interface {}",
    "map[string]int",
    "map[main.point]*main.point",
    "map[string]main.large",
    "map[uint8]struct {}",
    "map[string][]string",
    "[]main.point",
    "[]*main.point",
    "[]string",
    "*[]string",
    "*[4]string",
    "*[20]int",
    "[]uint8",
    "string",
    "time.Time",
    "*time.Time",
    "time.Duration",
    "chan int",
    "func(int) int",
    "[]interface {}",
    "complex128",
    "float64",
    "bool",
    "*int",
)


def _wire(name: str, limits: Limits) -> Raw:
    types = _maker().types
    shape = types.shape(name)
    assert shape is not None, name
    return Nodes(types.shape, _maker()._errors, types.maps, limits).make(shape)[0]


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, str | int | float | bool)


@pytest.mark.parametrize("name", _TYPES)
def test_any_bytes_are_a_value(name: str) -> None:
    source = random.Random(name)
    for limits in (Limits(), Limits(depth=3), Limits(text=8, items=1, depth=0)):
        raw = _wire(name, limits)
        for number in range(60):
            data = bytearray(source.randbytes(raw.size))
            if number % 3:  # states that let the reader go on
                for at in range(0, raw.size - 7, 8):
                    if source.random() < 0.6:
                        data[at : at + 8] = source.choice((8, 8 << 32, 1, 0, 3, 2**63, 2**64 - 1)).to_bytes(8, "little")
            value = raw.read(Reader(bytes(data), {}, lambda address: f"{address:#x}"), 0)
            assert _plain(value), (name, value)
            assert show(value)


def test_states_are_words() -> None:
    raw = _wire("string", Limits())
    for state, word in ABSENT.items():
        assert raw.read(Reader(state.to_bytes(8, "little") + bytes(raw.size), {}, str), 0) == word


def test_limits_become_less_until_there_is_no_less() -> None:
    limits, seen = Limits(4096, 256, 6), 0
    while (less := smaller_limits(limits)) != limits:
        assert (less.text, less.items, less.depth) < (
            limits.text,
            limits.items,
            limits.depth,
        ) or less.depth < limits.depth
        limits, seen = less, seen + 1
        assert seen < 50
    assert (limits.items, limits.depth) == (2, 0)


def test_functions_by_full_symbol_by_its_end_and_by_pattern() -> None:
    facts = GoFacts.open(str(build(PROGRAMS / "torture")))
    assert find_functions(facts, "main.takeAny") == ("main.takeAny",)
    assert find_functions(facts, "takeAny") == ("main.takeAny",)
    assert find_functions(facts, "json.(*Encoder).Encode") == ("encoding/json.(*Encoder).Encode",)
    assert find_functions(facts, "main.takeOuter*") == ("main.takeOuter", "main.takeOuterPointer")
    assert set(find_functions(facts, r"^main\.take(Any|Chan)$", regex=True)) == {"main.takeAny", "main.takeChan"}


@pytest.mark.parametrize(
    ("target", "regex", "words"),
    [
        ("main.takeAnny", False, "did you mean main.takeAny"),
        ("nothing.like(", False, "no function nothing.like( in the binary"),
        ("*", False, "functions match, more than 100; narrow it down"),
        ("main.x*", False, "no function matches main.x*"),
        ("[", True, "is not a regular expression"),
        ("e", True, "narrow it down"),
        ("main.min", False, "inline"),
    ],
)
def test_functions_that_are_not_there(target: str, regex: bool, words: str) -> None:
    facts = GoFacts.open(str(build(PROGRAMS / "torture")))
    with pytest.raises((BinaryError, UsageError), match=r".*") as caught:
        find_functions(facts, target, regex=regex)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
