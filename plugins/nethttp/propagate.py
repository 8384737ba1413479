"""Where net/http and golang.org/x/net/http2 write the header of a request: propagate.bpf.c adds a traceparent."""

from __future__ import annotations

from goinst import Probe, Site

__all__ = ["CONTEXT_PROBES"]

_LOST = "requests go out without a trace context"
_SINCE = ((1, 17), (1, 99))  # before, there are no client spans


def _header_frames(program: str, *places: tuple[str, str]) -> tuple[Probe, Probe]:
    """Before an HTTP/2 client writes a header block, and when that is in its buffer."""
    names = tuple((f"{package}.(*{conn}).writeHeaders", f"cc *{package}.{conn}") for package, conn in places)
    arguments = "streamID uint32, endStream bool, maxFrameSize int, hdrs []byte"
    before = tuple(Site(symbol, f"{receiver}, {arguments}", versions=_SINCE) for symbol, receiver in names)
    flush = tuple(
        Site(symbol, "b *bufio.Writer", versions=_SINCE, callee="bufio.(*Writer).Flush") for symbol, _ in names
    )
    return (
        Probe(f"{program}_begin", before, optional=True, lost=_LOST, propagates=True),
        Probe(f"{program}_done", flush, place="call", optional=True, lost=_LOST, propagates=True),
    )


CONTEXT_PROBES = (
    Probe(
        "nethttp_write_header",
        (
            Site(
                "net/http.Header.writeSubset",
                "h map[string][]string, w interface{}, exclude map[string]bool, trace *int",
                versions=_SINCE,
            ),
        ),
        optional=True,
        lost=_LOST,
        propagates=True,
    ),
    *_header_frames("nethttp_frame", ("net/http", "http2ClientConn"), ("net/http/internal/http2", "ClientConn")),
    *_header_frames("nethttp_xnet_frame", ("golang.org/x/net/http2", "ClientConn")),
)
