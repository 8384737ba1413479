"""Trace contexts in, through and out: a chain of services that know nothing of tracing.

Writing itself is refused by a kernel that is locked down; tests/vm has it on others. Here: what comes in, what is
called meanwhile, what would go out, and what is said where it cannot.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from harness import Ended, Server, needs_root, serving, tracing

import gobuild
from goinst.kernel.syscalls import probe_features
from goinst.run.permissions import why_not

pytestmark = needs_root

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROLES = ("edge", "middle", "rpc", "leaf")


@pytest.fixture(scope="module")
def chain() -> Path:
    return gobuild.build(gobuild.PROGRAMS / "chain")


@contextmanager
def started(chain: Path) -> Iterator[dict[str, Server]]:
    """The four services, each calling the next."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        behind: tuple[str, ...] = ()
        for role in reversed(ROLES):
            server = stack.enter_context(serving(chain, role, *behind))
            servers[role], behind = server, (f"127.0.0.1:{server.port}",)
        yield servers


def drive(chain: Path, folder: Path, servers: dict[str, Server], count: int, concurrency: int) -> None:
    """Requests from a process that is not traced."""
    driver = folder / "driver"
    shutil.copy(chain, driver)
    done = subprocess.run(
        [driver, "drive", f"http://127.0.0.1:{servers['edge'].port}/go", str(count), str(concurrency)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout == f"drove {count} failed 0\n", done.stderr
    for server in servers.values():
        lines = [json.loads(line) for line in server.wait_lines(count)]
        assert [line["wrong"] for line in lines if "wrong" in line] == []


def traced(chain: Path, folder: Path, count: int, *options: str) -> Ended:
    with started(chain) as servers, tracing("--exe", str(chain), "--plugins", "nethttp,grpc", *options) as tracer:
        drive(chain, folder, servers, count, 20)
        # server and client in each of three, and the last one
        if "--sample" not in options:
            tracer.wait_spans(7 * count)
        return tracer.stop()


def test_a_dry_run_says_where_contexts_would_go(chain: Path, tmp_path: Path) -> None:
    ended = traced(chain, tmp_path, 300, "--propagate=dry-run")
    assert set(ended.summary["losses"]) <= {"grpc.metadata_cut"}  # some have 20 keys
    assert ended.summary["notes"] == {"core.context_dry_run": 900}
    clients = [span for span in ended.spans if span["kind"] == "client"]
    assert Counter(span["attributes"]["goinst.propagation"] for span in clients) == {"dry-run": 900}
    # nothing was written, so each process has traces of its own, and in each a call is below the request
    traces = defaultdict(list)
    for span in ended.spans:
        traces[span["trace_id"]].append(span)
    assert Counter(len(spans) for spans in traces.values()) == {2: 900, 1: 300}
    servers = {span["span_id"] for span in ended.spans if span["kind"] == "server"}
    assert all(span["parent_span_id"] in servers for span in clients)


def test_without_the_option_nothing_is_said_of_it(chain: Path, tmp_path: Path) -> None:
    ended = traced(chain, tmp_path, 20)
    assert "notes" not in ended.summary
    assert not [span for span in ended.spans if "goinst.propagation" in span["attributes"]]
    assert not [where for where in ended.summary["hits"] if "writeSubset" in where or "writeHeader" in where]


def test_where_the_kernel_refuses_tracing_goes_on_and_one_line_says_so(chain: Path, tmp_path: Path) -> None:
    reason = why_not(probe_features()["write_user"])
    if not reason:
        pytest.skip("this kernel lets programs write into a process: nothing is refused")
    ended = traced(chain, tmp_path, 20, "--propagate")
    said = [event for event in ended.events if event["event"] == "trace contexts are not written"]
    assert [event["reason"] for event in said] == [reason]
    assert len(ended.spans) == 140


@pytest.mark.parametrize("flags", ["00", "01"])
def test_what_is_called_in_a_request_is_in_its_callers_trace(chain: Path, flags: str) -> None:
    with started(chain) as servers, tracing("--exe", str(chain), "--plugins", "nethttp,grpc") as tracer:
        parent = f"00-{TRACE}-{CALLER}-{flags}"
        servers["edge"].request("POST", "/go", b"", {"X-Id": "x", "traceparent": parent})
        tracer.wait_spans(7)
        ended = tracer.stop()
    inside = [span for span in ended.spans if span["trace_id"] == TRACE]
    (server,) = (span for span in inside if span["kind"] == "server")
    assert server["parent_span_id"] == CALLER
    (client,) = (span for span in inside if span["kind"] == "client")
    assert client["parent_span_id"] == server["span_id"]


@pytest.mark.parametrize(
    "value",
    [
        f"00-{TRACE}-{CALLER}-0",
        f"00-{TRACE}-{CALLER}-01-more",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE[:-1]}G-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00_{TRACE}-{CALLER}-01",
        "x",
    ],
)
def test_a_malformed_context_is_ignored_and_counted(chain: Path, value: str) -> None:
    with started(chain) as servers, tracing("--exe", str(chain), "--plugins", "nethttp,grpc") as tracer:
        servers["edge"].request("POST", "/go", b"", {"X-Id": "x", "traceparent": value})
        tracer.wait_spans(7)
        ended = tracer.stop()
    assert not [span for span in ended.spans if span["trace_id"] == TRACE or span["parent_span_id"] == CALLER]
    assert ended.summary["notes"] == {"core.context_malformed": 1}


def sampled(chain: Path, how: str, parents: list[str | None]) -> Ended:
    with started(chain) as servers, tracing("--exe", str(chain), "--plugins", "nethttp", "--sample", how) as tracer:
        for number, parent in enumerate(parents):
            headers = {"X-Id": f"r{number}"} | ({"traceparent": parent} if parent else {})
            servers["leaf"].request("POST", "/leaf", b"", headers)
        return tracer.stop()


def test_the_callers_decision_is_kept(chain: Path) -> None:
    yes, no = (f"00-{TRACE}-{CALLER}-{flags}" for flags in ("01", "00"))
    ended = sampled(chain, "parent", [yes, no, None, no])
    assert len(ended.spans) == 2
    assert ended.summary["notes"] == {"core.sampled_out": 2}


def test_a_share_is_decided_by_the_traces_id_the_same_everywhere(chain: Path, tmp_path: Path) -> None:
    ended = traced(chain, tmp_path, 400, "--sample", "ratio=0.25")
    assert all(int(span["trace_id"][-14:], 16) >= 0.75 * (1 << 56) for span in ended.spans)
    out = ended.summary["notes"]["core.sampled_out"]
    assert len(ended.spans) + out == 2800
    assert 0.15 < len(ended.spans) / 2800 < 0.35  # 1,600 traces: the bounds are more than 9 deviations away
    # a call is kept where its request is
    traces = defaultdict(set)
    for span in ended.spans:
        traces[span["trace_id"]].add(span["kind"])
    assert {"client"} not in traces.values()


def test_a_rate_is_an_upper_bound(chain: Path) -> None:
    ended = sampled(chain, "rate=5", [None] * 200)
    assert 5 <= len(ended.spans) <= 5 * (ended.summary["seconds"] + 2)
    assert len(ended.spans) + ended.summary["notes"]["core.sampled_out"] == 200
