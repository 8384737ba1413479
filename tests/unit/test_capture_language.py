"""The language of captures: what a SPEC means, and at which character it goes wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest

from goinst.capture.language.parser import Item, parse_condition, parse_expression, parse_spec
from goinst.capture.language.syntax import (
    Assert,
    Call,
    Compare,
    Deref,
    Index,
    Literal,
    Logic,
    Name,
    Not,
    Select,
    Slice,
    names_in,
)
from goinst.capture.trace import short_name, split_target
from goinst.errors import UsageError

X = Name("x")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("x", X),
        ("x.Y.z", Select(Select(X, "Y"), "z")),
        ("x->next->name", Select(Select(X, "next"), "name")),
        ("x.0", Select(X, "0")),  # Rust's tuples
        ("x[3]", Index(X, 3)),
        ("x[-1]", Index(X, -1)),
        ('x["a b"]', Index(X, "a b")),
        ("x['q']", Index(X, "q")),
        ("x[`\\n`]", Index(X, "\\n")),
        ('x["\\n\\""]', Index(X, '\n"')),
        ("x[:4]", Slice(X, 4)),
        ("x[0:4]", Slice(X, 4)),
        ("*x", Deref(X)),
        ("*x.y", Deref(Select(X, "y"))),
        ("(*x).y", Select(Deref(X), "y")),
        ("x.(*net/http.Request).URL", Select(Assert(X, "*net/http.Request"), "URL")),
        ("x.(map[string]func(int) int)", Assert(X, "map[string]func(int) int")),
        ("len(x.y)", Call("len", (Select(X, "y"),))),
        ("str(x, y)", Call("str", (X, Name("y")))),
        ("0x1F", Literal(31)),
        ("-7", Literal(-7)),
        ("1.5ms", Literal(1_500_000)),
        ("2h", Literal(7_200_000_000_000)),
        ("true", Literal(True)),
        ("nil", Literal(None)),
        ("~r0", Name("~r0")),
        ("größe", Name("größe")),
    ],
)
def test_expressions(text: str, meaning: Any) -> None:
    assert parse_expression(text) == meaning
    assert parse_expression(f"  {text} ") == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("x", Compare("!=", X, Literal(0))),
        ("!x", Not(Compare("!=", X, Literal(0)))),
        ("x != nil", Compare("!=", X, Literal(None))),
        ("x >= 10ms", Compare(">=", X, Literal(10_000_000))),
        ('hasPrefix(x, "/api")', Compare("!=", Call("hasPrefix", (X, Literal("/api"))), Literal(0))),
        (
            "x == 1 && y == 2 || !(z < 3)",
            Logic(
                "||",
                (
                    Logic("&&", (Compare("==", X, Literal(1)), Compare("==", Name("y"), Literal(2)))),
                    Not(Compare("<", Name("z"), Literal(3))),
                ),
            ),
        ),
    ],
)
def test_conditions(text: str, meaning: Any) -> None:
    assert parse_condition(text) == meaning


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("x == 1 and y == 2 or not z < 3", "x == 1 && y == 2 || !z < 3"),
        ("not (x or not y) and z", "!(x || !y) && z"),
        ("not *x and not len(x) > 3", "!*x && !len(x) > 3"),
    ],
)
def test_conditions_in_words_are_those_in_signs(text: str, other: str) -> None:
    assert parse_condition(text) == parse_condition(other)
    assert parse_spec(f"main.f(a) if {text}").condition == parse_condition(other)


@pytest.mark.parametrize("text", ["not == 1", "not.x > 3", "not[0] == 1", "not", "not and x", "and == 1 or or == 2"])
def test_variables_may_be_called_like_operators(text: str) -> None:
    assert names_in(parse_condition(text)) & {"not", "and", "or"}


def test_what_a_condition_is_about() -> None:
    assert names_in(parse_condition('x.y == 1 && !(hasPrefix(z[3], "a") || len(*q) > w.(T).u)')) == {"x", "z", "q", "w"}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("main.ping", "main.ping"),
        ("net/http.(*conn).serve(c)", "net/http.(*conn).serve"),
        ("(*conn).serve()", "(*conn).serve"),
        ("main.(*list[...]).each(f)", "main.(*list[...]).each"),
        ("main.(*list[go.shape.int]).each", "main.(*list[go.shape.int]).each"),
        ("main.*", "main.*"),
        ("re:/^main\\.(a|b)$/(x)", "^main\\.(a|b)$"),
        ("main.main.func1(n)", "main.main.func1"),
        ("main.go:42(x)", "main.go:42"),
        ("pkg/file.go:7", "pkg/file.go:7"),
        ("libssl:SSL_write(bytes(arg2, arg3))", "libssl:SSL_write"),
        ("usdt:hotspot:class__loaded(str(arg1, arg2))", "usdt:hotspot:class__loaded"),
        ("shop::Cart::add(this)", "shop::Cart::add"),
    ],
)
def test_targets(text: str, target: str) -> None:
    spec = parse_spec(text)
    assert spec.target == target
    assert spec.regex is text.startswith("re:")


@pytest.mark.parametrize(
    ("target", "library", "function"),
    [
        ("main.ping", "", "main.ping"),
        ("main.go:42", "", "main.go:42"),
        ("shop::Cart::add", "", "shop::Cart::add"),
        ("libssl:SSL_write", "libssl", "SSL_write"),
        ("/usr/lib/libssl.so.3:SSL_write", "/usr/lib/libssl.so.3", "SSL_write"),
        ("usdt:hotspot:x__y", "usdt:hotspot:x__y", "usdt:hotspot:x__y"),
        ("usdt:/lib/libjvm.so:hotspot:x__y", "/lib/libjvm.so", "usdt:hotspot:x__y"),
    ],
)
def test_libraries(target: str, library: str, function: str) -> None:
    assert split_target(parse_spec(target)) == (library, function)


def test_without_parentheses_all_parameters_with_empty_ones_none() -> None:
    assert parse_spec("main.f").items is None
    assert parse_spec("main.f()").items == ()


def test_items_labels_results_and_conditions() -> None:
    spec = parse_spec('main.f(a, path=r.URL.Path , m["x"]) -> n, err if err != nil && n > 3')
    assert spec.items == (
        Item("a", Name("a")),
        Item("path", Select(Select(Name("r"), "URL"), "Path")),
        Item('m["x"]', Index(Name("m"), "x")),
    )
    assert [item.label for item in spec.results] == ["n", "err"]
    assert spec.condition == Logic(
        "&&", (Compare("!=", Name("err"), Literal(None)), Compare(">", Name("n"), Literal(3)))
    )


def test_declarations_of_parameters_and_results() -> None:
    spec = parse_spec(
        "main.f(w http.ResponseWriter, m map[string][]int, f func(int) (int, error), w) -> n int, err error"
    )
    assert spec.declared == (
        ("w", "http.ResponseWriter"),
        ("m", "map[string][]int"),
        ("f", "func(int) (int, error)"),
    )
    assert spec.items == (Item("w", Name("w")),)
    assert spec.returned == (("n", "int"), ("err", "error"))
    assert [item.label for item in spec.results] == ["n", "err"]
    assert parse_spec("main.f(a int)").items is None
    assert [each.label for each in parse_spec("main.f(n int) -> _ int, err error").results] == ["err"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begin with a function"),
        ("   ", "begin with a function"),
        ("(x)", "begin with a function"),
        ("main.f(", "a variable is expected at character 8, not its end"),
        ("main.f(a b c", "')' is expected"),
        ("main.f(a,)x", "the end is expected at character 11, not 'x'"),
        ("main.f(a..b)", "a field's name is expected at character 10"),
        ("main.f(a[x])", "a number is expected at character 10"),
        ("main.f(a[1.5])", "numbers with a fraction cannot be compared"),
        ("main.f(a[2:4])", "a slice from the beginning, as x[:8] is expected at character 10"),
        ("main.f(a.())", "a type is expected"),
        ("main.f(call(a))", "the program's own are never called"),
        ("main.f(len(a, b))", "len takes 1 arguments, not 2"),
        ("main.f(a) if", "a variable is expected at character 13, not its end"),
        ("main.f(a) if a ==", "a variable is expected at character 18, not its end"),
        ("main.f(a) if a and", "a variable is expected at character 19, not its end"),
        (
            'main.f(a) if a ~ "x"',
            "what the kernel can decide (a regular expression it cannot; hasPrefix(x, …) it can) is",
        ),
        ('main.f(a) if a ~ "x"', "at character 16"),
        ("main.f(a) if a = 1", "the end is expected at character 16"),
        ('main.f(a["x)', "a number is expected at character 10"),
        ("main.f(3x)", "a variable is expected at character 8"),
        ("main.f(a) -> ", "a variable is expected"),
        ("re:/main", "the regular expression does not end"),
        ("main.f(" + "*" * 200 + "a)", "is nested too deep"),
        ("main.f(a) if " + "!" * 400 + "a", "is nested too deep"),
        ("main.f(a) if " + "(" * 400 + "a", "is nested too deep"),
        ("main.f(" + "(" * 400 + "a", "is nested too deep"),
        ("m" * 5000, "is 5000 characters long"),
        ("main.f(a) if a > 1" + "0" * 30 + "h", ""),
    ],
)
def test_errors_say_what_and_where(text: str, words: str) -> None:
    try:
        parse_spec(text)
    except UsageError as error:
        assert words in str(error)
        assert "\n" not in str(error)
    else:
        assert not words


_PIECES = (
    "main.f", "(", ")", "[", "]", "{", "}", ".", ",", "->", "if", "&&", "||", "!", "=", "==", "<", ">=", "*", "&", ":",
    "-", '"', "'", "`", "\\", "re:/", "/", "x", "err", "len", "str", "hasPrefix", "nil", "true", "0x", "12", "1.5",
    "3ms", "99h", "~r0", " ", "\t",
    "\n", "\0", "é", "🌍", "\ud800", "map[string]int", "func(", "usdt:", "main.go:4", "::", "$1", "_", "²", "٣",
)  # fmt: skip


def test_any_text_is_read_or_refused() -> None:
    source = random.Random(8)
    for _ in range(5_000):
        text = "".join(source.choices(_PIECES, k=source.randrange(1, 14)))
        if source.random() < 0.5:
            text = "main.f(" + text
        for parse in (parse_spec, parse_expression, parse_condition):
            try:
                parse(text)
            except UsageError as error:
                assert str(error)
        short_name(text)


def test_names_are_as_go_code_calls_them() -> None:
    assert short_name("net/http.(*conn).serve") == "http.(*conn).serve"
    assert short_name("main.ping") == "main.ping"
    assert short_name("a/b.F[go.shape.int,c/d.T]") == "b.F[go.shape.int,c/d.T]"
