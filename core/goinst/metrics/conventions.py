"""What is measured of a span, by OpenTelemetry's semantic conventions (HTTP 1.27; RPC 1.38: seconds, call.duration)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from goinst.spans.span import Span

__all__ = ["BYTES", "BY_NAME", "SECONDS", "Instrument", "Measurement", "measure"]

# The conventions' buckets begin at 5 ms; what is measured inside a server is often shorter.
SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5,
    10.0,
)  # fmt: skip
BYTES = tuple(float(4**power) for power in range(3, 14))  # 64 B to 64 MiB


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """A histogram: its name, unit (UCUM: s, By), what it says, upper bounds of its buckets, and the span attributes
    that become its own. It is of durations, or of the attribute ``size``. ``named``: the span's name is one of its
    attributes."""

    name: str
    unit: str
    help: str
    bounds: tuple[float, ...]
    attributes: tuple[str, ...]
    size: str = ""
    named: bool = False

    def read(self, attributes: Mapping[str, Any]) -> tuple[Any, ...]:
        """Its attributes, of a span's."""
        return tuple(map(attributes.get, self.attributes))


# the attributes of a span that a measurement takes, in this order, and its value
Measurement = tuple[Instrument, tuple[Any, ...], float]

_HTTP = ("http.request.method", "http.response.status_code", "url.scheme", "network.protocol.version", "error.type")
_PEER = ("server.address", "server.port")
_RPC = ("rpc.system.name", "rpc.service", "rpc.method", "rpc.response.status_code", "error.type")


def _http(side: str, *more: str) -> tuple[Instrument, Instrument, Instrument]:
    names, base = (*_HTTP, *more), f"http.{side}"
    sizes = "http.request.body.size", "http.response.body.size"
    said = "requests that were served" if side == "server" else "requests that were sent"
    return (
        Instrument(f"{base}.request.duration", "s", f"Duration of {said}.", SECONDS, names),
        Instrument(f"{base}.request.body.size", "By", f"Size of the bodies of {said}.", BYTES, names, sizes[0]),
        Instrument(
            f"{base}.response.body.size", "By", f"Size of the responses' bodies to {said}.", BYTES, names, sizes[1]
        ),
    )


_HTTP_BY_KIND = {"server": _http("server", "http.route"), "client": _http("client", *_PEER)}
_RPC_BY_KIND = {
    "server": Instrument("rpc.server.call.duration", "s", "Duration of calls that were served.", SECONDS, _RPC),
    "client": Instrument(
        "rpc.client.call.duration", "s", "Duration of calls that were made.", SECONDS, (*_RPC, *_PEER)
    ),
}
_OTHER = Instrument(
    "goinst.operation.duration", "s", "Duration of other operations, by plugin, kind and name.", SECONDS,
    ("goinst.plugin", "goinst.span.kind", "goinst.span.name", "error.type"), named=True,
)  # fmt: skip
BY_NAME: Mapping[str, Instrument] = {
    one.name: one for one in (*_HTTP_BY_KIND["server"], *_HTTP_BY_KIND["client"], *_RPC_BY_KIND.values(), _OTHER)
}
# what older conventions call the attribute
_ALSO = {"rpc.response.status_code": "rpc.grpc.status_code"}


def measure(span: Span) -> Iterator[Measurement]:
    """What is measured of a span: an HTTP request, an RPC, both (one that came as the other), or something else."""
    attributes = span.attributes
    seconds = span.duration_ns / 1e9
    known = False
    if "http.request.method" in attributes and (http := _HTTP_BY_KIND.get(span.kind)):
        known = True
        duration, request, response = http
        values = duration.read(attributes)
        yield duration, values, seconds
        if (size := attributes.get(request.size)) is not None:
            yield request, values, size
        if (size := attributes.get(response.size)) is not None:
            yield response, values, size
    if "rpc.method" in attributes and (rpc := _RPC_BY_KIND.get(span.kind)):
        known = True
        yield rpc, tuple([_either(attributes, name) for name in rpc.attributes]), seconds
    if not known:
        yield _OTHER, (span.plugin, span.kind, span.name, attributes.get("error.type")), seconds


def _either(attributes: Mapping[str, Any], name: str) -> Any:
    value = attributes.get(name)
    return attributes.get(_ALSO[name]) if value is None and name in _ALSO else value
