"""The program tests/go/traffic as a server and as a client, and what spans must say given what it logged."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import Server, Span, serving

from gobuild import PROGRAMS, build

__all__ = ["RELEASES", "SOME", "drive", "program", "server", "server_facts", "span_facts"]

RELEASES = ("1.17.13", "1.21.13", "1.24.13", "1.26.8", "1.27.3")
SOME = ("1.17.13", "1.27.3")
"""What a default run takes; the others are marked ``matrix``."""

Facts = dict[str, tuple[object, ...]]


def program(go: str | None = None) -> Path:
    return build(PROGRAMS / "traffic", go=go)


@contextmanager
def server(*arguments: str, go: str | None = None) -> Iterator[Server]:
    with serving(program(go), *arguments) as running:
        yield running


def drive(
    url: str, *, streams: int, requests: int = 0, seconds: float = 0, seed: int = 1, pause: int = 0
) -> list[dict[str, Any]]:
    """Let the client send a mix of requests; what it logged."""
    command = [str(program()), "-drive", url, "-streams", str(streams), "-requests", str(requests)]
    command += ["-seconds", str(seconds), "-seed", str(seed), "-pause", str(pause)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120 + seconds, check=True).stdout
    entries = [json.loads(line) for line in shown.splitlines()]
    wrong = [entry for entry in entries if "error" in entry]
    assert not wrong, wrong[:3]
    return entries


def server_facts(lines: Sequence[str]) -> Facts:
    """By path, which holds the request's unique id: what the server's handlers did."""
    facts: Facts = {}
    for line in lines:
        entry = json.loads(line)
        size = entry["bytes"] if entry["method"] != "HEAD" else None
        assert entry["path"] not in facts, entry
        facts[entry["path"]] = (
            entry["method"], entry["proto"].removeprefix("HTTP/").removesuffix(".0"), entry["status"] or None,
            size, entry["request"] if entry["request"] >= 0 else None, _names(entry["query"]), entry.get("error"),
        )  # fmt: skip
    return facts


def span_facts(spans: Sequence[Span]) -> Facts:
    """The same from spans."""
    facts: Facts = {}
    for span in spans:
        attributes = span["attributes"]
        assert attributes["url.path"] not in facts, span
        facts[attributes["url.path"]] = (
            attributes["http.request.method"], attributes["network.protocol.version"],
            attributes.get("http.response.status_code"), attributes.get("http.response.body.size"),
            attributes.get("http.request.body.size"), _names(attributes.get("url.query", "")),
            "panic" if attributes.get("error.type") == "panic" else None,
        )  # fmt: skip
    return facts


def _names(query: str) -> list[str]:
    return [part.partition("=")[0] for part in query.split("&")]
