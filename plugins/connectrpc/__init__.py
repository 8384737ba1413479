"""connect-go: the HTTP request's span named as the RPC that it is, of the Connect, gRPC and gRPC-Web protocols."""

from __future__ import annotations

from goinst.plugins.connectrpc.decode import decode_rpc
from goinst.plugins.connectrpc.records import Code, Rpc, Wire

from goinst import Field, Fragment, Package, Probe, Protocol, Record, Series, Site, Type

__all__ = ["PROTOCOL"]

_PACKAGE = "connectrpc.com/connect"
_UNARY = f"{_PACKAGE}.connectUnaryHandlerConn"
_STREAM = f"{_PACKAGE}.connectStreamingHandlerConn"
_GRPC = f"{_PACKAGE}.grpcHandlerConn"
_ERROR = f"{_PACKAGE}.Error"


def _close(program: str, connection: str) -> Probe:
    """What connect-go calls with the handler's error, which has its code by then (protocol.go, 1.9 to 1.21)."""
    _, _, name = connection.rpartition(".")
    return Probe(program, (Site(f"{_PACKAGE}.(*{name}).Close", f"hc *{connection}, err error"),))


PROTOCOL = Protocol(
    name="connectrpc",
    summary="RPCs that connect-go serves: Connect, gRPC and gRPC-Web over net/http",
    builds_on=("nethttp",),
    # github.com/bufbuild/connect-go until 1.10
    packages=(
        Package(
            _PACKAGE,
            tuple(f"{_PACKAGE}.(*{kind.rpartition('.')[2]}).Close" for kind in (_UNARY, _STREAM, _GRPC)),
            ((_UNARY, "spec.Procedure", "string"), (_GRPC, "web", "bool"), (_ERROR, "code", f"{_PACKAGE}.Code")),
        ),
    ),
    hits="1 emulated hit an RPC, beside net/http's",
    fragments=(Fragment("connectrpc.bpf.c", package="goinst.plugins.connectrpc"),),
    fields={
        "UNARY_PROCEDURE": Field(_UNARY, "spec.Procedure"),
        "UNARY_KIND": Field(_UNARY, "spec.StreamType"),
        "STREAM_PROCEDURE": Field(_STREAM, "spec.Procedure"),
        "STREAM_KIND": Field(_STREAM, "spec.StreamType"),
        "GRPC_PROCEDURE": Field(_GRPC, "spec.Procedure"),
        "GRPC_KIND": Field(_GRPC, "spec.StreamType"),
        "GRPC_WEB": Field(_GRPC, "web"),
        "ERROR_CODE": Field(_ERROR, "code"),
        "ERROR_ERR": Field(_ERROR, "err"),
    },
    types={
        "T_ERROR": Type(f"*{_ERROR}"),
        "T_TEXT": Type("*errors.errorString"),
        "T_WRAP": Type("*fmt.wrapError"),
        "T_WRAPS": Type("*fmt.wrapErrors"),
    },
    probes=(
        _close("connectrpc_unary", _UNARY),
        _close("connectrpc_stream", _STREAM),
        _close("connectrpc_grpc", _GRPC),
    ),
    enums=(Wire, Code),
    records=(
        Record(
            "connectrpc_rpc",
            Rpc,
            decode=decode_rpc,
            series=Series(("procedure", "protocol", "code")),
        ),
    ),
    losses={
        "no_operation": "an RPC had no HTTP request to belong to: it began before goinst",
        "error_unclear": "an RPC failed with an error of an unknown kind: its code is missing",
    },
)
