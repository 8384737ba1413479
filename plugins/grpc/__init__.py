"""grpc-go: a span for each RPC that a server handles and for each that a client makes."""

from __future__ import annotations

from goinst.plugins.grpc.decode import decode_client, decode_metadata, decode_server
from goinst.plugins.grpc.messages import MESSAGE_PROBES, process
from goinst.plugins.grpc.packages import PACKAGES, UNSEEN
from goinst.plugins.grpc.records import Address, Called, ErrorKind, Flag, Kind, Metadata, Served

from goinst import Field, Fragment, Option, Probe, Protocol, Record, Series, Site, Tail, Type

__all__ = ["PROTOCOL"]

_GRPC = "google.golang.org/grpc"
_TRANSPORT = f"{_GRPC}/internal/transport"
_STATUS = f"{_GRPC}/internal/status"
_SERVER = f"{_TRANSPORT}.http2Server"
_HANDLER = f"{_TRANSPORT}.serverHandlerTransport"
_CLIENT = f"{_TRANSPORT}.http2Client"
_STREAM = f"{_TRANSPORT}.Stream"
_SERVER_STREAM = f"{_TRANSPORT}.ServerStream"
_CLIENT_STREAM = f"{_TRANSPORT}.ClientStream"
_CALL = f"{_GRPC}.clientStream"
_ATTEMPT = f"{_GRPC}.csAttempt"
_RETRY = Site(f"{_GRPC}.(*csAttempt).shouldRetry", f"a *{_ATTEMPT}, err error -> transparent bool, final error")
_DESC = f"{_GRPC}.StreamDesc"
_PROTO = "google.golang.org/genproto/googleapis/rpc/status.Status"
_MAP = "internal/runtime/maps.Map"
_WRITE_HEADER = Site(
    f"{_TRANSPORT}.(*loopyWriter).writeHeader",
    f"l *{_TRANSPORT}.loopyWriter, streamID uint32, endStream bool, hf []byte",
    versions=((1, 17), (1, 99)),
)
_CONTEXT_LOST = "calls go out without a trace context"
_UNSENT = "no spans of RPCs that found no connection"


def _write_status(transport: str) -> tuple[Site, ...]:
    # grpc 1.69 made it private, with ServerStream in place of Stream
    arguments = f"t *{_TRANSPORT}.{transport}, s *{_STREAM}, st *{_STATUS}.Status"
    return tuple(Site(f"{_TRANSPORT}.(*{transport}).{name}", arguments) for name in ("writeStatus", "WriteStatus"))


PROTOCOL = Protocol(
    name="grpc",
    summary="RPCs of grpc-go servers and clients",
    packages=PACKAGES,
    unseen=UNSEEN,
    hits="2 emulated hits an RPC on the server, 2 on the client, and 3 for each attempt that fails; messages: 1 each"
    " that is sent, 2 each that is received, 1 of them single-stepped",
    fragments=tuple(
        Fragment(f"{name}.bpf.c", package="goinst.plugins.grpc") for name in ("propagate", "grpc", "messages")
    ),
    fields={
        # the stream: of its own type up to grpc 1.68, then behind a pointer, then (1.77) inside
        "STREAM_ID": Field(_STREAM, "id"),
        "STREAM_METHOD": Field(_STREAM, "method"),
        "STREAM_CTX": Field(_STREAM, "ctx"),
        "STREAM_ENCODING": Field(_STREAM, "recvCompress"),
        "STREAM_ANSWER": Field(_STREAM, "sendCompress", optional=True),
        "SERVER_STREAM": Field(_SERVER_STREAM, "Stream", optional=True),
        "SERVER_STREAM_TRANSPORT": Field(_SERVER_STREAM, "st", optional=True),
        "SERVER_STREAM_INSIDE": Field(_SERVER_STREAM, "Stream.id", optional=True),
        "CLIENT_STREAM": Field(_CLIENT_STREAM, "Stream", optional=True),
        "CLIENT_STREAM_INSIDE": Field(_CLIENT_STREAM, "Stream.id", optional=True),
        # connections
        "SERVER_PEER": Field(_SERVER, "peer.Addr", optional=True, alternatives=((_SERVER, "remoteAddr"),)),
        "SERVER_LOCAL": Field(_SERVER, "peer.LocalAddr", optional=True, alternatives=((_SERVER, "localAddr"),)),
        "SERVER_AUTH": Field(_SERVER, "peer.AuthInfo", optional=True, alternatives=((_SERVER, "authInfo"),)),
        "HANDLER_REQUEST": Field(_HANDLER, "req", optional=True),
        "REQUEST_REMOTE": Field("net/http.Request", "RemoteAddr", optional=True),
        "CLIENT_PEER": Field(_CLIENT, "remoteAddr", optional=True),
        "CLIENT_LOCAL": Field(_CLIENT, "localAddr", optional=True),
        "CLIENT_AUTH": Field(_CLIENT, "authInfo", optional=True),
        "TCPADDR_IP": Field("net.TCPAddr", "IP", optional=True),
        "TCPADDR_PORT": Field("net.TCPAddr", "Port", optional=True),
        "UNIXADDR_NAME": Field("net.UnixAddr", "Name", optional=True),
        # status
        "STATUS_PROTO": Field(f"{_STATUS}.Status", "s"),
        "ERROR_STATUS": Field(f"{_STATUS}.Error", "s", optional=True),
        "PROTO_CODE": Field(_PROTO, "Code"),
        "PROTO_MESSAGE": Field(_PROTO, "Message"),
        # the client's call
        "CONN_AUTHORITY": Field(f"{_GRPC}.ClientConn", "authority", optional=True),
        "CALL_HEADER": Field(_CALL, "callHdr", optional=True),
        "CALL_DESC": Field(_CALL, "desc", optional=True),
        "CALL_CTX": Field(_CALL, "ctx", optional=True),
        "CALL_ATTEMPT": Field(_CALL, "attempt", optional=True),
        "CALL_BUFFER": Field(_CALL, "replayBuffer", optional=True, alternatives=((_CALL, "buffer"),)),
        "CALL_FIRST": Field(_CALL, "firstAttempt", optional=True),
        "CALL_FINISHED": Field(_CALL, "finished", optional=True),
        "CALL_RETRIES": Field(_CALL, "numRetries", optional=True),
        "LOOPY_FRAMER": Field(f"{_TRANSPORT}.loopyWriter", "framer", optional=True),
        "FRAMER_WRITER": Field(f"{_TRANSPORT}.framer", "writer", optional=True),
        "BUFFER_DATA": Field(f"{_TRANSPORT}.bufWriter", "buf", optional=True),
        "BUFFER_HANDLE": Field(f"{_TRANSPORT}.bufWriter", "bufHandle", optional=True),  # *[]byte, since 1.84
        "BUFFER_OFFSET": Field(f"{_TRANSPORT}.bufWriter", "offset", optional=True),
        "BUFFER_BATCH": Field(f"{_TRANSPORT}.bufWriter", "batchSize", optional=True),
        "HEADER_HOST": Field(f"{_TRANSPORT}.CallHdr", "Host", optional=True),
        "HEADER_METHOD": Field(f"{_TRANSPORT}.CallHdr", "Method", optional=True),
        "HEADER_ENCODING": Field(f"{_TRANSPORT}.CallHdr", "SendCompress", optional=True),
        "ATTEMPT_TRANSPORT": Field(_ATTEMPT, "transport", optional=True, alternatives=((_ATTEMPT, "t"),)),
        "ATTEMPT_CALL": Field(_ATTEMPT, "cs", optional=True),
        # a pointer up to grpc 1.8x
        "ATTEMPT_PARSER": Field(_ATTEMPT, "parser", optional=True, alternatives=((_ATTEMPT, "p"),)),
        "ATTEMPT_PARSER_INSIDE": Field(_ATTEMPT, "parser.header", optional=True),
        "PARSER_HEADER": Field(f"{_GRPC}.parser", "header", optional=True),
        "ATTEMPT_STREAM": Field(_ATTEMPT, "transportStream", optional=True, alternatives=((_ATTEMPT, "s"),)),
        "DESC_SERVER": Field(_DESC, "ServerStreams", optional=True),
        "DESC_CLIENT": Field(_DESC, "ClientStreams", optional=True),
        # contexts
        "VALUE_KEY": Field("context.valueCtx", "key"),
        "VALUE_VALUE": Field("context.valueCtx", "val"),
        "CANCEL_ERROR": Field("context.cancelCtx", "err", optional=True),  # the first thing in a timerCtx, too
        "TIMER_DEADLINE": Field("context.timerCtx", "deadline", optional=True),
        # metadata.MD is a map[string][]string: of Go 1.24, or of the time before
        "MAP_DIRECTORY": Field(_MAP, "dirPtr", optional=True),
        "MAP_LENGTH": Field(_MAP, "dirLen", optional=True),
        "TABLE_GROUPS": Field("internal/runtime/maps.table", "groups.data", optional=True),
        "TABLE_MASK": Field("internal/runtime/maps.table", "groups.lengthMask", optional=True),
        "GROUP_SLOTS": Field("map.group[string][]string", "slots", optional=True),
        "HMAP_B": Field("runtime.hmap", "B", optional=True),
        "HMAP_BUCKETS": Field("runtime.hmap", "buckets", optional=True),
    },
    types={
        "T_SERVER": Type(f"*{_SERVER}"),
        "T_HANDLER": Type(f"*{_HANDLER}"),
        "T_CLIENT": Type(f"*{_CLIENT}"),
        "T_TCP_ADDR": Type("*net.TCPAddr"),
        "T_UNIX_ADDR": Type("*net.UnixAddr"),
        "T_TLS_INFO": Type(f"{_GRPC}/credentials.TLSInfo"),
        "T_VALUE_CTX": Type("*context.valueCtx"),
        "T_CANCEL_CTX": Type("*context.cancelCtx"),
        "T_TIMER_CTX": Type("*context.timerCtx"),
        "T_INCOMING": Type(f"{_GRPC}/metadata.mdIncomingKey"),
        "T_STATUS_ERROR": Type(f"*{_STATUS}.Error"),
        "T_TEXT_ERROR": Type("*errors.errorString"),
        "T_DEADLINE_ERROR": Type("context.deadlineExceededError"),
    },
    probes=(
        Probe(
            "grpc_serve",
            (Site(f"{_GRPC}.(*Server).handleStream", f"s *{_GRPC}.Server, t interface{{}}, stream *{_STREAM}"),),
            optional=True,
            lost="no spans of RPCs that are served",
        ),
        Probe(
            "grpc_process",  # since grpc 1.85 for unary RPCs, too
            (process("processRPC"), process("processStreamingRPC")),
            optional=True,
            instead_of="grpc_serve",
            lost="no spans of RPCs that are served",
        ),
        Probe(
            "grpc_process_unary",
            (process("processUnaryRPC"),),
            optional=True,
            instead_of="grpc_serve",
            lost="no spans of RPCs that are served",
        ),
        Probe(
            "grpc_status",
            _write_status("http2Server"),
            optional=True,
            closes=True,
            lost="no spans of RPCs that are served",
        ),
        Probe(
            "grpc_handler_status",
            _write_status("serverHandlerTransport"),
            optional=True,
            closes=True,
            lost="no spans of RPCs that are served through net/http",
        ),
        Probe(
            "grpc_crash",
            (Site("runtime.fatalpanic", "msgs *runtime._panic"),),
            optional=True,
            closes=True,
            lost="no span of the RPC whose handler's panic ended the process",
        ),
        Probe(
            "grpc_exit",
            (Site("runtime.Goexit"),),
            optional=True,
            closes=True,
            lost="no span of RPCs whose handler left by runtime.Goexit",
        ),
        Probe(
            "grpc_attempt",
            (Site(f"{_GRPC}.(*clientStream).newAttemptLocked", f"cs *{_CALL}"),),
            optional=True,
            lost="no spans of RPCs that are made",
        ),
        Probe(
            "grpc_finish",
            (Site(f"{_GRPC}.(*clientStream).finish", f"cs *{_CALL}, err error"),),
            optional=True,
            closes=True,
            lost="no spans of RPCs that are made",
        ),
        Probe(
            "grpc_operation",
            (Site(f"{_GRPC}.(*clientStream).withRetry", f"cs *{_CALL}"),),
            optional=True,
            instead_of="grpc_attempt",
            lost="no spans of RPCs that are made",
        ),
        Probe(
            "grpc_finish_attempt",
            (
                Site(
                    f"{_GRPC}.(*clientStream).finish",
                    f"a *{_ATTEMPT}, err error",
                    callee=f"{_GRPC}.(*csAttempt).finish",
                ),
            ),
            place="call",
            optional=True,
            closes=True,
            instead_of="grpc_finish",
            lost="no spans of RPCs that are made",
        ),
        # calls that end while the server's name is resolved, before there is a clientStream
        Probe(
            "grpc_unresolved",
            (
                Site(
                    f"{_GRPC}.(*ClientConn).waitForResolvedAddrs",
                    f"err error -> st *{_STATUS}.Status",
                    callee=f"{_GRPC}/status.FromContextError",
                ),
            ),
            place="call",
            optional=True,
            closes=True,
            lost="no word of calls that ended while the server's name was resolved",
        ),
        Probe(
            "grpc_call",
            (
                Site(
                    f"{_GRPC}.newClientStream",
                    f"ctx interface{{}}, desc *{_DESC}, cc *{_GRPC}.ClientConn, method string",
                ),
            ),
            optional=True,
            attach_on="unresolved",
            lost="no spans of calls that ended while the server's name was resolved",
        ),
        # when an attempt fails; up to grpc 1.40, calls for which no stream could be made were finished, too
        Probe(
            "grpc_fields",
            (
                Site(
                    f"{_TRANSPORT}.(*http2Client).createHeaderFields",
                    f"t *{_CLIENT}, ctx interface{{}}, callHdr *{_TRANSPORT}.CallHdr -> fields []byte, err error",
                    versions=((1, 17), (1, 99)),
                ),
            ),
            place="return",
            optional=True,
            lost=_CONTEXT_LOST,
            propagates=True,
        ),
        Probe("grpc_frame_begin", (_WRITE_HEADER,), optional=True, lost=_CONTEXT_LOST, propagates=True),
        Probe("grpc_frame_done", (_WRITE_HEADER,), place="return", optional=True, lost=_CONTEXT_LOST, propagates=True),
        Probe("grpc_retry", (_RETRY,), optional=True, lost=_UNSENT),
        Probe("grpc_give_up", (_RETRY,), place="return", optional=True, closes=True, lost=_UNSENT),
        *MESSAGE_PROBES,
    ),
    tails=(Tail("grpc_seek"),),
    enums=(Flag, Address, ErrorKind, Kind),
    records=(
        Record(
            "grpc_server",
            Served,
            role="operation",
            kind="server",
            decode=decode_server,
            series=Series(("method", "code", "flags"), name=False),
        ),
        Record(
            "grpc_client",
            Called,
            role="operation",
            kind="client",
            decode=decode_client,
            series=Series(("method", "code", "error", "authority", ("tail", "message_copied")), name=False),
        ),
        Record(
            "grpc_metadata",
            Metadata,
            decode=decode_metadata,
            series=Series(()),
        ),
    ),
    options=(
        Option(
            "capture_metadata",
            "",
            "metadata of served RPCs to put on spans: keys with commas between them",
            define="GRPC_CAPTURE",
        ),
        Option(
            "messages",
            False,
            "count messages and their bytes, time the first response, tell a served stream's kind: more hits",
            define="GRPC_MESSAGES",
        ),
    ),
    signals=("unresolved",),
    losses={
        "unresolved": "a call whose context ended while its server's name was resolved (the next ones are traced)",
        "metadata_cut": "an RPC with more metadata than is looked through, about fourteen keys: the rest is missing",
        "message_unseen": "a message of an RPC that is not known, or on a goroutine that is not its handler's",
        "began_unseen": "an RPC ended whose beginning was not seen (it began before goinst)",
        "context_unsure": "a call with so many header fields that one may be a traceparent: none was written",
    },
    notes={"context_present": "calls that had a traceparent already"},
)
