"""What header blocks say of the requests of other plugins: how long one waited for its handler."""

from __future__ import annotations

from typing import Any

from goinst import Span

__all__ = ["Arrivals"]

_REMEMBERED = 8192
_KEY = ("goinst.http2.connection", "goinst.http2.stream_id")


class Arrivals:
    """Remembers when the header block of a stream was read, until the span of its request comes: the last thousands."""

    def __init__(self) -> None:
        self._read: dict[tuple[Any, ...], int] = {}

    def see(self, spans: list[Span]) -> None:
        """Take a batch in order. A server's span whose stream was read gets how long that was before its handler: the
        time in which HTTP/2 made it wait for its turn."""
        for span in spans:
            attributes = span.attributes
            if _KEY[0] not in attributes:
                continue
            key = (span.resource.attributes.get("process.pid"), attributes.get(_KEY[0]), attributes.get(_KEY[1]))
            if span.plugin == "http2":
                if span.name == "HEADERS in" and key not in self._read:  # the next one is of trailers
                    if len(self._read) >= _REMEMBERED:
                        del self._read[next(iter(self._read))]
                    self._read[key] = span.start_ns
            elif span.kind == "server":
                read = self._read.get(key) if span.partial else self._read.pop(key, None)
                if read is not None:
                    attributes["goinst.http2.queue.duration_ns"] = max(span.start_ns - read, 0)
