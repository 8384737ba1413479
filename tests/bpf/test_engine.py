"""The engine on a real kernel: both ways of attaching, plugins that do not compile or verify, accounting."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

import gobuild
from goinst import Fragment, Probe, Protocol, Record, Site, Span, Tail
from goinst.errors import PluginError
from goinst.golang.facts import GoFacts
from goinst.kernel import syscalls as kernel
from goinst.kernel.compiler import Compiler
from goinst.kernel.program import BpfObject
from goinst.plan.plan import Plan
from goinst.plan.settings import PlanSettings
from goinst.plugin.manager import PluginSet
from goinst.run.build import Built, build
from goinst.run.tracer import Tracer
from goinst.spans.span import Resource
from wire import row

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)"),
]

SERVE = Site("net/http.serverHandler.ServeHTTP", "sh struct{p *int}, rw interface{}, req *net/http.Request")


@pytest.fixture(scope="module")
def ping() -> Path:
    return gobuild.build(gobuild.PROGRAMS / "ping")


@contextmanager
def serving(binary: Path) -> Iterator[tuple[int, str]]:
    process = subprocess.Popen([binary], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().split()[1]
    finally:
        process.kill()
        process.wait()


def get(address: str, path: str = "/ping") -> None:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as response:
        response.read()


def built_with(
    binary: Path,
    protocols: tuple[Protocol, ...],
    failures: list[PluginError],
    *,
    multi: bool = True,
    ring: int = 1 << 20,
    operations: int = 1024,
    count_only: bool = False,
) -> Built | Plan:
    compiler = Compiler()
    try:
        return build(
            GoFacts.open(str(binary)),
            protocols,
            {},
            PlanSettings(count_only=count_only),
            compiler,
            failures.append,
            multi=multi,
            ring_bytes=ring,
            operations=operations,
        )
    finally:
        compiler.close()


def tracer_of(built: Built | Plan, binary: Path, *, count_only: bool = False) -> Tracer:
    assert isinstance(built, Built)
    resource = Resource({"process.pid": 1}, b"{}")
    return Tracer(
        built, str(binary), {}, lambda _: resource, lambda plugin, words: pytest.fail(f"{plugin}: {words}"),
        redact=True, every=False, name="ping", count_only=count_only,
    )  # fmt: skip


def nethttp() -> tuple[Protocol, ...]:
    return PluginSet.load(["nethttp"]).protocols


def broken(name: str, text: str, **more: object) -> Protocol:
    return Protocol(
        name=name, summary="broken", fragments=(Fragment(f"{name}.bpf.c", text=text),),
        probes=(Probe(f"{name}_serve", (SERVE,)),), records=(), **more,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("multi", [True, False], ids=["uprobe_multi", "perf_events"])
def test_spans_by_both_ways_of_attaching(ping: Path, multi: bool) -> None:
    failures: list[PluginError] = []
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        tracer = tracer_of(built_with(ping, nethttp(), failures, multi=multi), ping)
        stack.callback(tracer.close)
        assert tracer.attach() >= 3
        get(address)  # not of a traced process yet
        tracer.add(pid)
        for number in range(20):
            get(address, f"/ping?n={number}")
        _, _, spans = tracer.drain(decode=True)
        assert [span.attributes["url.query"] for span in spans] == ["n=REDACTED"] * 20
        assert {span.attributes["http.response.status_code"] for span in spans} == {200}
        assert len({span.span_id for span in spans}) == 20
        assert not tracer.losses()
        tracer.detach()
        get(address)
        assert tracer.drain(decode=True) == (0, 0, [])
    assert failures == []


def test_a_full_ring_is_counted_and_nothing_else_is_lost(ping: Path) -> None:
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        tracer = tracer_of(built_with(ping, nethttp(), [], ring=4096), ping)
        stack.callback(tracer.close)
        tracer.attach()
        tracer.add(pid)
        for _ in range(100):
            get(address)
        _, received, _ = tracer.drain(decode=True)
        losses = tracer.losses()
        assert 0 < received < 100
        assert received + losses["nethttp", "ring_full"] == 100
        assert sum(losses.values()) == losses["nethttp", "ring_full"]
        assert "nethttp.ring_full at record nethttp_request" in tracer.loss_places()


def test_a_ring_that_refuses_although_it_has_room_is_not_called_full(
    ping: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its lock does since Linux 6.15; here by a flag that the kernel does not know."""
    compile_ = Compiler.compile
    offered = "goinst_events.ringbuf_output(op, size, BPF_RB_NO_WAKEUP)"

    def refused(compiler: Compiler, text: str) -> BpfObject:
        assert text.count(offered) == 2
        return compile_(compiler, text.replace(offered, "goinst_events.ringbuf_output(op, size, 1 << 6)"))

    monkeypatch.setattr(Compiler, "compile", refused)
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        tracer = tracer_of(built_with(ping, nethttp(), []), ping)
        stack.callback(tracer.close)
        tracer.attach()
        tracer.add(pid)
        for _ in range(5):
            get(address)
        assert tracer.drain(decode=True) == (0, 0, [])
        assert tracer.losses() == {("nethttp", "ring_busy"): 5}


def test_operations_that_were_put_out_are_told_from_those_that_began_before() -> None:
    """Requests of which the map has room for a few: some of them end after the probes are gone, and a few may have
    begun before these were there."""
    odd = gobuild.build(gobuild.PROGRAMS / "odd")

    def ask(count: int, milliseconds: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=get, args=(address, f"/slow?ms={milliseconds}")) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def entries() -> int:
        return tracer.hits()["net/http.serverHandler.ServeHTTP entry"]

    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(odd))
        tracer = tracer_of(built_with(odd, nethttp(), [], operations=16), odd)
        stack.callback(tracer.close)
        tracer.add(pid)
        before = ask(5, 1500)
        tracer.attach()
        for thread in (*ask(30, 300), *before):
            thread.join()
        ended = 35
        _, spans, _ = tracer.drain(decode=True)
        live = tracer.losses()
        assert spans + live["nethttp", "began_unseen"] == ended
        assert ("core", "evicted") not in live
        known = entries()
        late = ask(20, 3000)
        _wait(lambda: entries() == known + 20)
        tracer.detach()
        losses, still_open = tracer.losses(), tracer.open_operations().total()
        assert spans + losses["core", "evicted"] + still_open == entries()
        assert losses["core", "evicted"] > 20
        # those of the 20 that were put out will never end under the probes: they are not among these
        assert losses["nethttp", "began_unseen"] <= ended - known
        for thread in late:
            thread.join()


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_spans_that_are_only_counted_never_leave_the_kernel(ping: Path) -> None:
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        both = PluginSet.load(["nethttp", "jsonrpc"]).protocols
        built = built_with(ping, both, [], ring=4096, count_only=True)
        tracer = tracer_of(built, ping, count_only=True)
        stack.callback(tracer.close)
        assert tracer.plan.enabled == ("nethttp", "jsonrpc")  # events of a stream are spans of their own
        tracer.attach()
        tracer.add(pid)
        for _ in range(30):
            get(address)
        assert tracer.drain(decode=False) == (0, 30, [])
        assert tracer.drain(decode=False) == (0, 0, [])
        get(address)
        assert tracer.drain(decode=False) == (0, 1, [])
        assert tracer.ring.take() == []
        assert not tracer.losses()


def test_operations_that_are_evicted_are_counted(ping: Path) -> None:
    """Requests that begin before goinst end without a beginning; here the map is emptied under a running request."""
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        built = built_with(ping, nethttp(), [])
        tracer = tracer_of(built, ping)
        stack.callback(tracer.close)
        # only the end of a request is probed
        finish = [p for p in built.plan.programs if "nethttp_finish" in p.function]
        tracer._attach(finish)
        tracer.add(pid)
        get(address)
        assert tracer.losses() == {("nethttp", "began_unseen"): 1}


def test_an_end_that_is_not_seen_is_counted_and_is_no_error(ping: Path) -> None:
    """Of three requests of a connection the last is left: its span says so, and nothing of a panic."""
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        built = built_with(ping, nethttp(), [])
        tracer = tracer_of(built, ping)
        stack.callback(tracer.close)
        tracer._attach([p for p in built.plan.programs if p.function.endswith(("nethttp_serve", "nethttp_leave"))])
        tracer.add(pid)
        connection = HTTPConnection(address, timeout=10)
        for number in range(3):
            connection.request("GET", f"/ping?n={number}")
            connection.getresponse().read()
        connection.close()
        get(address)  # a connection of its own, which is closed behind the first
        found: list[Span] = []
        deadline = time.monotonic() + 10
        while len(found) < 2 and time.monotonic() < deadline:
            found += tracer.drain(decode=True)[2]
        for span in found:
            assert span.status == "unset"
            assert span.attributes["goinst.end_unseen"] is True
            assert span.attributes["http.response.status_code"] == 200
            assert "error.type" not in span.attributes
        assert len(found) == 2
        assert tracer.losses() == {("core", "end_unseen"): 2, ("nethttp", "end_unseen"): 2}


BAD_C = "PROBE(bad_serve)\n{\n    return no_such_function(1);\n}\n"
BAD_POINTER = """PROBE(bad_serve)
{
    u8 *value = goinst_pids.lookup(&hit->tgid); /* may be NULL */
    *value = 2;
    return 0;
}
"""
BAD_STACK = """PROBE(bad_serve)
{
    volatile char buffer[1024];
    for (int i = 0; i < 1024; i++)
        buffer[i] = i;
    return buffer[hit->tgid & 1023];
}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BAD_C, "bad/bad.bpf.c:3"),
        (BAD_POINTER, "the verifier refuses"),
        (BAD_STACK, "does not compile"),
    ],
    ids=["C", "verifier", "stack"],
)
def test_a_bad_fragment_is_named_and_left_out(ping: Path, text: str, words: str) -> None:
    failures: list[PluginError] = []
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        built = built_with(ping, (*nethttp(), broken("bad", text)), failures)
        tracer = tracer_of(built, ping)
        stack.callback(tracer.close)
        assert tracer.plan.enabled == ("nethttp",)
        assert [failure.plugin for failure in failures] == ["bad"]
        assert words in str(failures[0])
        assert "\n" not in str(failures[0])
        assert failures[0].detail
        tracer.attach()
        tracer.add(pid)
        get(address)
        assert tracer.drain(decode=True)[1] == 1


def test_only_bad_plugins_leave_a_plan_that_says_why(ping: Path) -> None:
    plan = built_with(ping, (broken("bad", BAD_C),), [])
    assert isinstance(plan, Plan)
    assert plan.enabled == ()
    assert "no_such_function" in plan.plugins[0].reason


CHAIN = """PROBE(second_serve)
{
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    if (!op)
        LOSS(no_operation);
    TAIL_CALL(second_more);
    return 0;
}
PROBE(second_more)
{
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct second_fact *fact = second_fact_reserve(op, hit);
    if (!fact)
        return 0;
    fact->sp = hit->sp;
    second_fact_submit(fact);
    return 0;
}
"""


def test_programs_of_two_plugins_share_an_instruction_and_an_operation(ping: Path) -> None:
    def decode(values, span, context) -> None:
        span.attributes["second.sp"] = values.sp

    second = replace(
        broken("second", CHAIN, losses={"no_operation": "no operation"}),
        builds_on=("nethttp",),
        tails=(Tail("second_more"),),
        records=(Record("second_fact", row(sp="u64"), decode=decode),),
    )
    with ExitStack() as stack:
        pid, address = stack.enter_context(serving(ping))
        tracer = tracer_of(built_with(ping, (*nethttp(), second), []), ping)
        stack.callback(tracer.close)
        tracer.attach()
        tracer.add(pid)
        get(address)
        _, _, spans = tracer.drain(decode=True)
        assert [span.name for span in spans] == ["GET /ping"]
        assert spans[0].attributes["second.sp"] > 0
        assert not tracer.losses()
        hits = tracer.hits()
        assert hits["net/http.serverHandler.ServeHTTP entry"] == 1
        assert hits["net/http.(*conn).serve call"] == 1


def test_features_are_tried() -> None:
    features = kernel.probe_features()
    assert features["load"] is True
    assert features["ring_buffer"] is True
    assert isinstance(features["uprobe_multi"], bool | str)
