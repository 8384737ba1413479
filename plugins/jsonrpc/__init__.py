"""JSON-RPC 1.0 and 2.0 over HTTP: method, id, batch, notification and error on the HTTP request's span."""

from __future__ import annotations

from typing import Literal

from goinst.plugins.jsonrpc.decode import decode_piece, decode_request, decode_response
from goinst.plugins.jsonrpc.events import decode_event, finish
from goinst.plugins.jsonrpc.options import MESSAGE_OPTIONS
from goinst.plugins.jsonrpc.probes import FIELDS, PROBES, TYPES
from goinst.plugins.jsonrpc.records import (
    BodyPiece,
    EventPiece,
    Mark,
    RequestBody,
    RequestSource,
    ResponseBody,
    ResponseSource,
)

from goinst import Fragment, Option, Probe, Protocol, Record, Site, Tail, Type
from goinst.toolkit.http import BODY_ANNOUNCED, HANDLER_RETURNED, SERVE_HTTP, http_fields

__all__ = ["PROTOCOL"]


def _read(program: str, place: Literal["entry", "return"]) -> Probe:
    site = Site("net/http.(*body).Read", "b *net/http.body, p []byte -> n int, err error")
    return Probe(
        program, (site,), place=place, optional=True, lost="bodies that come late",
        attach_on="body_late", until="bodies_whole", mentions=("jsonrpc",),
    )  # fmt: skip


PROTOCOL = Protocol(
    name="jsonrpc",
    summary="JSON-RPC 1.0 and 2.0 over HTTP",
    builds_on=("nethttp",),
    hits="none of its own; 2 a read of a body in HTTP/2, of late ones and the first ones (1 of them single-stepped)",
    fragments=tuple(
        Fragment(f"{name}.bpf.c", package="goinst.plugins.jsonrpc") for name in ("jsonrpc", "http2", "client")
    ),
    fields={
        **http_fields(
            "RESPONSE_CONN",
            "RESPONSE_REQ",
            "RESPONSE_W",
            "RESPONSE_STATUS",
            "RESPONSE_WRITTEN",
            "REQUEST_METHOD",
            "REQUEST_CONTENT_LENGTH",
            "REQUEST_URL",
            "URL_RAW_QUERY",
            "CONN_CURRENT",
            "CONN_BUFR",
            "CONN_BUFW",
            "READER_CONN",
            "READER_BUF",
            "READER_R",
            "READER_W",
            "WRITER_BUF",
        ),
        **FIELDS,
    },
    types={"T_RESPONSE": Type("*net/http.response"), **TYPES},
    probes=(
        Probe(
            "jsonrpc_serve",
            (SERVE_HTTP,),
        ),
        Probe(
            "jsonrpc_bodied",
            BODY_ANNOUNCED,
            place="call",
            optional=True,
            instead_of="jsonrpc_serve",
            lost="JSON-RPC over HTTP/1",
        ),
        Probe(
            "jsonrpc_finish",
            HANDLER_RETURNED,
        ),
        _read("jsonrpc_read", "entry"),
        _read("jsonrpc_read_done", "return"),
        Probe(
            "jsonrpc_write",
            (
                Site(
                    "net/http.(*response).write",
                    "w *net/http.response, lenData int, dataB []byte, dataS string -> n int, err error",
                ),
            ),
            optional=True,
            attach_on="writes_wanted",
            lost="long responses, and those on event streams",
        ),
        *PROBES,
    ),
    tails=(
        Tail("jsonrpc_body"),
        Tail("jsonrpc_bodied_take"),
        Tail("jsonrpc_late_body"),
        Tail("jsonrpc_reply"),
        Tail("jsonrpc_accepted"),
        Tail("jsonrpc_first_read"),
        Tail("jsonrpc_write_event"),
    ),
    enums=(RequestSource, ResponseSource, Mark),
    records=(
        # first: decoded before what they are pieces of
        Record(
            "jsonrpc_piece",
            BodyPiece,
            decode=decode_piece,
        ),
        Record(
            "jsonrpc_request",
            RequestBody,
            decode=decode_request,
        ),
        Record(
            "jsonrpc_response",
            ResponseBody,
            decode=decode_response,
        ),
        Record(
            "jsonrpc_event",
            EventPiece,
            role="span",
            decode=decode_event,
            finish=finish,
        ),
    ),
    options=(
        Option(
            "body_bytes",
            1024,
            "how much of a request's and a response's body is captured, in bytes",
            minimum=64,
            maximum=65536,
            define="BODY_LIMIT",
        ),
        Option(
            "watched_posts",
            1000,
            "reads of bodies are probed until so many POSTs had theirs with the header and none came late",
            minimum=0,
            maximum=1 << 40,
            define="WATCHED_POSTS",
        ),
        *MESSAGE_OPTIONS,
    ),
    signals=("body_late", "bodies_whole", "writes_wanted"),
    notes={"body_late": "a body or its end came after the handler had started"},
    losses={
        "question_unseen": "an answer to what a server asked on an event stream before writes were probed",
        "no_operation": "a request body had no HTTP request to belong to",
        "body_gone": "a late body came before its reads were probed, and was not in memory when the handler ended",
        "body_unclear": "a body that speaks of jsonrpc was cut before its method (body_bytes), or is not proper JSON",
        "response_streamed": "a response was long, or is on another stream (from then on caught where it is written)",
        "answer_ambiguous": "an answer on an event stream that calls of several clients with the same id may have",
        "unanswered": "a call whose answer did not come before 4096 others were waiting",
        "answer_late": "a posted call's answer was not in the connection's buffer yet when its header was: not seen",
        "response_gone": "the head of a long response was no longer in memory: its error, if any, is missing",
    },
)
