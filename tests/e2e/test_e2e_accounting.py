"""No silent loss: spans received and losses reported are together what the server says that it served."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
from harness import Ended, Server, Tracer, needs_root, serving, tracing
from load import load

from gobuild import PROGRAMS, build

pytestmark = [pytest.mark.bpf, needs_root]


def served(server: Server) -> int:
    """What the server counted. Asked for while nobody traces: the question is a request, too."""
    return int(server.request("GET", "/count")[1])


def under_load(requests: int, *arguments: str, meanwhile: Any = None) -> tuple[int, Ended]:
    """Trace a ping server under load: (requests that it served meanwhile, how the run ended)."""
    with serving(build(PROGRAMS / "ping")) as server:
        with tracing("--pid", str(server.pid), "--plugins", "nethttp", *arguments) as tracer:
            helper = threading.Thread(target=meanwhile, args=(tracer,)) if meanwhile else None
            if helper:
                helper.start()
            load(server.port, requests)
            if helper:
                helper.join()
            time.sleep(0.2)  # connections that wrk left: their last handlers
            ended = tracer.stop()
        return served(server), ended


def accounted(ended: Ended) -> int:
    return int(ended.summary["spans"] + sum(ended.summary["losses"].values()))


def test_200_000_requests_counted() -> None:
    count, ended = under_load(200_000, "--output", "none")
    assert count >= 200_000
    assert accounted(ended) == count
    assert ended.summary["spans"] > count * 0.9


def test_200_000_requests_as_msgpack(tmp_path: Path) -> None:
    path = tmp_path / "spans.msgpack"
    count, ended = under_load(200_000, "--output", f"msgpack:{path}")
    with path.open("rb") as file:
        spans = list(msgpack.Unpacker(file))
    assert accounted(ended) == count
    assert len(spans) == ended.summary["spans"]
    assert {span["name"] for span in spans} == {"GET /ping"}
    assert len({span["span_id"] for span in spans}) == len(spans)


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    """goinst is stopped for a second: the ring buffer overflows, and every span that did not fit is a loss."""

    def stop_and_go(tracer: Tracer) -> None:
        time.sleep(0.2)
        tracer.process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        tracer.process.send_signal(signal.SIGCONT)

    output = f"msgpack:{tmp_path / 'spans'}"  # only counting would not need the ring buffer
    count, ended = under_load(60_000, "--output", output, "--ring-megabytes", "1", meanwhile=stop_and_go)
    assert sum(ended.summary["losses"].values()) > 0
    assert accounted(ended) == count
