"""JSON-RPC by POST at both ends and over both versions of HTTP, each span compared with the program's own log."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from harness import Ended, Span, needs_root, serving, tracing

from gobuild import PROGRAMS, VERSIONS, build

pytestmark = [pytest.mark.bpf, needs_root]

CALLS = 90
_ALWAYS = (("1.22.12", "http2"), ("1.27.3", "http1"), ("1.27.3", "http2"))
SOME = [
    pytest.param(go, over, marks=() if (go, over) in _ALWAYS else pytest.mark.matrix)
    for go in VERSIONS[1:]
    for over in ("http1", "http2")
]


def converse(go: str, over: str) -> tuple[Ended, int, int, list[dict[str, Any]], list[dict[str, Any]]]:
    """A client's requests, with server and client traced from before the first: what was seen, pids, both logs."""
    binary = build(PROGRAMS / "jsonpost", go=go)
    flags = ["-http2"] if over == "http2" else []
    with serving(binary, *flags) as server:
        arguments = [binary, *flags, "-client", f"127.0.0.1:{server.port}", "-calls", str(CALLS)]
        client = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == "listening client:0\n"
            pids = ("--pid", str(server.pid), "--pid", str(client.pid))
            settings = ("--set", "jsonrpc.body_bytes=16384")
            with tracing(*pids, "--plugins", "nethttp,jsonrpc", *settings) as tracer:
                client.stdin.write("go\n")
                client.stdin.flush()
                lines = []
                while (line := client.stdout.readline()) not in ("pause\n", ""):
                    lines.append(line)
                # the first long answers bring the probe on writes
                tracer.wait_probe("net/http.(*response).write")
                said, _ = client.communicate("go\n", timeout=60)
                lines += said.splitlines()
                assert lines[-1] == "done"
                made = [json.loads(line) for line in lines[:-1]]
                served = [json.loads(line) for line in server.wait_lines(CALLS)]
                tracer.wait_spans(2 * CALLS)
                return tracer.stop(), server.pid, client.pid, served, made
        finally:
            client.kill()
            client.wait()


def calls_of(span: Span, items: list[Span]) -> list[tuple[str, str]]:
    mine = [item for item in items if item["parent_span_id"] == span["span_id"]] or [span]
    return [
        (one["attributes"]["rpc.method"], one["attributes"].get("jsonrpc.request.id", ""))
        for one in mine
        if "rpc.method" in one["attributes"]
    ]


def codes_of(span: Span, items: list[Span]) -> list[int]:
    mine = [item for item in items if item["parent_span_id"] == span["span_id"]] or [span]
    return [int(one["attributes"].get("rpc.response.status_code", 0)) for one in mine]


def logged(entry: dict[str, Any]) -> list[tuple[str, str]]:
    return list(zip(entry["methods"], entry["ids"], strict=True))


def answered(entry: dict[str, Any]) -> list[int]:
    """What the client was told: nothing of notifications."""
    return [code if identifier else 0 for code, identifier in zip(entry["codes"], entry["ids"], strict=True)]


@pytest.mark.parametrize(("go", "over"), SOME)
def test_every_post_is_seen_at_both_ends(go: str, over: str) -> None:
    ended, server, client, served, made = converse(go, over)
    assert ended.code == 0
    http = [span for span in ended.spans if {"http.request.method", "url.full"} & set(span["attributes"])]
    whole = sorted(http, key=lambda span: str(span["timestamp"]))
    items = [span for span in ended.spans if span not in whole]

    inside = [span for span in whole if span["resource"]["process.pid"] == server]
    assert len(inside) == len(served) == CALLS
    long = 0
    for number, (span, entry) in enumerate(zip(inside, served, strict=True)):
        assert span["kind"] == "server"
        assert span["attributes"]["network.protocol.version"] == ("2" if over == "http2" else "1.1")
        assert calls_of(span, items) == logged(entry)
        assert span["attributes"].get("goinst.jsonrpc.batch.size", 0) == (len(entry["ids"]) if entry["batch"] else 0)
        long += entry["answer"] > 4096
        if codes_of(span, items) != answered(entry):
            # before the probe on writes was there
            assert number < CALLS // 3
            assert entry["answer"] > 2048
            assert ended.summary["losses"]["jsonrpc.response_streamed"] > 0
    assert long > 10
    assert not {"jsonrpc.body_gone", "jsonrpc.body_unclear"} & set(ended.summary["losses"])

    outside = [span for span in whole if span["resource"]["process.pid"] == client]
    assert len(outside) == len(made) == CALLS
    told = 0
    for span, entry in zip(outside, made, strict=True):
        assert span["kind"] == "client"
        if entry["how"] == "pipe":
            assert calls_of(span, items) == []
            assert span["name"] == "POST"
            continue
        assert calls_of(span, items) == logged(entry), entry
        found = codes_of(span, items)
        if found == answered(entry):
            told += any(found)
        else:
            # what was not there with the header
            assert not any(found) or entry["answer"] > 2048
            late = ended.summary["losses"].get("jsonrpc.answer_late", 0)
            assert late > 0 or entry["answer"] > 2048
    if over == "http1":
        assert told > 10


@pytest.mark.parametrize(
    ("go", "flags"),
    [
        pytest.param("1.17.13", "", id="1.17 v0.17", marks=pytest.mark.matrix),
        pytest.param("1.26.8", "-modfile=latest.mod", id="1.26 v0.62"),
        pytest.param("1.27.3", "-modfile=latest.mod", id="1.27 v0.62", marks=pytest.mark.matrix),
    ],
)
def test_x_net_on_its_own(go: str, flags: str) -> None:
    count = 20
    binary = build(PROGRAMS / "xnet", go=go, extra_env={"GOFLAGS": flags})
    with (
        serving(binary) as running,
        tracing("--pid", str(running.pid), "--plugins", "nethttp,jsonrpc") as tracer,
    ):
        running.request("GET", f"/calls?n={count}")
        tracer.wait_spans(2 * count + 1)
        ended = tracer.stop()
    for kind in ("server", "client"):
        spans = [span for span in ended.spans if span["kind"] == kind and span["name"].startswith("call.")]
        assert sorted(span["name"] for span in spans) == sorted(f"call.{number}" for number in range(count))
        for span in spans:
            number = int(span["attributes"]["jsonrpc.request.id"])
            assert span["name"] == f"call.{number}"
            if kind == "server":
                assert span["status"] == ("error" if number % 2 else "unset")
                assert span["attributes"].get("rpc.response.status_code") == ("-32000" if number % 2 else None)
    # what an HTTP/2 client gets is on its way when the header is there
    assert ended.summary["losses"] == {"jsonrpc.answer_late": count}
