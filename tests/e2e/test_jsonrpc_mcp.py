"""MCP from the official SDK, over streamable HTTP and over standard input and output, by its own client."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from harness import GOINST, Ended, Span, named, needs_root, serving, tracing

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]

ALL = ("--plugins", "nethttp,jsonrpc,jsonstream")
CALLS = [
    "tools/list",
    "tools/call multiply",
    "tools/call fail",
    "tools/call absent",
    "prompts/get greet",
    "resources/read",
]


def check(spans: list[Span]) -> None:
    """What the client did, by name and with its target."""
    ordered = sorted(spans, key=lambda span: str(span["timestamp"]))
    mcp = [span for span in ordered if "mcp.method.name" in span["attributes"] and span["kind"] == "server"]
    assert [span["name"] for span in mcp if span["name"] in CALLS] == CALLS

    def of(name: str) -> dict[str, Any]:
        attributes: dict[str, Any] = named(mcp, name)["attributes"]
        return attributes

    multiply = of("tools/call multiply")
    assert multiply["gen_ai.tool.name"] == "multiply"
    assert multiply["gen_ai.operation.name"] == "execute_tool"
    assert multiply["goinst.mcp.progress.token"] == "token-1"
    assert multiply["mcp.method.name"] == multiply["rpc.method"] == "tools/call"
    assert multiply["jsonrpc.request.id"].isdigit()
    assert "error.type" not in multiply
    assert of("tools/call fail")["error.type"] == "tool_error"
    assert named(mcp, "tools/call fail")["status"] == "error"
    assert of("tools/call absent")["error.type"] == of("tools/call absent")["rpc.response.status_code"] == "-32602"
    assert named(mcp, "tools/call absent")["status_message"] == 'unknown tool "absent"'
    assert of("prompts/get greet")["gen_ai.prompt.name"] == "greet"
    assert of("resources/read")["mcp.resource.uri"] == "note://one"


def test_the_sdk_over_http() -> None:
    binary = build(PROGRAMS / "mcpsdk")
    with serving(binary) as server, tracing("--pid", str(server.pid), *ALL) as tracer:
        subprocess.run(
            [binary, "-client", f"http://127.0.0.1:{server.port}/"], capture_output=True, timeout=30, check=True
        )
        tracer.wait_spans(10)
        ended = tracer.stop()
    check(ended.spans)
    for span in ended.spans:
        if span["name"] in CALLS:
            assert len(span["attributes"]["mcp.session.id"]) > 20
            assert span["attributes"]["mcp.protocol.version"] == "2025-11-25"
            assert span["attributes"]["network.transport"] == "tcp"
    assert ended.summary["losses"] == {}


def test_what_the_sdk_tells_is_seen_once() -> None:
    """On the stream of a GET and on the response's own: also when the probe on writes is there, which sees both."""
    binary = build(PROGRAMS / "mcpsdk")
    with serving(binary) as server, tracing("--pid", str(server.pid), *ALL) as tracer:
        arguments = [binary, "-client", f"http://127.0.0.1:{server.port}/", "-long"]
        subprocess.run(arguments, capture_output=True, timeout=30, check=True)
        tracer.wait_spans(13)
        time.sleep(0.5)
        subprocess.run(arguments, capture_output=True, timeout=30, check=True)
        tracer.wait_spans(26)
        time.sleep(0.5)
        ended = tracer.stop()
    told = [span for span in ended.spans if span["name"] == "notifications/progress"]
    assert {(span["plugin"], span["kind"]) for span in told} == {("jsonstream", "client")}
    tokens = sorted(span["attributes"]["goinst.mcp.progress.token"] for span in told)
    assert tokens == ["own", "own", "token-1", "token-1"]
    assert ended.summary["losses"]["jsonrpc.response_streamed"] > 0
    assert ended.summary["hits"]["net/http.(*response).write entry"] > 0
    long = [span for span in ended.spans if span["name"] == "tools/call long"]
    assert [span["status"] for span in long] == ["unset", "unset"]


def over_stdio(binary: Path, count: int, *more: str) -> Ended:
    """The client starts its server; the tracer comes to the server when they know each other already."""
    client = subprocess.Popen(
        [binary, "-command", binary, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        children = subprocess.run(
            ["pgrep", "-P", str(client.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        assert len(children) == 1
        with tracing("--pid", children[0], *ALL) as tracer:
            client.communicate("go\n", timeout=30)
            tracer.wait_spans(count)
            return tracer.stop()
    finally:
        client.kill()
        client.wait()


def test_the_sdk_over_stdio() -> None:
    ended = over_stdio(build(PROGRAMS / "mcpsdk"), len(CALLS) + 1)
    check(ended.spans)
    progress = named(ended.spans, "notifications/progress")
    assert progress["kind"] == "client"
    assert progress["attributes"]["goinst.mcp.progress.token"] == "token-1"
    assert progress["attributes"]["goinst.mcp.progress.progress"] == 1
    assert progress["attributes"]["goinst.mcp.progress.total"] == 2
    assert ended.summary["losses"] == {}


def test_stdio_from_the_first_message() -> None:
    """A server of bare lines that goinst starts itself: nothing of it is missed. Its output is on goinst's stderr."""
    binary = build(PROGRAMS / "rpcstreams")
    call = '{"jsonrpc":"2.0","id":"a","method":"add","params":[1,2]}\n'
    arguments = ("run", "--plugins", "jsonstream", "--output", "json", "--", str(binary), "-over", "lines")
    done = subprocess.run([GOINST, *arguments], input=call, capture_output=True, text=True, timeout=60, check=True)
    assert '"result":3' in done.stderr
    (span,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert [span["name"], span["attributes"]["jsonrpc.request.id"], span["status"]] == ["add", "a", "unset"]


# what mcp-go's client does with -everything, behind its handshake
MORE_CALLS = [
    "tools/list",
    "tools/call multiply",
    "tools/call fail",
    "tools/call long",
    "tools/call absent",
    "prompts/get greet",
    "resources/read",
]


def check_mcp_go(spans: list[Span]) -> None:
    """Every call by name, tools/call with its tool, in the order in which they were made."""
    ordered = sorted(spans, key=lambda span: str(span["timestamp"]))
    mcp = [span for span in ordered if "mcp.method.name" in span["attributes"]]
    assert [span["name"] for span in mcp if span["name"] in MORE_CALLS] == MORE_CALLS
    tools = [span["attributes"].get("gen_ai.tool.name") for span in mcp if span["name"].startswith("tools/call")]
    assert tools == ["multiply", "fail", "long", "absent"]
    identifiers = [int(span["attributes"]["jsonrpc.request.id"]) for span in mcp if span["name"] in MORE_CALLS]
    assert identifiers == list(range(identifiers[0], identifiers[0] + len(MORE_CALLS)))
    assert named(mcp, "prompts/get greet")["attributes"]["gen_ai.prompt.name"] == "greet"
    assert named(mcp, "resources/read")["attributes"]["mcp.resource.uri"] == "note://one"


def check_outcomes(spans: list[Span]) -> None:
    """What mcp-go answers: a tool that failed, one that is not there, and nothing wrong with the others."""
    of = {span["name"]: span for span in spans}
    assert [name for name in MORE_CALLS if of[name]["status"] == "error"] == ["tools/call fail", "tools/call absent"]
    assert of["tools/call fail"]["attributes"]["error.type"] == "tool_error"
    assert of["tools/call absent"]["attributes"]["rpc.response.status_code"] == "-32602"
    assert "absent" in of["tools/call absent"]["status_message"]


def test_mcp_go_over_stdio() -> None:
    ended = over_stdio(build(PROGRAMS / "mcp"), len(MORE_CALLS) + 1, "-everything")
    assert sorted(span["name"] for span in ended.spans) == sorted(["notifications/initialized", *MORE_CALLS])
    check_mcp_go(ended.spans)
    check_outcomes(ended.spans)
    # it waited for "initialize" when the tracer came
    assert ended.summary["losses"] == {"jsonstream.request_unseen": 1}


def test_mcp_go_over_sse() -> None:
    """The transport of 2024-11: a call is POSTed, its response comes on the stream of a GET."""
    binary = build(PROGRAMS / "mcp")
    with serving(binary) as server, tracing("--pid", str(server.pid), *ALL) as tracer:
        arguments = [binary, "-client", f"http://127.0.0.1:{server.port}/sse", "-sse", "-everything"]
        subprocess.run(arguments, capture_output=True, timeout=30, check=True)
        tracer.wait_probe("net/http.(*response).write")
        tracer.wait_spans(len(MORE_CALLS) + 2)
        before = len(tracer.spans)
        # from now on answers are seen: two clients at once, who use the same ids
        clients = [subprocess.Popen(arguments, stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [client.wait(30) for client in clients] == [0, 0]
        # below each POST its call; two notifications, and the streams themselves
        tracer.wait_spans(before + 2 * (2 * (len(MORE_CALLS) + 1) + 1))
        ended = tracer.stop()
    check_mcp_go(ended.spans[:before])
    spans = ended.spans[before:]
    assert not [span for span in spans if "goinst.jsonrpc.unanswered" in span["attributes"]]
    calls = [span for span in spans if span["name"] in MORE_CALLS]
    assert sorted(span["name"] for span in calls) == sorted(2 * MORE_CALLS)
    posts = {span["span_id"]: span for span in spans if span["name"].startswith("POST ")}
    assert all(posts[span["parent_span_id"]]["attributes"]["http.response.status_code"] == 202 for span in calls)
    for name in MORE_CALLS:
        check = [span for span in calls if span["name"] == name]
        assert [span["status"] == "error" for span in check] == 2 * [name in ("tools/call fail", "tools/call absent")]
    assert "jsonrpc.answer_ambiguous" not in ended.summary["losses"]
