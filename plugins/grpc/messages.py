"""Probes of the option ``messages``: what goes over each stream, by number and size, and of which kind it is."""

from __future__ import annotations

from typing import Literal

from goinst import Probe, Site

__all__ = ["MESSAGE_PROBES", "process"]

_GRPC = "google.golang.org/grpc"
_TRANSPORT = f"{_GRPC}/internal/transport"
_LOST = "messages of an RPC, its kind on the server, or its first response"
# Go 1.16 keeps the goroutine where it cannot be read at a RET
_SINCE = ((1, 17), (1, 99))


def _probe(program: str, *sites: Site, place: Literal["entry", "return"] = "entry") -> Probe:
    return Probe(program, sites, place=place, optional=True, option="messages", lost=_LOST)


def _write(transport: str) -> tuple[Site, ...]:
    # grpc 1.69 made it private
    arguments = f"t *{_TRANSPORT}.{transport}, s *{_TRANSPORT}.Stream, hdr []byte"
    return tuple(Site(f"{_TRANSPORT}.(*{transport}).{name}", arguments) for name in ("write", "Write"))


def process(name: str) -> Site:
    """What serves an RPC that there is a method for."""
    # behind the context or the transport, between grpc 1.59 and 1.68 both: stream, service, description
    words = ", ".join(f"w{number} uintptr" for number in range(5))
    return Site(f"{_GRPC}.(*Server).{name}", f"s *{_GRPC}.Server, first interface{{}}, {words}")


# the stream is a pointer, and since grpc 1.69 an interface: the one or the other of its words
_RECEIVE = Site(f"{_GRPC}.recvAndDecompress", f"p *{_GRPC}.parser, first uintptr, second uintptr", versions=_SINCE)
# called by it; its own results changed too often
_PARSE = Site(f"{_GRPC}.(*parser).recvMsg", f"p *{_GRPC}.parser -> pf uint8, msg []byte, err error", versions=_SINCE)
_ANSWER = Site(
    f"{_GRPC}.(*csAttempt).recvMsg",
    f"a *{_GRPC}.csAttempt -> err error",
    versions=_SINCE,
)

MESSAGE_PROBES = (
    # since grpc 1.85 for unary RPCs, too
    _probe("grpc_streaming", process("processRPC"), process("processStreamingRPC")),
    _probe("grpc_unary", process("processUnaryRPC")),
    _probe("grpc_write", *_write("http2Server")),
    _probe("grpc_handler_write", *_write("serverHandlerTransport")),
    _probe("grpc_receive", _RECEIVE),
    _probe("grpc_receive_done", _PARSE, place="return"),
    _probe("grpc_send", Site(f"{_GRPC}.(*csAttempt).sendMsg", f"a *{_GRPC}.csAttempt, m interface{{}}, hdr []byte")),
    _probe("grpc_answer", _ANSWER),
    _probe("grpc_answer_done", _ANSWER, place="return"),
)
