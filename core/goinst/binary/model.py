"""What the analysis of a Go binary answers: small frozen values, each with where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Argument",
    "BinaryInfo",
    "Fact",
    "Function",
    "InlinedSite",
    "LineSite",
    "Location",
    "Member",
    "Parameter",
    "Piece",
    "Place",
    "Shape",
    "Site",
    "UsdtProbe",
    "Variable",
]

Place = Literal["entry", "return", "call", "line"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A number read from the binary (an offset in bytes, a type hash) and its source in words.

    ``source`` reads like ``type metadata, net/http.Request at 0x6f2a40`` or ``DWARF`` or ``plugin
    declaration``.
    """

    value: int
    source: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function body in .gopclntab: virtual addresses as linked (no load bias)."""

    name: str
    entry: int
    end: int


@dataclass(frozen=True, slots=True)
class Location:
    """Where one machine word of an argument or result is at a probe site.

    Either ``register`` (the kernel's pt_regs name on amd64: ax bx cx di si r8 r9 r10 r11; ``regs[0]``.. on
    arm64; ``xmm0``/``f0``.. for floats, which BPF cannot read) or ``stack``: the byte offset from SP as it is
    at the function's first instruction. ``size``: how many bytes count (the rest of the register is
    undefined: Go does not extend small integers); more than 8 only for an array on the stack, which is one
    word of its whole size. ``offset``: of the word within the value, in bytes.
    """

    register: str | None
    stack: int | None
    size: int = 8
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter or result, flattened to words in Go's order.

    ``words`` maps a suffix to its location: ``""`` for one-word values, ``ptr``/``len`` (string),
    ``ptr``/``len``/ ``cap`` (slice), ``type``/``data`` (interface), ``real``/``imag`` (complex), field names
    joined with ``_`` for structs passed by value, ``0`` for the element of an array of one. Blank and
    zero-size fields have none.
    """

    name: str
    type: str
    words: dict[str, Location]
    source: str


@dataclass(frozen=True, slots=True)
class Site:
    """An instruction to put a uprobe on.

    ``file_offset`` is what the kernel wants; ``address`` the linked virtual address. ``instruction`` is its
    text. ``emulated``: the kernel emulates it (cheap) instead of single-stepping it out of line.
    ``stack_adjust`` is what must be added to SP here to get SP as it was at the function's first instruction.
    ``guard``: a condition under which the hit does not count, because the branch at the site leads to
    runtime.morestack and the function starts again: ``jbe`` (amd64: skip when CF or ZF), ``b.ls`` (arm64:
    skip when C is clear or Z is set), or None. ``g``: the pt_regs member that holds the goroutine (``r14``,
    ``cx``, ``regs[28]``) or None when nothing does. ``why`` says in words why this instruction.
    ``semaphore``: the file offset of a counter (16 bits) that the kernel is to hold above 0 while somebody looks, or 0.
    """

    symbol: str
    place: Place
    address: int
    file_offset: int
    instruction: str
    emulated: bool
    guard: str | None
    g: str | None
    stack_adjust: int
    why: str
    semaphore: int = 0


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or result of a function, as debugging information names it.

    ``type_name`` has full package paths. What has no name in the source is called ``~p0``, ``~r1`` by its place; the
    dictionary that the body of a generic function is given is ``.dict``.
    """

    name: str
    type_name: str
    result: bool


@dataclass(frozen=True, slots=True)
class LineSite:
    """An instruction that the code of a source line starts with.

    ``symbol`` is the function that the line is of: what ``variables`` is asked for. Where that is inlined,
    ``inlined_in`` is the function that ``site`` is in, else empty. ``file`` is the whole path that the compiler knew.
    """

    symbol: str
    site: Site
    file: str
    line: int
    inlined_in: str


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a struct: ``type`` is a reference that the same binary's ``shape`` takes."""

    name: str
    offset: int
    type: str
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A type, one level of it, as capturing a value needs it; of Go, C, C++ or Rust.

    ``kind``: bool int uint float complex string slice array struct union pointer map chan func interface void.
    ``elem`` (pointer, slice, array, chan, map) and ``key`` (map) are references that ``shape`` takes, ``""`` when
    unknown. ``size`` in bytes; ``length`` is an array's. ``values`` names the numbers of an enumeration.
    ``hash`` is a Go type's runtime hash, 0 when the binary has no descriptor of it.
    """

    name: str
    kind: str
    size: int
    fields: tuple[Member, ...] = ()
    elem: str = ""
    key: str = ""
    length: int = 0
    values: dict[int, str] = field(default_factory=dict)
    hash: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Where ``size`` bytes at ``offset`` of a variable are at an instruction: exactly one of

    ``register``: the kernel's pt_regs name, or ``xmm0``/``f0``.., which BPF cannot read; ``stack``: bytes from SP as
    it was at the function's first instruction; ``address``: static, as linked (no load bias); ``based``: (pt_regs name,
    displacement) of memory, where ``index`` (pt_regs name, factor) is added; ``constant``.
    """

    offset: int
    size: int
    register: str | None = None
    stack: int | None = None
    address: int | None = None
    based: tuple[str, int] | None = None
    index: tuple[str, int] | None = None
    constant: int | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable at one instruction. ``type`` is a reference that ``shape`` takes.

    ``pieces`` is empty when it cannot be read there, and ``why`` says why; of what is there in part, ``pieces`` leave
    gaps, and ``why`` names one. ``indirect``: the pieces hold the address
    of the variable instead of its value (it escaped to the heap, or a closure captured it by reference).
    """

    name: str
    type: str
    role: Literal["parameter", "result", "local", "captured"]
    pieces: tuple[Piece, ...] = ()
    why: str = ""
    indirect: bool = False


@dataclass(frozen=True, slots=True)
class InlinedSite:
    """Where a body of ``symbol`` starts that is inlined into the function that ``site`` is in.

    ``file`` and ``line`` are those of the call. ``variables`` is what can be read of the body's parameters and
    variables there: without DWARF nothing, with it often little.
    """

    symbol: str
    site: Site
    file: str
    line: int
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class BinaryInfo:
    """What a binary says of itself. ``version`` is (1, 26) for ``go_version`` ``go1.26.8``.

    ``abi`` is ``c`` for what is looked at as a native program or library; it has no Go version then, and (0, 0).
    ``goroutine`` is the register that holds g all the time (pt_regs name: ``r14``, ``regs[28]``), or empty. ``library``
    is the build mode of what is no executable: c-shared, plugin, shared; or empty.
    """

    path: str
    build_id: str
    arch: Literal["amd64", "arm64"]
    go_version: str
    version: tuple[int, int]
    abi: Literal["register", "stack", "c"]
    main_package: str
    main_module: str
    modules: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    pie: bool = False
    has_symtab: bool = False
    has_dwarf: bool = False
    size: int = 0
    goroutine: str = ""
    library: Literal["", "c-shared", "plugin", "shared"] = ""

    @property
    def native(self) -> bool:
        """Whether it is looked at as a native program or library: by C's calls and no runtime of Go's."""
        return self.abi == "c"

    @property
    def behaves_as(self) -> tuple[int, int]:
        """The version to go by where it is about what code can rely on: of Go 1.17 without its registers, 1.16."""
        return self.version if self.goroutine or self.native else min(self.version, (1, 16))


@dataclass(frozen=True, slots=True)
class UsdtProbe:
    """A probe at those of its places that have their arguments alike; each place is a Site with the semaphore's file
    offset. Arguments are called ``arg1``, ``arg2``...; their types ``int32``, ``uint64``... are what ``shape`` takes.

    ``symbol`` is what ``function``, ``sites`` and ``variables`` take: ``usdt:hotspot:class__loaded``, with ``#2`` for
    the second group of places.
    """

    provider: str
    name: str
    symbol: str
    sites: tuple[Site, ...]
    arguments: tuple[Variable, ...]

    @property
    def semaphore(self) -> bool:
        """Whether the program asks if somebody looks."""
        return any(site.semaphore for site in self.sites)
