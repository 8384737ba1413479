"""net/http: a span for each HTTP/1 request that a server handles."""

from __future__ import annotations

from goinst.plugins.nethttp.decode import decode_request

from goinst import Column, Field, Fragment, Option, Probe, Protocol, Record, Site, Type

__all__ = ["PROTOCOL"]

_RESPONSE = "net/http.response"
_REQUEST = "net/http.Request"
_CONN = "net/http.conn"

PROTOCOL = Protocol(
    name="nethttp",
    summary="HTTP/1 requests served by net/http",
    hits="2 emulated hits a request, 1 a connection",
    fragments=(Fragment("nethttp.bpf.c", package="goinst.plugins.nethttp"),),
    fields={
        "RESPONSE_CONN": Field(_RESPONSE, "conn"),
        "RESPONSE_STATUS": Field(_RESPONSE, "status"),
        "RESPONSE_WRITTEN": Field(_RESPONSE, "written"),
        "REQUEST_METHOD": Field(_REQUEST, "Method"),
        "REQUEST_URI": Field(_REQUEST, "RequestURI"),
        "REQUEST_CONTENT_LENGTH": Field(_REQUEST, "ContentLength"),
        "REQUEST_PATTERN": Field(_REQUEST, "Pattern", optional=True),  # Go 1.23
        "CONN_RWC": Field(_CONN, "rwc"),
        "CONN_REMOTE_ADDR": Field(_CONN, "remoteAddr"),
        "CONN_TLS_STATE": Field(_CONN, "tlsState"),
        "CONN_BUFR": Field(_CONN, "bufr"),
        "READER_BUF": Field("bufio.Reader", "buf"),
        "READER_R": Field("bufio.Reader", "r"),
        "NETFD_LADDR": Field("net.netFD", "laddr", optional=True),
        "TCPADDR_PORT": Field("net.TCPAddr", "Port", optional=True),
        "TLS_CONN_CONN": Field("crypto/tls.Conn", "conn", optional=True),
    },
    types={
        "T_RESPONSE": Type("*net/http.response"),
        "T_TCP_CONN": Type("*net.TCPConn"),
        "T_TLS_CONN": Type("*crypto/tls.Conn"),
    },
    probes=(
        Probe(
            "nethttp_serve",
            (
                Site(
                    "net/http.serverHandler.ServeHTTP",
                    "sh struct{srv *net/http.Server}, rw interface{}, req *net/http.Request",
                ),
            ),
        ),
        Probe(
            "nethttp_finish",
            (Site("net/http.(*response).finishRequest", "w *net/http.response"),),
            closes=True,
        ),
        Probe(
            "nethttp_hijack",
            (Site("net/http.(*response).Hijack", "w *net/http.response"),),
            optional=True,
            lost="hijacked connections are reported like handlers that panicked",
        ),
        Probe(
            "nethttp_leave",
            (Site("net/http.(*conn).serve.func1"), Site("net/http.(*conn).close", "c *net/http.conn")),
            optional=True,
            closes=True,
            lost="no span for requests whose handler panicked or hijacked the connection",
        ),
    ),
    records=(
        Record(
            "nethttp_request",
            role="operation",
            kind="server",
            decode=decode_request,
            columns=(
                Column("conn", "u64"),
                Column("response", "u64"),
                Column("request", "u64"),
                Column("content_length", "i64"),
                Column("written", "i64"),
                Column("used", "u64"),
                Column("method_length", "u32"),
                Column("uri_length", "u32"),
                Column("pattern_length", "u32"),
                Column("block_length", "u32"),
                Column("status", "u16"),
                Column("local_port", "u16"),
                Column("secure", "u8"),
                Column("flags", "u8"),
                Column("peer_length", "u8"),
                Column("peer", "bytes", 57),
                Column("pattern", "bytes", 128),
                Column("block", "bytes", "header_bytes"),
            ),
        ),
    ),
    options=(
        Option(
            "header_bytes",
            512,
            "how much of a request's header block is captured, in bytes",
            minimum=128,
            maximum=4096,
        ),
    ),
    losses={
        "not_http1": "a request that is not HTTP/1 (HTTP/2 or a foreign server): not traced",
        "header_unreadable": "the header block was not in memory: method, path and headers are missing",
        "began_unseen": "a request ended whose beginning was not seen (it began before goinst, or was evicted)",
    },
)
