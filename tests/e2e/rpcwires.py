"""Clients that send messages as they are told to, over everything that carries JSON-RPC."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import subprocess
from http.client import HTTPConnection
from typing import IO, Any

__all__ = ["Http1", "Http2", "Pipe", "ServerSentEvents", "WebSocket", "connected"]

_PATIENCE = 10.0
_JSON = {"Content-Type": "application/json"}


class Http1:
    """POSTs on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)

    def exchange(self, text: bytes, *, answered: bool) -> bytes:
        self._connection.request("POST", "/", text, _JSON)
        answer = self._connection.getresponse().read()
        assert bool(answer) == answered
        return answer


class Http2:
    """POSTs by curl."""

    def __init__(self, port: int) -> None:
        self._command = ["curl", "--http2", "-ksS", "-w", "%{http_version}", "--data-binary", "@-"]
        self._command += ["-H", "Content-Type: application/json", f"https://127.0.0.1:{port}/"]

    def exchange(self, text: bytes, *, answered: bool) -> bytes:
        done = subprocess.run(self._command, input=text, capture_output=True, timeout=_PATIENCE, check=True)
        assert done.stdout.endswith(b"2")
        assert (len(done.stdout) > 1) == answered
        return done.stdout[:-1]


class ServerSentEvents:
    """Answers come as events on the stream of a GET, whose first event says where to POST."""

    def __init__(self, port: int) -> None:
        self._port = port
        connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        connection.request("GET", "/")
        self._stream = connection.getresponse()
        self._endpoint = self._event().decode()

    def _event(self) -> bytes:
        while not (line := self._stream.readline()).startswith(b"data: "):
            assert line
        return line[6:].strip()

    def exchange(self, text: bytes, *, answered: bool) -> bytes:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        connection.request("POST", self._endpoint, text, _JSON)
        assert connection.getresponse().status == 202
        connection.close()
        return self._event() if answered else b""


class Pipe:
    """A stream with a framing: lines, headers (as in LSP; typed: also what it is) or values one after the other."""

    def __init__(self, to: IO[bytes], back: IO[bytes], framing: str) -> None:
        self._to, self._back, self._framing = to, back, framing

    def exchange(self, text: bytes, *, answered: bool) -> bytes:
        head = b"Content-Length: %d\r\n\r\n" % len(text) if self._framing in ("headers", "typed") else b""
        head = b"Content-Type: application/vscode-jsonrpc\r\n" * (self._framing == "typed") + head
        self._to.write(head + text + b"\n" * (self._framing == "lines"))
        self._to.flush()
        if not answered:
            return b""
        if self._framing == "lines":
            return self._back.readline()
        if self._framing in ("headers", "typed"):
            length = 0
            while line := self._back.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return self._back.read(length)
        answer = b""
        while True:
            answer += self._back.read(1)
            try:
                json.loads(answer)
            except ValueError:
                continue
            return answer


def connected(family: socket.AddressFamily, address: Any, framing: str) -> Pipe:
    """A stream over a socket."""
    connection = socket.socket(family)
    connection.settimeout(_PATIENCE)
    connection.connect(address)
    return Pipe(connection.makefile("wb"), connection.makefile("rb"), framing)


class WebSocket:
    """Text frames, masked as a client's are (RFC 6455), each a message."""

    def __init__(self, port: int) -> None:
        connection = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self._to, self._back = connection.makefile("wb"), connection.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._to.write(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._to.flush()
        assert b" 101 " in self._back.readline()
        while self._back.readline().strip():
            pass

    def exchange(self, text: bytes, *, answered: bool) -> bytes:
        mask = os.urandom(4)
        length = bytes([128 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
        self._to.write(b"\x81" + length + mask + masked)
        self._to.flush()
        if not answered:
            return b""
        kind, size = self._back.read(2)
        assert kind == 0x81
        return self._back.read(struct.unpack(">H", self._back.read(2))[0] if size == 126 else size)
