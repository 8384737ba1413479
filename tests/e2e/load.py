"""Load on a server of the loopback interface: wrk where it is installed, else pipelined requests from here."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess

__all__ = ["load"]

_BURST = 100
_TURNS = 60


def load(port: int, requests: int) -> None:
    """At least ``requests`` requests for /ping: what the server counts is what was sent."""
    if shutil.which("wrk") is None:
        _pipelined(port, requests)
        return
    command = ["wrk", "-t1", "-c8", "-d1s", f"http://127.0.0.1:{port}/ping"]
    sent = 0
    for _ in range(_TURNS):
        shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        found = re.search(r"(\d+) requests in", shown)
        assert found, shown
        sent += int(found[1])
        if sent >= requests:
            return
    raise AssertionError(f"wrk sent {sent} of {requests} requests in {_TURNS} s")


def _pipelined(port: int, requests: int) -> None:
    request = b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for sent in range(0, requests, _BURST):
            count = min(_BURST, requests - sent)
            connection.sendall(request * count)
            answered = b""
            while answered.count(b"pong\n") < count:
                part = connection.recv(1 << 16)
                assert part, "the server closed the connection"
                answered += part
