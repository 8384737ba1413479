"""The demo's traffic: a slow round of requests that shows each kind of span once."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from typing import Any

__all__ = ["drive"]


def _call(method: str, params: dict[str, int] | None = None, identifier: int | None = None) -> dict[str, Any]:
    call: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    if identifier is not None:
        call["id"] = identifier
    return call


_ROUND: tuple[Any, ...] = (
    None,  # GET /healthz
    _call("Arith.Multiply", {"A": 6, "B": 7}, 1),
    _call("Arith.Divide", {"A": 1, "B": 0}, 2),  # answered with a JSON-RPC error in a 200 response
    _call("Log.Write"),  # a notification
    [_call("Arith.Multiply", {"A": 2, "B": 3}, 3), _call("Arith.Divide", {"A": 8, "B": 2}, 4)],  # a batch
)


def drive(host: str, port: int, seconds: float, pause: float = 0.15) -> int:
    """Send requests one after the other for ``seconds``; return how many were answered."""
    end = time.monotonic() + seconds
    sent = 0
    connection = HTTPConnection(host, port, timeout=10)
    try:
        while time.monotonic() < end:
            body = _ROUND[sent % len(_ROUND)]
            if body is None:
                connection.request("GET", "/healthz?token=a-secret")
            else:
                connection.request("POST", "/rpc", json.dumps(body), {"Content-Type": "application/json"})
            connection.getresponse().read()
            sent += 1
            time.sleep(pause)
    finally:
        connection.close()
    return sent
