"""HTTP/2 header blocks, in and out, of net/http, golang.org/x/net/http2 and grpc-go: one record for each."""

from __future__ import annotations

from goinst.plugins.http2.decode import decode_headers
from goinst.plugins.http2.enrich import Arrivals
from goinst.plugins.http2.records import Flag, Headers, Limit, Pseudo

from goinst import Field, Fragment, Probe, Protocol, Record, Site, Span, Type, hookimpl

__all__ = ["PROTOCOL"]

_STD, _STD127, _XNET = "net/http.http2", "net/http/internal/http2.", "golang.org/x/net/http2."
_GRPC = "google.golang.org/grpc/internal/transport."


def _field(kind: str, path: str, *, optional: bool = False) -> Field:
    """A field of a type that each implementation has; they have it at the same place, and one binary may have two."""
    others = tuple((f"{package}{kind}", path) for package in (_STD127, _XNET))
    return Field(f"{_STD}{kind}", path, optional=optional, alternatives=others)


def _method(kind: str, name: str, signature: str, *packages: str) -> tuple[Site, ...]:
    found = []
    for package in packages:
        path, _, prefix = package.rpartition(".")
        found.append(Site(f"{path}.(*{prefix}{kind}).{name}", signature))
    return tuple(found)


def _probe(program: str, sites: tuple[Site, ...], lost: str) -> Probe:
    return Probe(program, sites, optional=True, lost=f"HTTP/2 headers {lost}")


_REQUEST = "net/http.Request"
_REQUEST_FIELDS = ("Method", "URL", "Host", "Header", "Body", "Trailer")
_OUT_CLIENT = "cs *byte, req *byte"
_IN_SERVER = "sc *byte, f *byte"
_IN_CLIENT = "rl *byte, f *byte"
_OUT_SERVER = "sc *byte, st *byte, data *byte"

PROTOCOL = Protocol(
    name="http2",
    summary="HTTP/2 header blocks of net/http, golang.org/x/net/http2 and grpc-go",
    hits="1 emulated hit a header block",
    on_request=True,  # a record for each header block is more than most want
    fragments=(Fragment("http2.bpf.c", package="goinst.plugins.http2"),),
    fields={
        "META_FIELDS": _field("MetaHeadersFrame", "Fields"),
        "FRAME_FLAGS": _field("FrameHeader", "Flags"),
        "FRAME_STREAM": _field("FrameHeader", "StreamID"),
        "RESPONSE_STREAM": _field("writeResHeaders", "streamID", optional=True),
        "RESPONSE_CODE": _field("writeResHeaders", "httpResCode", optional=True),
        "RESPONSE_HEADER": _field("writeResHeaders", "h", optional=True),
        "RESPONSE_END": _field("writeResHeaders", "endStream", optional=True),
        "STREAM_ID": _field("clientStream", "ID", optional=True),
        "STREAM_CONN": _field("clientStream", "cc", optional=True),
        **{f"REQUEST_{name.upper()}": Field(_REQUEST, name, optional=True) for name in _REQUEST_FIELDS},
        **{f"CLIENT_{name.upper()}": Field(f"{_STD127}ClientRequest", name, optional=True) for name in _REQUEST_FIELDS},
        "URL_SCHEME": Field("net/url.URL", "Scheme", optional=True),
        "URL_HOST": Field("net/url.URL", "Host", optional=True),
        "URL_PATH": Field("net/url.URL", "Path", optional=True),
        "URL_QUERY": Field("net/url.URL", "RawQuery", optional=True),
    },
    probes=(
        _probe(
            "http2_in_server",
            _method("serverConn", "processHeaders", _IN_SERVER, _STD, _STD127),
            "that net/http's server reads",
        ),
        _probe(
            "http2_in_xnet_server",
            _method("serverConn", "processHeaders", _IN_SERVER, _XNET),
            "that x/net's server reads",
        ),
        _probe(
            "http2_in_client",
            _method("clientConnReadLoop", "processHeaders", _IN_CLIENT, _STD, _STD127),
            "that net/http's client reads",
        ),
        _probe(
            "http2_in_xnet_client",
            _method("clientConnReadLoop", "processHeaders", _IN_CLIENT, _XNET),
            "that x/net's client reads",
        ),
        _probe(
            "http2_in_grpc_server",
            (Site(f"{_GRPC[:-1]}.(*http2Server).operateHeaders", "t *byte, a uintptr, b uintptr, c uintptr"),),
            "that a gRPC server reads",
        ),
        _probe(
            "http2_in_grpc_client",
            (Site(f"{_GRPC[:-1]}.(*http2Client).operateHeaders", "t *byte, f *byte"),),
            "that a gRPC client reads",
        ),
        _probe(
            "http2_out_grpc",
            (
                Site(
                    f"{_GRPC[:-1]}.(*loopyWriter).writeHeader",
                    "l *byte, stream uint32, end bool, hf []byte",
                ),
            ),
            "that gRPC writes",
        ),
        _probe(
            "http2_out_client",
            _method("clientStream", "encodeAndWriteHeaders", _OUT_CLIENT, _STD),
            "that net/http's client writes",
        ),
        _probe(
            "http2_out_new_client",  # Go 1.27: it has a type of request of its own
            _method("clientStream", "encodeAndWriteHeaders", _OUT_CLIENT, _STD127),
            "that net/http's client writes",
        ),
        _probe(
            "http2_out_xnet_client",
            _method("clientStream", "encodeAndWriteHeaders", _OUT_CLIENT, _XNET),
            "that x/net's client writes",
        ),
        _probe(
            "http2_out_server",
            _method("serverConn", "writeHeaders", _OUT_SERVER, _STD, _STD127),
            "that net/http's server writes",
        ),
        _probe(
            "http2_out_xnet_server",
            _method("serverConn", "writeHeaders", _OUT_SERVER, _XNET),
            "that x/net's server writes",
        ),
    ),
    types={"T_NO_BODY": Type("net/http.noBody")},
    enums=(Flag, Pseudo, Limit),
    records=(
        Record(
            "http2_headers",
            Headers,
            role="span",
            kind="internal",
            decode=decode_headers,
        ),
    ),
)

_ARRIVALS = Arrivals()


@hookimpl
def goinst_spans(spans: list[Span]) -> None:
    """Say on a request's span how long it waited."""
    _ARRIVALS.see(spans)
