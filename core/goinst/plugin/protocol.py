"""What a plugin is: frozen data and pure decoders. A plugin author needs only what is in this module and Span.

A plugin module has ``PROTOCOL = Protocol(...)`` and is named by an entry point in the group ``goinst``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from goinst.plugin.rows import Column, columns_of

if TYPE_CHECKING:
    from goinst.spans.span import DecodeContext, Span

__all__ = [
    "PIPED_STDIN",
    "Capture",
    "Field",
    "Fragment",
    "Option",
    "Package",
    "Probe",
    "Protocol",
    "Record",
    "Series",
    "Site",
    "Tail",
    "Type",
    "Unseen",
]

PIPED_STDIN = "piped_stdin"
# "call" goes with Site.callee
Place = Literal["entry", "return", "call"]
Finisher = Callable[["DecodeContext"], "Iterable[Span]"]
Row = TypeVar("Row", bound=tuple[Any, ...])
# columns as numpy arrays, one row for each record -> (more of the key: bytes, 2-D; rows that may be counted so)
Deriver = Callable[[Mapping[str, Any]], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """A Go struct field that the C code reads: ``Field("net/http.Request", "URL")``.

    Its byte offset becomes a ``#define`` in the fragment. ``path`` may go through embedded and nested structs by
    value (``"URL.Path"`` does not: URL is a pointer). When an optional field is absent the macro is not defined:
    the fragment says ``#ifdef``. A missing required field switches the plugin off for that binary.
    ``alternatives`` are (type, path) pairs to try, in order, when the binary does not have the field: what it was
    called, or where it was, in other versions of the library.
    ``side``: as ``Probe.side``; the field may be absent where its side is.
    """

    type: str
    path: str
    optional: bool = False
    alternatives: tuple[tuple[str, str], ...] = ()
    side: str = ""


@dataclass(frozen=True, slots=True)
class Type:
    """A Go type that the C code compares against: the macro is its type hash (runtime._type.hash, 32 bits).

    ``go_type_hash(word)`` in C reads the same hash from an itab or a type pointer, so one comparison tells what an
    interface holds, whatever the load address. Absent types define the macro as 0, which no type has.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Package:
    """What proves that a package is the one at ``path`` under another path: a fork that was renamed.

    ``functions`` are full names of functions of it, or of packages below it, that have to be there, each with a body of
    its own; ``fields`` are (type, path, the field's type), in full, as it has them under its own path. Types of other
    packages in them say which packages go with it: a fork of net/http may use one of crypto/tls. Several for one path:
    each is proof. Copies in vendor folders and by import maps need none: they are known by their paths.
    """

    path: str
    functions: tuple[str, ...]
    fields: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unseen:
    """A function that does what users may expect of the plugin, and what they are told in a binary that has it.

    ``function`` is its name, vendored or not, or the end of a name from a dot or a slash on. ``{package}`` in ``words``
    is its package's path. It is not said where one of ``probes`` is in its package, in one below or above that: else it
    is a fork that differs, or a version that does. Without ``probes`` it is said wherever the function is.
    """

    function: str
    words: str
    probes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A function by its full symbol name, and the signature the C code relies on.

    At place ``call`` the site is each call of ``callee`` inside ``symbol``, and the signature is callee's.

    ``signature`` is ``"name Type, name Type -> name Type"`` with full package paths, receiver first. Pointers, maps,
    channels and funcs are one word whatever they point to; a named type passed by value is looked up in the binary.
    ``versions`` limits it to Go versions ``((1, 16), (1, 26))`` inclusive: the last resort. ``place`` is that of this
    site, where it is not its probe's. ``at`` is the core's own: instructions that it has found already.
    """

    symbol: str
    signature: str = ""
    versions: tuple[tuple[int, int], tuple[int, int]] | None = None
    callee: str = ""
    place: Place | Literal[""] = ""
    at: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A BPF function of the fragment and where it goes.

    ``sites`` are alternatives, best first: the first that the binary has is taken, but rather one that tells which
    goroutine runs, and whose function is inlined nowhere. ``place``: ``entry`` (arguments are where the ABI puts
    them), ``call`` (the calls of ``Site.callee`` in it; as cheap), or ``return`` (every RET; results are; rarely worth
    its cost). ``optional``: without it the plugin still works, and ``lost`` says in words what is missing then.
    ``closes``: this program ends an operation, so programs of other plugins at the same instruction run before it.
    ``attach_on``: a signal of the plugin; the probe is attached only after that was first given, so that it costs
    nothing where it is not needed; or ``PIPED_STDIN``: only once a process is traced whose standard input is a pipe or
    a socket.
    ``until``: a signal of the plugin; the probe is attached at once, taken away when that is given, and put back when
    ``attach_on`` is; in a binary without what it ``mentions`` it is as if there were no ``until``.
    ``without``: a function. In a binary that has it, the probe is not attached, or only on ``attach_on``; in one that
    does not, it is attached at once. ``mentions``: regular expressions for bytes that the file of the binary must hold
    somewhere, each; begin them with plain text, since all of the file is searched.
    ``option``: a bool option of the plugin; the probe is only planned where that is on.
    ``propagates``: it is there to write a trace context into requests: planned with ``--propagate`` only.
    ``instead_of``: another probe, by its program. This one is planned only in a binary that has an inlined body of that
    one's function, to see what passes there; what passes the function itself both may see. Several stand in together.
    The C text asks with ``#ifdef``, for an argument, whether it is planned.
    ``side``: one of a protocol's two, such as "server". A binary that has no function for a required probe of a side
    does not have that side: neither it nor the side's fields are required there, as long as a probe that a record is
    ``begun_by`` has a site.
    """

    program: str
    sites: tuple[Site, ...]
    place: Place = "entry"
    optional: bool = False
    closes: bool = False
    attach_on: str = ""
    until: str = ""
    option: str = ""
    lost: str = ""
    without: str = ""
    mentions: tuple[str, ...] = ()
    propagates: bool = False
    instead_of: str = ""
    side: str = ""


@dataclass(frozen=True, slots=True)
class Tail:
    """A BPF function of the fragment that is entered by ``TAIL_CALL(program)``: a program of its own, with its own
    instruction budget and stack. It does not return to its caller."""

    program: str


@dataclass(frozen=True, slots=True)
class Series:
    """What of a record decides in which series of the metrics its span is counted. Where metrics are all that is
    wanted, the records of a batch that have the same there are counted at once, and only one of them is decoded.

    ``columns`` are those that decide, beside the process: on them the decoder's choice of kind, metric attributes and
    losses depends, and with ``name`` also the span's name. Of a ``bytes`` column so much counts as the column
    ``<its name>_length`` says, where there is one, or the one that is named with it: ``("tail", "tail_copied")``.
    ``sizes`` are attributes whose value is a column's, and that are absent when that is negative:
    ``{"http.request.body.size": "content_length"}``.
    ``derive(columns)`` makes what decides out of the columns where none of them does. It gets numpy arrays by name, of
    two dimensions for ``bytes``, and gives bytes of two dimensions, and which rows it can tell; the others are decoded
    one by one.
    For a fact: what of it changes any of that of the span it is about. ``Series(())``: nothing.
    """

    columns: tuple[str | tuple[str, str], ...]
    sizes: Mapping[str, str] = field(default_factory=dict)
    derive: Deriver | None = None
    name: bool = True


@dataclass(frozen=True, slots=True)
class Record(Generic[Row]):
    """A wire layout, declared once: the C struct and its helpers, and the reader of its bytes, are made from ``row``.

    ``row`` is a ``typing.NamedTuple``: its members are the columns, each annotated with ``u8``, ``u16``, ``u32``,
    ``u64``, ``i32`` or ``i64``, or with ``Annotated[bytes, size]``, where ``size`` is a number of bytes, or the name of
    an option of the plugin that is one. ``columns`` are those, as data.
    ``role``:
    ``operation``: the record lives in the goroutine's operation from ``NAME_begin`` to ``NAME_end`` and becomes a span
    of ``kind``; ``fact``: sent on its own (``NAME_reserve``/``NAME_submit``) and applied to the span of the operation
    that it names, when that has ended, in the order in which records are declared; ``span``: sent on its own and is a
    span by itself.
    The last column of an operation record may be cut short on the wire (see ``NAME_end``).
    ``begun_by`` names the probes that begin a client's operation: goroutines are followed (one hit for each that is
    started) only in a binary that has one of them; without names, in every binary.
    ``active`` is the metric of how many operations of this record are under way, by OpenTelemetry's name.
    ``partial``: the decoder can also make a span of an operation that is still open (``span.partial``): what the
    record holds then is what the programs have written so far.
    ``decode(values, span, context)`` gets a ``row``; it must not trust what is in it.
    ``finish(context)`` gives, once, when the run ends, the spans that its decoder has kept in ``context.state``.
    ``series`` lets many records be counted at once where only metrics are wanted.
    """

    name: str
    row: type[Row]
    decode: Callable[[Row, Span, DecodeContext], None]
    role: Literal["operation", "fact", "span"] = "fact"
    kind: Literal["server", "client", "internal", "producer", "consumer"] = "server"
    begun_by: tuple[str, ...] = ()
    active: str = ""
    finish: Finisher | None = None
    partial: bool = False
    series: Series | None = None
    columns: tuple[Column, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", columns_of(self.row))


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a plugin: ``--set PLUGIN.NAME=VALUE`` or the configuration file. ``define`` makes it a C macro."""

    name: str
    default: int | bool | str
    help: str
    minimum: int | None = None
    maximum: int | None = None
    define: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """A span for each call of a function, with values of its variables, and no line of C.

    ``function`` is its symbol (``main.(*Order).Place``), or several of which the first that a binary has is taken.
    ``fields`` are attributes and Go expressions over parameters and results: ``{"order.id": "o.ID", "error": "err"}``
    (docs/TRACE.md has the language). ``signature``, ``"o *main.Order, id string"``, says what the parameters are where
    the binary has no DWARF that does. ``where`` is a condition, evaluated in the kernel. ``duration``: the span lasts
    until the function returns, which costs a second hit; else it is a moment. ``rate`` limits spans a second (0: all).
    ``text``, ``items``, ``depth``: bytes of a text, elements of a slice, pointers behind each other, at most.
    ``name`` is the span's name, else the function's.
    """

    function: str | tuple[str, ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""
    where: str = ""
    name: str = ""
    kind: Literal["server", "client", "internal", "producer", "consumer"] = "internal"
    duration: bool = True
    rate: int = 0
    text: int = 128
    items: int = 8
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Fragment:
    """BPF C text. ``package`` and ``file`` say where it is installed; or give ``text``."""

    file: str
    package: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A plugin. ``builds_on`` names plugins that must be on too and whose programs and decoders run first.
    ``unseen`` (each an Unseen): what users may expect of this plugin, and it does not see.
    ``packages``: how forks of the packages that probes are in can be known.
    ``enums``: numbers that its C text and its decoders share: member ``MEMBER`` is the macro ``PLUGIN_MEMBER``.
    ``on_request``: on only where it is named, not by default. ``losses``, ``notes``: reasons, and words for the user.
    ``signals``: what its C text and its decoders say to its own probes, and to nobody else. ``captures`` (each a
    Capture) become fragments, probes and records of their own, for each binary."""

    name: str
    summary: str
    fragments: tuple[Fragment, ...] = ()
    probes: tuple[Probe, ...] = ()
    records: tuple[Record[Any], ...] = ()
    captures: tuple[Any, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)
    types: Mapping[str, Type] = field(default_factory=dict)
    enums: tuple[type[IntEnum | IntFlag], ...] = ()
    tails: tuple[Tail, ...] = ()
    options: tuple[Option, ...] = ()
    losses: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    signals: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    packages: tuple[Package, ...] = ()
    hits: str = ""
    on_request: bool = False
