"""net/rpc: a span for each call that a server answers or a client makes, with the gob and the JSON codec."""

from __future__ import annotations

from goinst.plugins.netrpc.decode import decode_client, decode_server
from goinst.plugins.netrpc.records import Call, Codec, Flag

from goinst import Field, Fragment, Probe, Protocol, Record, Series, Site, Tail, Type

__all__ = ["PROTOCOL"]

_REQUEST, _RESPONSE = "net/rpc.Request", "net/rpc.Response"
_SERIES = Series((("method", "method_copied"), "codec", "flags"))


def _client(program: str, symbol: str, signature: str) -> Probe:
    lost = "no span for the calls that clients make"
    return Probe(program, (Site(symbol, signature),), optional=True, closes="receive" in program, lost=lost)


def _codec(program: str, method: str, signature: str) -> Probe:
    """For servers that are not net/rpc's own and use its JSON codec (delve)."""
    site = Site(f"net/rpc/jsonrpc.(*serverCodec).{method}", f"c *net/rpc/jsonrpc.serverCodec, {signature}")
    return Probe(
        program, (site,), optional=True, closes="response" in program, without="net/rpc.(*service).call",
        lost="no span for the calls that servers answer",
    )  # fmt: skip


PROTOCOL = Protocol(
    name="netrpc",
    summary="net/rpc calls, gob and JSON, server and client",
    hits="2 a call on a server; on a client 2 (JSON) or 3 (gob); all emulated",
    fragments=(Fragment("netrpc.bpf.c", package="goinst.plugins.netrpc"),),
    fields={
        "REQUEST_METHOD": Field(_REQUEST, "ServiceMethod"),
        "REQUEST_SEQ": Field(_REQUEST, "Seq"),
        "RESPONSE_SEQ": Field(_RESPONSE, "Seq"),
        "RESPONSE_ERROR": Field(_RESPONSE, "Error"),
        "JSON_SERVER_SEQ": Field("net/rpc/jsonrpc.serverCodec", "seq", optional=True),
        "JSON_SERVER_METHOD": Field("net/rpc/jsonrpc.serverCodec", "req.Method", optional=True),
        "JSON_SERVER_PENDING": Field("net/rpc/jsonrpc.serverCodec", "pending", optional=True),
        "JSON_CLIENT_RESPONSE_ID": Field("net/rpc/jsonrpc.clientCodec", "resp.Id", optional=True),
        "JSON_CLIENT_RESPONSE_ERROR": Field("net/rpc/jsonrpc.clientCodec", "resp.Error", optional=True),
        "HMAP_B": Field("runtime.hmap", "B", optional=True),
        "HMAP_BUCKETS": Field("runtime.hmap", "buckets", optional=True),
        "HMAP_OLDBUCKETS": Field("runtime.hmap", "oldbuckets", optional=True),
        "SWISS_DIRECTORY": Field("internal/runtime/maps.Map", "dirPtr", optional=True),  # Go 1.24
        "TABLE_GROUPS": Field("internal/runtime/maps.table", "groups", optional=True),
    },
    types={
        "T_GOB_SERVER": Type("*net/rpc.gobServerCodec"),
        "T_JSON_SERVER": Type("*net/rpc/jsonrpc.serverCodec"),
        "T_STRING": Type("string"),
    },
    probes=(
        Probe(
            "netrpc_call",
            (
                Site(
                    "net/rpc.(*service).call",
                    "s *net/rpc.service, server *net/rpc.Server, sending *sync.Mutex, wg *sync.WaitGroup,"
                    " mtype *net/rpc.methodType, req *net/rpc.Request, argv reflect.Value, replyv reflect.Value,"
                    " codec interface{}",
                ),
            ),
            optional=True,
            lost="no span for the calls that servers answer",
        ),
        Probe(
            "netrpc_respond",
            (
                Site(
                    "net/rpc.(*Server).sendResponse",
                    "server *net/rpc.Server, sending *sync.Mutex, req *net/rpc.Request, reply interface{},"
                    " codec interface{}, errmsg string",
                ),
            ),
            optional=True,
            closes=True,
            lost="no span for the calls that servers answer",
        ),
        _codec("netrpc_json_request", "ReadRequestBody", "x interface{}"),
        _codec("netrpc_json_response", "WriteResponse", "r *net/rpc.Response, x interface{}"),
        _client(
            "netrpc_gob_send",
            "net/rpc.(*gobClientCodec).WriteRequest",
            "c *net/rpc.gobClientCodec, r *net/rpc.Request, body interface{}",
        ),
        _client(
            "netrpc_gob_header",
            "net/rpc.(*gobClientCodec).ReadResponseHeader",
            "c *net/rpc.gobClientCodec, r *net/rpc.Response",
        ),
        _client(
            "netrpc_gob_receive",
            "net/rpc.(*gobClientCodec).ReadResponseBody",
            "c *net/rpc.gobClientCodec, body interface{}",
        ),
        _client(
            "netrpc_json_send",
            "net/rpc/jsonrpc.(*clientCodec).WriteRequest",
            "c *net/rpc/jsonrpc.clientCodec, r *net/rpc.Request, param interface{}",
        ),
        _client(
            "netrpc_json_receive",
            "net/rpc/jsonrpc.(*clientCodec).ReadResponseBody",
            "c *net/rpc/jsonrpc.clientCodec, x interface{}",
        ),
    ),
    tails=(Tail("netrpc_find_id"), Tail("netrpc_find_codec_id")),
    enums=(Codec, Flag),
    records=(
        Record("netrpc_server", Call, decode_server, role="operation", kind="server", series=_SERIES),
        Record("netrpc_client", Call, decode_client, role="operation", kind="client", series=_SERIES),
    ),
    losses={
        "id_unknown": "a call's id is missing: some 200 calls of one connection at a time, or their map was growing",
        "began_unseen": "a response to a call whose beginning was not seen (it began before goinst)",
    },
)
