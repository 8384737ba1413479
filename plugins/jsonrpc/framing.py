"""From what was read and written, piece by piece, to JSON-RPC messages: lines, LSP's headers, WebSocket frames.

Of a piece only the beginning may be there; the gap behind it has a known length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecoder

from goinst.plugins.jsonrpc.message import parse

__all__ = ["Frames", "Lines", "Message", "Piece"]

_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,12})[ \t]*\r?\n", re.IGNORECASE)
_DECODER = JSONDecoder()
_TAIL = 64
_HEADERS = 1024  # bytes that headers may take


@dataclass(frozen=True, slots=True)
class Piece:
    """One read or write, or a part of one: ``data``; ``gap`` bytes that follow it and were not captured; ``last``, the
    last byte of all; ``complete`` when nothing more of this read or write comes; ``final`` when the message ends;
    ``tail``, where there is a gap, the last bytes of it."""

    data: bytes
    time: int
    gap: int = 0
    last: int = 0
    complete: bool = True
    final: bool = False
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """A message, when its first and its last byte came (CLOCK_MONOTONIC, ns), and whether bytes of it are missing:
    then ``tail`` is how it ends, as far as that is known."""

    text: bytes
    began: int
    ended: int
    cut: bool
    tail: bytes = b""


class _Framing:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text = bytearray()
        self._began = 0
        self._cut = False
        self._tail = b""

    def _keep(self, data: bytes, time: int) -> None:
        if not self._text and not self._cut:
            self._began = time
        room = max(self._limit - len(self._text), 0)
        self._text += data[:room]
        if len(data) > room:
            self._cut = True
            self._tail = (self._tail + data)[-_TAIL:]

    def _take(self, time: int) -> Iterator[Message]:
        text, cut, tail = bytes(self._text).strip(), self._cut, self._tail
        self._text.clear()
        self._cut, self._tail = False, b""
        if text:
            yield Message(text, self._began, time, cut, tail if cut else b"")

    def _whole(self) -> bool:
        """Whether what is there is a JSON value that does not go on."""
        text = bytes(self._text).strip()
        if self._cut or text[-1:] not in (b"}", b"]"):
            return False
        value, cut = parse(text)
        return value is not None and not cut


class Frames(_Framing):
    """Messages that have an end: WebSocket frames, and what a library has in one place."""

    def feed(self, piece: Piece) -> Iterator[Message]:
        """The messages that are complete with this piece."""
        self._keep(piece.data, piece.time)
        if piece.gap > 0:
            self._cut, self._tail = True, piece.tail
        if piece.complete and (piece.final or self._whole()):
            yield from self._take(piece.time)


class Lines(_Framing):
    """A byte stream: a message a line, messages behind Content-Length headers (LSP), or JSON values as they come."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._left = 0  # bytes of a message with a length that are still to come
        self._lost = False  # in a gap: where the next message starts is not known

    def feed(self, piece: Piece) -> Iterator[Message]:
        """The messages that are complete with this piece."""
        data, gap = piece.data, piece.gap
        if self._lost:
            start = re.search(rb'(?:^|\n)(?=\{"|Content-)', data)
            if start is None:
                return
            data, self._lost = data[start.end() :], False
        while data:
            if self._left:
                self._keep(data[: self._left], piece.time)
                taken = min(self._left, len(data))
                data, self._left = data[taken:], self._left - taken
                if not self._left:
                    yield from self._take(piece.time)
                continue
            if not self._text:
                data = data.lstrip(b"\r\n")
            if (bytes(self._text) + data[:8])[:8].lower() == b"content-" and not self._cut:
                data = self._headers(data, piece.time)
                continue
            line, end, data = data.partition(b"\n")
            self._keep(line, piece.time)
            if end:
                yield from self._take(piece.time)
        if gap and self._left:
            skipped = min(gap, self._left)
            gap, self._left, self._cut = gap - skipped, self._left - skipped, True
            if not self._left:
                self._tail = piece.tail if not gap else b""
                yield from self._take(piece.time)
            self._lost = gap > 0
        elif gap:
            self._cut = True
            if piece.last == 0x0A:
                self._tail = piece.tail
                yield from self._take(piece.time)
            else:
                yield from self._take(piece.time)
                self._lost = True
        elif self._text and not self._left and piece.complete and self._whole():
            yield from self._values(piece.time)

    def _values(self, time: int) -> Iterator[Message]:
        """The values that are there, which may follow each other without anything in between."""
        text = self._text.decode("utf-8", "surrogateescape").lstrip()
        at, began = 0, self._began
        while at < len(text):
            try:
                _, end = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                break
            yield Message(text[at:end].encode("utf-8", "surrogateescape"), began, time, False)
            began = time
            at = len(text) - len(text[end:].lstrip())
        if not at:  # not what json takes for a value, although it is one
            yield from self._take(time)
            return
        self._text[:] = text[at:].encode("utf-8", "surrogateescape")
        self._began = began

    def _headers(self, data: bytes, time: int) -> bytes:
        """Read the headers, as far as they are there; the data behind them."""
        self._keep(data, time)
        head, found, rest = bytes(self._text).partition(b"\r\n\r\n")
        if not found:
            if len(self._text) > _HEADERS:
                self._text.clear()
                self._lost = True
            return b""
        self._text.clear()
        self._cut = False
        length = _LENGTH.search(head + b"\r\n")
        self._left = int(length[1]) if length else 0
        # the limit may have cut what was kept: take the data from where it came
        return data[len(data) - len(rest) :] if rest else b""
