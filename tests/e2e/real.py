"""Published HTTP servers as processes, and what their access logs say, for comparison with spans."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness import PATIENCE, Span

__all__ = ["COMBINED", "Fact", "certificate", "curl_all", "fact_of", "free_port", "logged_json", "running"]


class Fact(NamedTuple):
    """What both an access log and a span say of a request."""

    method: str
    target: str
    status: int | None
    size: int | None
    agent: str


def fact_of(span: Span) -> Fact:
    attributes = span["attributes"]
    query = attributes.get("url.query")
    method = attributes.get("http.request.method_original", attributes["http.request.method"])
    return Fact(
        method,
        attributes["url.path"] + (f"?{query}" if query else ""),
        attributes.get("http.response.status_code"),
        None if method == "HEAD" else attributes.get("http.response.body.size"),
        attributes.get("user_agent.original", ""),
    )


def logged_json(path: Path, columns: Sequence[str]) -> list[tuple[dict[str, Any], Fact]]:
    """The requests of a log of JSON lines; ``columns`` names a Fact's members in it, dots lead inwards."""
    found = []
    for line in path.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if "status" not in entry:
            continue
        method, target, status, size, agent = (_inside(entry, column) for column in columns)
        agent = agent[0] if isinstance(agent, list) else agent or ""
        found.append((entry, Fact(method, target, status, None if method == "HEAD" else size, agent)))
    return found


def _inside(entry: Any, column: str) -> Any:
    for name in column.split("."):
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry


COMBINED = re.compile(r'\S+ - - \[[^]]*\] "(\S+) (\S+) HTTP/\S+" (\d+) (\d+) "[^"]*" "([^"]*)"')


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of its own."""
    key, own = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", key, "-out", own],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, own


@contextmanager
def running(command: Sequence[str | Path], port: int, log: Path) -> Iterator[int]:
    """The pid of a server that listens on a port; what it prints goes to ``log``."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def curl_all(base: str, requests: Sequence[tuple[str, str, str]], folder: Path, *options: str) -> None:
    """Send (method, target, body) by one curl, over as few connections as it can."""
    blocks = []
    for method, target, body in requests:
        lines = [f'url = "{base}{target}"', 'output = "/dev/null"', "silent", "insecure", "max-time = 10"]
        lines += ["path-as-is", "globoff", "head" if method == "HEAD" else f'request = "{method}"']
        if body:
            (folder / f"body{len(body)}").write_text(body)
            lines.append(f'data-binary = "@{folder}/body{len(body)}"')
        blocks.append("\n".join(lines))
    config = "\nnext\n".join(blocks)
    subprocess.run(["curl", *options, "-K", "-"], input=config, text=True, capture_output=True, check=False)
