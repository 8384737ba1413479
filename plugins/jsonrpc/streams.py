"""JSON-RPC over standard input and output, WebSockets, and the connections of JSON-RPC libraries."""

from __future__ import annotations

from typing import Literal

from goinst.plugins.jsonrpc.options import MENTIONS, MESSAGE_OPTIONS
from goinst.plugins.jsonrpc.pairing import decode_piece, finish
from goinst.plugins.jsonrpc.records import Direction, StreamPiece, StreamSource

from goinst import PIPED_STDIN, Field, Fragment, Option, Probe, Protocol, Record, Site, Tail

__all__ = ["PROTOCOL"]

_GORILLA = "github.com/gorilla/websocket"
_CODERS = ("github.com/coder/websocket", "nhooyr.io/websocket")
_EXP = ("golang.org/x/exp/jsonrpc2", "golang.org/x/tools/internal/jsonrpc2_v2")
_SDK = ("github.com/modelcontextprotocol/go-sdk/internal/jsonrpc2",)
_SOURCE = ("github.com/sourcegraph/jsonrpc2",)
_REGISTERS = ((1, 17), (1, 99))  # before, a RET does not tell the goroutine
_FILE_WRITE = Site("os.(*File).Write", "f *os.File, b []byte -> n int, err error")
_FILE_READ = Site("os.(*File).Read", "f *os.File, b []byte -> n int, err error", _REGISTERS)
_GORILLA_READ = Site(f"{_GORILLA}.(*messageReader).Read", f"r *{_GORILLA}.messageReader, b []byte -> n int, err error")


def _file(program: str, site: Site, place: str = "entry") -> Probe:
    return _optional(program, (site,), place, "messages on standard input and output", attach_on=PIPED_STDIN)


_STDIN_PIPE = Site("os/exec.(*Cmd).StdinPipe")
# a program that starts others whose standard input it writes
_PARENT = (MENTIONS, r"os/exec\.\(\*Cmd\)\.StdinPipe\x00")
_CHILDREN = "messages to and from children on their standard input and output"


def _pipe(program: str, site: Site, place: Literal["entry", "return"] = "entry") -> Probe:
    return Probe(
        program, (site,), place=place, optional=True, lost=_CHILDREN,
        attach_on="child_started", until="pipes_idle", mentions=_PARENT,
    )  # fmt: skip


def _optional(program: str, sites: tuple[Site, ...], place: str, lost: str, attach_on: str = "") -> Probe:
    if place == "return":
        return Probe(program, sites, place="return", optional=True, lost=lost, attach_on=attach_on)
    return Probe(program, sites, optional=True, lost=lost, attach_on=attach_on)


def _coder(program: str, method: str, signature: str, place: str = "entry") -> Probe:
    sites = tuple(Site(f"{package}.{method}", signature.replace("PACKAGE", package)) for package in _CODERS)
    return _optional(program, sites, place, "messages on WebSockets")


def _library(name: str, packages: tuple[str, ...], connection: str, write: str, read: str) -> tuple[Probe, ...]:
    """The probes on a library with DecodeMessage and EncodeMessage, or what is the same in it."""
    source = name == "source"
    decode = "(*anyMessage).UnmarshalJSON" if source else "DecodeMessage"
    encodes = ("anyMessage.MarshalJSON", "(*anyMessage).MarshalJSON") if source else ("EncodeMessage",)

    def probe(suffix: str, methods: tuple[str, ...], signature: str, place: str = "entry") -> Probe:
        sites = tuple(Site(f"{package}.{method}", signature) for package in packages for method in methods)
        return _optional(f"jsonstream_{name}_{suffix}", sites, place, f"messages of {packages[0]}")

    receiver = "m *byte, " if source else ""
    return (
        probe("connection", (f"(*{connection}).{write}",), "c *byte"),
        probe("reading", (f"(*{connection}).{read}",), "c *byte"),
        probe("decode", (decode,), f"{receiver}data []byte"),
        probe("encode", encodes, "-> data []byte, err error", "return"),
    )


_HTTP = "net/http.(*conn).serve"
_MENTIONS = (MENTIONS, r"net\.\(\*netFD\)\.Read\x00")
_INIT = ("internal/poll.(*FD).Init", "net.(*netFD).init")  # the second where it is not inlined
_SOCKETS = "messages on raw sockets"


def _socket(program: str, site: Site, place: Literal["entry", "return"] = "entry") -> Probe:
    return Probe(
        program, (site,), place=place, optional=True, lost=_SOCKETS,
        attach_on="raw_listener", without=_HTTP, mentions=_MENTIONS,
    )  # fmt: skip


def _listener(program: str, *sites: Site, place: Literal["entry", "call"] = "entry") -> Probe:
    return Probe(program, sites, place=place, optional=True, lost=_SOCKETS, mentions=_MENTIONS)


PROTOCOL = Protocol(
    name="jsonstream",
    summary="JSON-RPC over stdio, WebSockets and the connections of JSON-RPC libraries",
    hits="for each message 1 when it is written, 2 when it is read (1 of them single-stepped); none elsewhere",
    fragments=(Fragment("streams.bpf.c", package="goinst.plugins.jsonrpc"),),
    fields={
        "FILE_FILE": Field("os.File", "file", optional=True),
        "NETFD_SYSFD": Field("net.netFD", "pfd.Sysfd", optional=True),
        "POLL_SYSFD": Field("internal/poll.FD", "Sysfd", optional=True),
        "FILE_POLL": Field("os.file", "pfd.pd.runtimeCtx", optional=True),
        "FILE_SYSFD": Field("os.file", "pfd.Sysfd", optional=True),
        "GORILLA_WRITER_C": Field(f"{_GORILLA}.messageWriter", "c", optional=True),
        "GORILLA_WRITER_POS": Field(f"{_GORILLA}.messageWriter", "pos", optional=True),
        "GORILLA_WRITER_TYPE": Field(f"{_GORILLA}.messageWriter", "frameType", optional=True),
        "GORILLA_WRITER_COMPRESS": Field(f"{_GORILLA}.messageWriter", "compress", optional=True),
        "GORILLA_WRITE_BUF": Field(f"{_GORILLA}.Conn", "writeBuf", optional=True),
        "GORILLA_READER_C": Field(f"{_GORILLA}.messageReader", "c", optional=True),
        "GORILLA_READ_FINAL": Field(f"{_GORILLA}.Conn", "readFinal", optional=True),
        "GORILLA_READ_REMAINING": Field(f"{_GORILLA}.Conn", "readRemaining", optional=True),
        **{
            macro: Field(
                f"{_CODERS[0]}.msgReader",
                path,
                optional=True,
                alternatives=tuple((f"{package}.msgReader", path) for package in _CODERS[1:]),
            )
            for macro, path in (
                ("CODER_READER_C", "c"),
                ("CODER_READER_FIN", "fin"),
                ("CODER_READER_LEFT", "payloadLength"),
            )
        },
    },
    probes=(
        _file("jsonstream_file_read", _FILE_READ),
        _file("jsonstream_file_read_done", _FILE_READ, "return"),
        _file("jsonstream_file_write", _FILE_WRITE),
        Probe("jsonstream_child", (_STDIN_PIPE,), optional=True, lost=_CHILDREN, mentions=_PARENT),
        _pipe("jsonstream_pipe_read", _FILE_READ),
        _pipe("jsonstream_pipe_read_done", _FILE_READ, "return"),
        _pipe("jsonstream_pipe_write", _FILE_WRITE),
        _listener("jsonstream_accept", Site("net.(*netFD).accept")),
        _listener("jsonstream_accepted", *(Site("net.(*netFD).accept", callee=init) for init in _INIT), place="call"),
        _listener("jsonstream_http_conn", Site("net/http.(*Server).trackConn")),
        _socket(
            "jsonstream_socket_init",
            Site("internal/poll.(*FD).Init", "fd *internal/poll.FD, net string, pollable bool"),
        ),
        _socket("jsonstream_socket_read", Site("syscall.read", "fd int, p []byte")),
        _socket(
            "jsonstream_socket_read_done",
            Site("net.(*netFD).Read", "fd *net.netFD, p []byte -> n int, err error", _REGISTERS),
            "return",
        ),
        _socket("jsonstream_socket_write", Site("net.(*netFD).Write", "fd *net.netFD, p []byte -> n int, err error")),
        _optional(
            "jsonstream_gorilla_write",
            (
                Site(
                    f"{_GORILLA}.(*messageWriter).flushFrame",
                    f"w *{_GORILLA}.messageWriter, final bool, extra []byte",
                ),
            ),
            "entry",
            "messages on WebSockets",
        ),
        _optional("jsonstream_gorilla_read", (_GORILLA_READ,), "entry", "messages on WebSockets"),
        _optional("jsonstream_gorilla_read_done", (_GORILLA_READ,), "return", "messages on WebSockets"),
        _coder(
            "jsonstream_coder_write",
            "(*Conn).writeFrame",
            "c *PACKAGE.Conn, ctx interface{}, fin bool, flate bool, opcode int, p []byte",
        ),
        _coder("jsonstream_coder_read", "(*msgReader).Read", "mr *PACKAGE.msgReader, p []byte -> n int, err error"),
        _coder(
            "jsonstream_coder_read_done",
            "(*msgReader).Read",
            "mr *PACKAGE.msgReader, p []byte -> n int, err error",
            "return",
        ),
        *_library("exp", _EXP, "Connection", "write", "readIncoming"),
        *_library("sdk", _SDK, "Connection", "write", "readIncoming"),
        *_library("source", _SOURCE, "Conn", "send", "readMessages"),
    ),
    tails=(Tail("jsonstream_look"), Tail("jsonstream_send")),
    enums=(StreamSource, Direction),
    records=(
        Record(
            "jsonstream_piece",
            StreamPiece,
            role="span",
            kind="server",
            decode=decode_piece,
            finish=finish,
        ),
    ),
    options=(
        Option(
            "message_bytes",
            4096,
            "how much of a message, or of one read or write of a stream, is captured, in bytes",
            minimum=1024,
            maximum=65536,
            define="STREAM_LIMIT",
        ),
        Option(
            "watched_files",
            10000,
            "a program that may talk to children is looked at for so many reads and writes of files without JSON-RPC",
            minimum=0,
            maximum=1 << 40,
            define="WATCHED_FILES",
        ),
        *MESSAGE_OPTIONS,
    ),
    signals=("child_started", "pipes_idle", "raw_listener"),
    notes={"pipes_idle": "no pipe to a child carried JSON-RPC: reads and writes of files are no longer probed"},
    losses={
        "raw_listener": "a connection of no HTTP server was accepted: its first messages may be missing",
        "unanswered": "a request whose response did not come before 16384 others were waiting",
        "answer_ambiguous": "an answer on a pipe that calls to several children with the same id may have",
        "answer_cut": "an answer of which not enough was captured to know whose it is (message_bytes)",
        "request_unseen": "a response to a request that was not seen: what a process waited for when goinst came to it",
    },
)
