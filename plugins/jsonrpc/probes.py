"""Where JSON-RPC in the bodies of HTTP/2 requests is caught, and what net/http's client posts."""

from __future__ import annotations

from typing import Literal

from goinst.plugins.jsonrpc.options import MENTIONS

from goinst import Field, Probe, Site, Type
from goinst.toolkit.http import RETURNS_TELL, ROUND_TRIP, XNET_ROUND_TRIPS, http_fields

__all__ = ["FIELDS", "PROBES", "TYPES"]

_STD, _STD127, _XNET = "net/http.http2", "net/http/internal/http2.", "golang.org/x/net/http2."
_SDK = "github.com/modelcontextprotocol/go-sdk/internal/jsonrpc2.EncodeMessage"
_BODIES = "JSON-RPC in HTTP/2 bodies"
_POSTED = "JSON-RPC that the program's HTTP client posts"


def _field(kind: str, path: str, *prefixes: str) -> Field:
    names = [f"{prefix}{kind}" for prefix in prefixes]
    return Field(names[0], path, optional=True, alternatives=tuple((name, path) for name in names[1:]))


def _method(prefix: str, kind: str, name: str, signature: str) -> Site:
    package, _, lead = prefix.rpartition(".")
    return Site(f"{package}.(*{lead}{kind}).{name}", signature, versions=RETURNS_TELL)


def _read(program: str, place: Literal["entry", "return"], *prefixes: str) -> Probe:
    signature = "b *byte, p []byte -> n int, err error"
    sites = tuple(_method(prefix, "requestBody", "Read", signature) for prefix in prefixes)
    return Probe(program, sites, place=place, optional=True, lost=_BODIES, mentions=(MENTIONS,))


def _write(program: str, *prefixes: str) -> Probe:
    signature = "w *byte, lenData int, dataB []byte, dataS string"
    sites = tuple(_method(prefix, "responseWriter", "write", signature) for prefix in prefixes)
    return Probe(program, sites, optional=True, attach_on="writes_wanted", lost="long responses over HTTP/2")


def _run(program: str, prefix: str, request: str) -> Probe:
    site = _method(prefix, "serverConn", "runHandler", f"sc *byte, rw *byte, req *{request}, handler func()")
    return Probe(program, (site,), optional=True, lost=_BODIES)


def _done(program: str, *prefixes: str) -> Probe:
    sites = tuple(_method(prefix, "serverConn", "runHandler.func1", "") for prefix in prefixes)
    return Probe(program, sites, optional=True, lost=_BODIES)


def _call(program: str, sites: tuple[Site, ...], place: Literal["entry", "return"]) -> Probe:
    # go-sdk's own client is seen by its library
    return Probe(program, sites, place=place, optional=True, lost=_POSTED, without=_SDK)


PROBES = (
    Probe(
        "jsonrpc_h2_run",
        (_method(_STD, "serverConn", "runHandler", "sc *byte, rw *byte, req *net/http.Request, handler func()"),),
        optional=True,
        instead_of="jsonrpc_serve",
        lost=_BODIES,
    ),
    _run("jsonrpc_stream_run", _STD127, "net/http/internal/http2.ServerRequest"),
    _run("jsonrpc_xnet_run", _XNET, "net/http.Request"),
    _read("jsonrpc_stream_read", "entry", _STD, _STD127),
    _read("jsonrpc_stream_read_done", "return", _STD, _STD127),
    _read("jsonrpc_xnet_read", "entry", _XNET),
    _read("jsonrpc_xnet_read_done", "return", _XNET),
    _write("jsonrpc_stream_write", _STD, _STD127),
    _write("jsonrpc_xnet_write", _XNET),
    _done("jsonrpc_stream_done", _STD, _STD127),
    _done("jsonrpc_xnet_done", _XNET),
    _call("jsonrpc_call", (ROUND_TRIP,), "entry"),
    _call("jsonrpc_call_done", (ROUND_TRIP,), "return"),
    _call("jsonrpc_xnet_call", XNET_ROUND_TRIPS, "entry"),
    _call("jsonrpc_xnet_call_done", XNET_ROUND_TRIPS, "return"),
)

FIELDS = {
    **{
        f"{name}_{macro}": _field(kind, path, *prefixes)
        for name, prefixes in (("H2", (_STD, _STD127)), ("XNET", (_XNET,)))
        for macro, kind, path in (
            ("STATE", "responseWriter", "rws"),
            ("WRITER", "responseWriterState", "bw"),
            ("STATUS", "responseWriterState", "status"),
            ("WRITTEN", "responseWriterState", "wroteBytes"),
        )
    },
    "SERVER_REQUEST_METHOD": Field(f"{_STD127}ServerRequest", "Method", optional=True),
    **http_fields("REQUEST_BODY"),
    "REQUEST_GET_BODY": Field("net/http.Request", "GetBody", optional=True),
    "BYTES_READER_S": Field("bytes.Reader", "s", optional=True),
    "BYTES_READER_I": Field("bytes.Reader", "i", optional=True),
    "BYTES_BUFFER_BUF": Field("bytes.Buffer", "buf", optional=True),
    "BYTES_BUFFER_OFF": Field("bytes.Buffer", "off", optional=True),
    "STRINGS_READER_S": Field("strings.Reader", "s", optional=True),
    "STRINGS_READER_I": Field("strings.Reader", "i", optional=True),
    "ANSWER_BODY": Field("net/http.Response", "Body", optional=True),
    "EOF_BODY": Field("net/http.bodyEOFSignal", "body", optional=True),
    "BODY_SRC": Field("net/http.body", "src", optional=True),
    "BODY_R": Field("net/http.body", "r", optional=True),
    "LIMITED_R": Field("io.LimitedReader", "R", optional=True),
    "LIMITED_N": Field("io.LimitedReader", "N", optional=True),
    **{
        f"CHUNKED_{macro}": Field("net/http/internal.chunkedReader", path, optional=True)
        for macro, path in (("N", "n"), ("BUF", "buf"), ("END", "checkEnd"))
    },
}

TYPES = {
    "T_H2_WRITER": Type("*net/http.http2responseWriter"),  # until Go 1.26
    "T_NO_BODY": Type("net/http.noBody"),
    "T_NOP_CLOSER": Type("io.nopCloser"),
    "T_NOP_CLOSER_WRITER_TO": Type("io.nopCloserWriterTo"),
    "T_BYTES_READER": Type("*bytes.Reader"),
    "T_BYTES_BUFFER": Type("*bytes.Buffer"),
    "T_STRINGS_READER": Type("*strings.Reader"),
    "T_EOF_SIGNAL": Type("*net/http.bodyEOFSignal"),
    "T_HTTP_BODY": Type("*net/http.body"),
    "T_LIMITED_READER": Type("*io.LimitedReader"),
    # what jsonstream sees in the library
    "T_SDK_REQUEST": Type("*github.com/modelcontextprotocol/go-sdk/internal/jsonrpc2.Request"),
}
