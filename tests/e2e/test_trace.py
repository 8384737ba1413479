"""goinst trace on a program that has values of every kind, and says itself what they are (tests/go/torture)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import GOINST, PATIENCE, Ended, goinst, needs_root, serving, tracing

from gobuild import PROGRAMS, VERSIONS, build, stripped

pytestmark = [pytest.mark.bpf, needs_root]

OWN = {"code.function.name", "goinst.goroutine.id", "code.stacktrace"}
SOURCE = PROGRAMS / "torture"


class Torture:
    """The program: what it announced, its pid, and a way to let it go on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.functions: list[dict[str, Any]] = []
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("listening"):
                break
            self.functions.append(json.loads(line))

    def go_on(self) -> str:
        """Let it call its functions; the line that it prints then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def torture(binary: Path, *arguments: str) -> Iterator[Torture]:
    process = subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Torture(process)
    finally:
        process.kill()
        process.wait()


def traced(program: Torture, *arguments: str, calls: int, rate: int = 0) -> Ended:
    """Trace one round of the program's calls."""
    options = ("--pid", str(program.pid), "--rate", str(rate), "--output", "json")
    with tracing(*options, *arguments, command="trace") as tracer:
        assert program.go_on() == "done"
        tracer.wait_spans(calls)
        return tracer.stop()


def check_every_value(binary: Path, form: str, left_out: tuple[str, ...] = ()) -> None:
    """Trace all functions that the program announces by ``form`` (spec or declared), and compare all values."""
    with torture(binary, "once") as program:
        functions = [
            each for each in program.functions if each[form] and not each["spec"].startswith(left_out or ("-",))
        ]
        assert len(functions) > 25
        calls = sum(len(each["calls"]) for each in functions)
        ended = traced(program, *(each[form] for each in functions), calls=calls)
    assert ended.code == 0
    assert ended.noise == []
    assert ended.summary["losses"] == {}
    warnings = [event["reason"] for event in ended.events if event["level"] in ("warning", "error")]
    assert [text for text in warnings if "is large; taken with" not in text] == []
    found: dict[tuple[str, frozenset[str]], list[dict[str, Any]]] = {}
    for span in ended.spans:
        labels = frozenset(span["attributes"]) - OWN
        found.setdefault((span["attributes"]["code.function.name"], labels), []).append(span)
    wrong = []
    for function in functions:
        name = re.match(r"main\.(?:\(\*\w+\)\.)?[\w.]+", function["spec"])
        assert name is not None
        wanted = function["calls"]
        spans = found.pop((name[0], frozenset(wanted[0]["want"])), [])
        if len(spans) != len(wanted):
            wrong.append(f"{name[0]}: {len(spans)} of {len(wanted)} calls")
        for span, one in zip(spans, wanted, strict=False):
            values = {key: value for key, value in span["attributes"].items() if key not in OWN}
            wrong += [
                f"{name[0]} {label}: {values[label]!r}, not {value!r}"
                for label, value in one["want"].items()
                if values[label] != value
            ]
            if span.get("truncated", []) != (one["cut"] or []):
                wrong.append(f"{name[0]}: cut are {span.get('truncated')}, not {one['cut']}: {values}")
    assert not wrong, "\n".join(wrong)
    assert not found, list(found)


def test_every_kind_of_value() -> None:
    check_every_value(build(SOURCE), "spec")


def test_every_kind_of_value_of_a_stripped_binary_with_declared_types() -> None:
    check_every_value(stripped(build(SOURCE, go="1.17.13")), "declared")


# Go 1.17 lists no results in its DWARF
NO_RESULTS = ("main.return",)
_MATRIX = [version for version in VERSIONS if version not in ("1.19.13", "1.22.12")]


@pytest.mark.matrix
@pytest.mark.parametrize("go", _MATRIX)
def test_every_kind_of_value_in_every_version(go: str) -> None:
    check_every_value(build(SOURCE, go=go), "spec", NO_RESULTS if go == "1.17.13" else ())


@pytest.mark.matrix
@pytest.mark.parametrize("go", _MATRIX)
def test_every_kind_of_value_stripped_in_every_version(go: str) -> None:
    check_every_value(build(SOURCE, go=go, ldflags="-s -w"), "declared")


@pytest.mark.matrix
@pytest.mark.parametrize("go", ["1.16.15", "1.17.13", "1.21.13", "1.26.8"])
def test_every_kind_of_value_of_position_independent_code(go: str) -> None:
    check_every_value(build(SOURCE, go=go, buildmode="pie"), "spec", NO_RESULTS if go == "1.17.13" else ())
    check_every_value(stripped(build(SOURCE, go=go, buildmode="pie")), "declared")


def complaints(*specs: str) -> tuple[int, list[str]]:
    """Exit code and what a short trace says on standard error."""
    with torture(build(SOURCE), "once") as program:
        done = goinst("trace", "--pid", str(program.pid), "--duration", "0.1", *specs)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()


def test_what_cannot_be_had_is_said_in_a_line() -> None:
    words = {
        "main.takeOuter(o.Middle.Nowhere)": "has no field Nowhere; it has Inner, Pointer, Tags",
        "main.takeOuter(p)": "p: is no variable here; known are o",
        "main.takeOuterr": "did you mean main.takeOuter",
        "main.takeAny(v.X)": "say what it holds, as in x.(*pkg.Type).X",
        "main.takeAny(v.(main.nothing))": "the binary has none of that name",
        "main.takeMany(a.b)": "is a int and has no field b",
        "main.takeNames(m[3])": "has keys of type string; 3 is none",
        "main.takeArrays(a[1])": "has 1 elements; there is no 1",
        "main.takeString(s) if s < 3": "cannot be compared with 3",
    }
    code, lines = complaints("main.takeBools", *words)
    assert code == 0  # the others go on
    for text in words.values():
        assert len([line for line in lines if text in line]) == 1, (text, lines)
    code, (line,) = complaints("main.takeOuter(p)")
    assert code != 0
    assert "p: is no variable here" in line


@contextmanager
def _hot(seconds: float) -> Iterator[Torture]:
    with torture(build(SOURCE), "hot", str(max(os.cpu_count() or 1, 2)), str(seconds)) as program:
        yield program


def _calls(line: str) -> int:
    match = re.fullmatch(r"calls (\d+) in (\d+) ns", line)
    assert match is not None, line
    return int(match[1])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--rate", "1000", "main.hot(o.Name, n)"), id="limited"),
        pytest.param(("--rate", "0", "main.hot(o, n)"), id="as many as there are"),
        pytest.param(("--rate", "1000", "main.hot(n) -> ret0"), id="with results"),
    ],
)
def test_events_and_counted_losses_of_a_hot_function_are_its_calls(arguments: tuple[str, ...]) -> None:
    with (
        _hot(1.0) as program,
        tracing("--pid", str(program.pid), "--output", "json", *arguments, command="trace") as tracer,
    ):
        calls = _calls(program.go_on())
        ended = tracer.stop()
    losses = ended.summary["losses"]
    assert set(losses) <= {"trace.rate_limited", "trace.ring_full"}
    assert losses
    assert ended.summary["spans"] + sum(losses.values()) == calls
    assert ended.summary["hits"]["main.hot entry"] == calls


def drawn(program: Torture, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Count the hot function's calls in the kernel: the calls, what is drawn, and the summary."""
    process = subprocess.Popen(
        [GOINST, "trace", "--pid", str(program.pid), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["event"] == "ready":
                break
        calls = _calls(program.go_on())
        process.send_signal(signal.SIGINT)
        out, complaints = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    return calls, out, json.loads(complaints.splitlines()[-1])


def test_what_is_counted_in_the_kernel_is_every_call() -> None:
    with _hot(1.0) as program:
        calls, text, summary = drawn(program, "main.hot()", "--count", "o.Owner.Name", "--hist", "n", "--count", "o.ID")
    assert summary["losses"] == {}
    assert summary["hits"]["main.hot entry"] == calls
    assert f"count o.Owner.Name: {calls}\n" in text
    assert re.search(rf"^  me +{calls} █", text, re.MULTILINE)
    assert f"hist n: {calls}\n" in text
    rows = {int(match[1]): int(match[2]) for match in re.finditer(r"^  \[(\d+), \d+\) +(\d+)", text, re.MULTILINE)}
    assert rows[0] == max(os.cpu_count() or 1, 2)  # each goroutine begins with 0
    assert rows[1] == rows[0]
    assert sum(rows.values()) == calls


CONDITIONS = {
    's == "plain"': 1,
    's != "plain"': 12,
    's == ""': 1,
    '!(s == "")': 12,
    'hasPrefix(s, "01234")': 3,
    'hasPrefix(s, "")': 13,
    "len(s) > 1000": 1,
    "len(s) >= 5 && len(s) < 10": 4,
    's == "plain" || s == "two words"': 2,
    's == "Grüße, 世界 🌍"': 1,
    "len(s)": 12,
    "!len(s)": 1,
}
POINTERS = {
    "o == nil": 1,
    "o != nil": 3,
    "o": 3,
    "!o": 1,
    'o.Pointer.Inner.Name == "in"': 1,
    'o.Pointer.Inner.Name != "in"': 1,  # behind a nil pointer nothing is equal or unequal
    'o.Pointer.Inner.Name == ""': 1,
    "o.Count > 3": 2,
    "o.Count != 3": 2,
    "3 < o.Count": 2,
    "o.Count == o.Count": 3,
    "o.Pointer.Pointer != nil": 1,
}
NUMBERS = {
    "a < 0": 2,
    "a == -128": 1,
    "b > 100": 1,
    "d == -9223372036854775808": 1,
    "d > 0x7ffffffffffffffe": 1,
    "e != -1": 3,
    "a < b": 2,
    "b > a": 2,
}


def test_conditions_are_true_of_the_calls_that_they_are_true_of() -> None:
    asked = [
        *(("main.takeString", condition, count) for condition, count in CONDITIONS.items()),
        *(("main.takeOuterPointer", condition, count) for condition, count in POINTERS.items()),
        *(("main.takeInts", condition, count) for condition, count in NUMBERS.items()),
    ]
    specs = [f"{name}(c{number}=goid) if {condition}" for number, (name, condition, _) in enumerate(asked)]
    with torture(build(SOURCE), "once") as program:
        ended = traced(program, *specs, calls=sum(count for *_, count in asked))
    assert ended.summary["losses"] == {}
    found = Counter(label for span in ended.spans for label in span["attributes"] if re.fullmatch(r"c\d+", label))
    wrong = [
        f"{condition}: true of {found[f'c{number}']} calls, not of {count}"
        for number, (_, condition, count) in enumerate(asked)
        if found[f"c{number}"] != count
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "go",
    [pytest.param("1.16.15", marks=pytest.mark.matrix), "1.17.13", pytest.param("1.26.8", marks=pytest.mark.matrix)],
)
def test_requests_urls_and_variadic_arguments_also_of_stripped_binaries(go: str) -> None:
    binary = build(PROGRAMS / "cookbook", go=go)
    ping, do = "req.Method, req.URL.Path", "url=req.URL.Path, host=req.URL.Host"
    with serving(binary) as server:
        specs = (f"main.ping({ping})", f"net/http.(*Client).do({do})", "fmt.Fprintln(a)")
        plain = _lines(server.pid, *specs)
        port = server.port
    with serving(stripped(binary)) as server:
        declared = (
            f"main.ping(w http.ResponseWriter, req *http.Request, {ping})",
            f"net/http.(*Client).do(c *http.Client, req *http.Request, {do})",
        )
        bare = _lines(server.pid, *declared)
        other = server.port
    assert {"req.Method": "GET", "req.URL.Path": "/ping"} in plain["main.ping"]
    assert {"req.Method": "GET", "req.URL.Path": "/pay"} in plain["main.ping"]
    assert {"url": "/pay", "host": f"127.0.0.1:{port}"} in plain["http.(*Client).do"]
    assert {"a": ["pong", "GET", 5]} in plain["fmt.Fprintln"]
    assert {"a": ["pong", "GET", 4]} in plain["fmt.Fprintln"]
    assert {"req.Method": "GET", "req.URL.Path": "/ping"} in bare["main.ping"]
    assert {"url": "/ping", "host": f"127.0.0.1:{other}"} in bare["http.(*Client).do"]


def _lines(pid: int, *specs: str) -> dict[str, list[dict[str, Any]]]:
    """Values by function, of some rounds of a program that goes on by itself."""
    with tracing("--pid", str(pid), "--output", "json", *specs, command="trace") as tracer:
        tracer.wait_spans(20)
        ended = tracer.stop()
    found: dict[str, list[dict[str, Any]]] = {}
    for span in ended.spans:
        values = {key: value for key, value in span["attributes"].items() if key not in OWN}
        found.setdefault(span["name"], []).append(values)
    return found
