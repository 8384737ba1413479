"""--where and --sample."""

from __future__ import annotations

import random
from typing import Any

import pytest

from goinst.errors import UsageError
from goinst.export.filters import compile_where, sampler
from goinst.spans.span import Resource, Span

RESOURCE = Resource({"service.name": "shop", "process.pid": 7}, b"{}")


def span(**changes: Any) -> Span:
    made = Span("web", "GET /x", "server", 0xABC, 0xDEF, 0, 0, 300_000_000, RESOURCE)
    made.attributes = {
        "http.response.status_code": 503,
        "url.path": "/x/7",
        "flag": True,
        "ratio": 0.5,
        "rpc.method": "A.B",
    }
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("http.response.status_code >= 500 or duration > 250ms", True),
        ("http.response.status_code >= 500 and duration > 250ms", True),
        ("http.response.status_code < 500 or duration > 1s", False),
        ("duration >= 300ms", True),
        ("duration < 0.3s", False),
        ("kind == server", True),
        ("kind == client", False),
        ('kind == "server" and service == "shop"', True),
        ("process.pid == 7", True),
        ("not kind == server", False),
        ("not not kind == server", True),
        ("not (kind == client or status == error)", True),
        ('url.path ~ "^/x/[0-9]+$"', True),
        ("name ~ 'POST'", False),
        ("rpc.method", True),
        ("absent", False),
        ("not absent", True),
        ("absent == 1", False),
        ("absent != 1", True),
        ("absent > 1", False),
        ("url.path > 5", False),
        ("flag == true", True),
        ("flag == 1", False),
        ("flag > 0", True),
        ("ratio >= 0.5", True),
        ("status == unset", True),
        ("trace_id == '00000000000000000000000000000abc'", True),
        ("parent_span_id", False),
        ('name == "GET \\/x"', True),
        ("-1 < ratio", True),
        ("name == name", True),
        ("absent || kind == server && !absent", True),
        ("!(kind == server and status == unset)", False),
        ("!absent and not !rpc.method", True),
        ("not absent == 1 && flag", True),
        ("http.response.status_code == 0x1f7", True),
        ("url.path ~ '^/x/\\d$' and name ~ `T\\s/x`", True),
        ("url.path ~ '/x\\.7'", False),
        ("url.path ~ '^/x/\\\\d$'", True),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    assert compile_where(text)(span()) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at the end"),
        ("a >", "a name or a value expected at the end"),
        ("a > > 1", "a name or a value expected at '>'"),
        ("(a", "`)` expected at the end"),
        ("a b", "an operator, `and` or `or` expected at 'b'"),
        ("a == 1 $", "cannot be read at '$'"),
        ("a == 12xy", "cannot be read"),
        ("a ~ b", "a regular expression in quotation marks expected"),
        ("a ~ '('", "is no regular expression"),
        ("and", "a name or a value expected at 'and'"),
        ("a || or", "a name or a value expected at 'or'"),
        ("a && ", "a name or a value expected at the end"),
        ("not " * 200 + "a", "fewer parentheses"),
        ("a = 1", "an operator, `and` or `or` expected at '='"),
        ("(" * 100 + "a" + ")" * 100, "fewer parentheses"),
        ('a == "x', "cannot be read"),
    ],
)
def test_what_cannot_be_understood_is_said_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as said:
        compile_where(text)
    assert complaint in str(said.value)
    assert "\n" not in str(said.value)


def test_no_expression_makes_it_fail_on_any_span() -> None:
    rng = random.Random(8)
    words = [
        "duration",
        "name",
        "absent",
        "flag",
        "ratio",
        "1",
        "250ms",
        "'x'",
        "true",
        "server",
        "http.response.status_code",
    ]
    for _ in range(2000):
        parts = [rng.choice(words)]
        for _ in range(rng.randrange(4)):
            parts += [rng.choice(["==", "!=", "<", ">=", "and", "or", "and not"]), rng.choice(words)]
        try:
            condition = compile_where(" ".join(parts))
        except UsageError:
            continue
        assert condition(span()) in (True, False)


def test_a_share_of_traces_each_as_a_whole() -> None:
    rng = random.Random(3)
    keep = sampler(0.25)
    traces = [rng.getrandbits(128) for _ in range(20_000)]
    kept = [trace for trace in traces if keep(span(trace_id=trace))]
    assert 0.23 < len(kept) / len(traces) < 0.27
    assert all(keep(span(trace_id=trace, span_id=1)) for trace in kept)
    assert sampler(1)(span(trace_id=2**128 - 1))
    assert not sampler(0)(span(trace_id=0))
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="--sample"):
            sampler(share)
