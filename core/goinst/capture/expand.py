"""Captures of a protocol become fragments, probes and records, for one binary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from goinst.binary.facts import Facts
from goinst.binary.model import InlinedSite, Shape, Site, Variable
from goinst.capture.generate import Around, Generated, generate
from goinst.capture.request import Wanted, from_capture
from goinst.capture.resolve import Types, align_of
from goinst.capture.scope import entry_scope, from_variable, raw_arguments, result_scope
from goinst.capture.wire.build import Limits, smaller_limits
from goinst.capture.wire.interfaces import Errors
from goinst.capture.wire.maps import MapLayout
from goinst.errors import BinaryError
from goinst.golang.symbols import short_name
from goinst.plugin.protocol import Capture, Fragment, Probe, Protocol, Record

__all__ = ["Expanded", "Maker", "expand", "smaller", "with_captures"]

_LOSSES = {
    "rate_limited": "events beyond the limit of so many a second",
    "count_full": "values beyond the 4,096 that are counted apart",
}
_NOTES = {
    "call_unknown": "returns whose call is not known: it came before the probes, or more were under way than"
    " --max-operations",
}
# Error types by what is behind their pointer: two texts, and the error inside ("" for none).
_ERRORS: Mapping[str, tuple[str, str, str]] = {
    "errors.errorString": ("s", "", ""),
    "fmt.wrapError": ("msg", "", ""),
    "fmt.wrapErrors": ("msg", "", ""),
    "io/fs.PathError": ("Op", "Path", "Err"),
    "os.PathError": ("Op", "Path", "Err"),
    "os.SyscallError": ("Syscall", "", "Err"),
    "net.OpError": ("Op", "Net", "Err"),
    "net.AddrError": ("Err", "Addr", ""),
    "net.DNSError": ("Err", "Name", ""),
    "net/url.Error": ("Op", "URL", "Err"),
    "net/http.ProtocolError": ("ErrorString", "", ""),
    "strconv.NumError": ("Func", "Num", "Err"),
    "os/exec.Error": ("Name", "", "Err"),
    "encoding/json.SyntaxError": ("msg", "", ""),
    "encoding/json.UnmarshalTypeError": ("Value", "Field", ""),
    "golang.org/x/xerrors.wrapError": ("msg", "", ""),
    "golang.org/x/xerrors.errorString": ("s", "", ""),
    "github.com/pkg/errors.fundamental": ("msg", "", ""),
    "github.com/pkg/errors.withMessage": ("msg", "", "cause"),
    "github.com/pkg/errors.withStack": ("", "", "error"),
}
_SWISS = ("internal/runtime/maps.Map", "dirPtr")


@dataclass(slots=True)
class Expanded:
    """A protocol with what its captures became, and in words what could not be done."""

    protocol: Protocol
    problems: list[str] = field(default_factory=list)
    made: list[Generated] = field(default_factory=list)


class Maker:
    """Makes captures of one binary."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._native = native = facts.info.native
        maps = None
        if not native:
            maps = MapLayout(facts.field(*_SWISS) is not None, align_of(facts.shape))
        shape = _with_integers(facts.shape) if native else facts.shape
        self.types = Types(shape, (lambda name: name) if native else facts.full_name, self._hash, maps)
        self._errors = Errors({} if native else self._known_errors())
        self._names: dict[int, str] | None = None

    def _hash(self, name: str) -> int | None:
        fact = self._facts.type_hash(name)
        return fact.value if fact is not None else None

    def _known_errors(self) -> dict[int, tuple[int, ...]]:
        found = {}
        for name, parts in _ERRORS.items():
            number = self._hash(f"*{name}")
            if not number:
                continue
            facts = [self._facts.field(name, part) if part else None for part in parts]
            found[number] = tuple(-1 if fact is None else fact.value for fact in facts)
        return found

    def around(self, symbol: str, wanted: Wanted) -> Around:
        """What is known of the function. BinaryError when it is not there, or cannot be probed."""
        facts = self._facts
        entry = facts.sites(symbol, "entry")
        if not entry:
            raise BinaryError(f"{symbol}: has no instruction that can be probed")
        returns = facts.sites(symbol, "return")
        parameters = entry_scope(facts, symbol, entry[0], wanted.declared, self.types)
        results = {}
        if returns:
            results = result_scope(facts, symbol, returns[0], wanted.declared, wanted.returned, self.types)
        results = {name: value for name, value in results.items() if name not in parameters}
        return Around(
            symbol, entry[0], tuple(returns), parameters, results, raw_arguments(facts.info.arch, facts.info.abi),
            self.types, self._errors, _Names(self), self.symbol, entry[1:], self._native,
            facts.jumps_out(symbol) if self._native else (),
        )  # fmt: skip

    def at(self, symbol: str, site: Site) -> Around:
        """What is known at one instruction of a line."""
        return self._here(symbol, site, self._facts.variables(symbol, site.address))

    def inside(self, body: InlinedSite) -> Around:
        """What is known where an inlined body begins: also the variables of the function that it is in."""
        outer = () if body.site.symbol == body.symbol else self._facts.variables(body.site.symbol, body.site.address)
        return self._here(body.symbol, body.site, (*outer, *body.variables))

    def _here(self, symbol: str, site: Site, variables: tuple[Variable, ...]) -> Around:
        scope = {each.name: from_variable(each, self.types) for each in variables if each.name != "_"}
        return Around(symbol, site, (), scope, {}, {}, self.types, self._errors, _Names(self), self.symbol)

    def names(self) -> dict[int, str]:
        """Types by runtime hash."""
        if self._names is None:
            try:
                self._names = {} if self._native else self._facts.type_names()
            except BinaryError:  # the file is gone
                self._names = {}
        return self._names

    def symbol(self, address: int) -> tuple[str, ...]:
        """What code an address, as linked, is in: the innermost inlined body first, each with file and line."""
        try:
            frames = self._facts.symbolise(address)
        except BinaryError:  # the file is gone
            frames = ()
        return tuple(f"{function} {file}:{line}" if file else function for function, file, line in frames)


def _with_integers(shape: Callable[[str], Shape | None]) -> Callable[[str], Shape | None]:
    """Types by reference, and integers by the names that USDT arguments have."""
    known = {
        f"{kind}{8 * size}": Shape(f"{kind}{8 * size}", kind, size) for kind in ("int", "uint") for size in (1, 2, 4, 8)
    }
    return lambda reference: known.get(reference) or shape(reference)


class _Names:
    """Types by hash, read when the first is asked for: most records have none."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    def get(self, number: int, default: str) -> str:
        return self._maker.names().get(number, default)


def expand(protocol: Protocol, facts: Facts) -> Expanded:
    """Replace a protocol's captures by what they come to in a binary; those that it cannot have are problems."""
    if not protocol.captures:
        return Expanded(protocol)
    maker = Maker(facts)
    result = Expanded(protocol)
    followed: set[str] = set()
    for number, capture in enumerate(protocol.captures):
        if isinstance(capture, Capture):
            capture = _Declared(protocol.name, capture)
        for made in capture.make(facts, maker, number):
            if isinstance(made, str):
                result.problems.append(made)
            elif (symbol := _followed(made)) and symbol in followed:
                result.problems.append(
                    f"{short_name(symbol)}: is followed to its return already; put what is wanted of it into one SPEC"
                )
            else:
                result.made.append(made)
                followed.add(symbol)
    result.protocol = with_captures(protocol, result.made)
    return result


def _followed(made: Generated) -> str:
    """The function whose calls are followed from entry to return, or "". Two operations at one frame end each other."""
    if made.record is None or made.record.role != "operation":
        return ""
    return made.probes[0].sites[0].symbol


def smaller(protocol: Protocol) -> Protocol | None:
    """The same captures with less of each value, for when the verifier finds a program too large; None: there is no
    less."""
    shrunk = tuple(_shrunk(capture) for capture in protocol.captures)
    return replace(protocol, captures=shrunk) if shrunk != protocol.captures else None


def _shrunk(capture: Any) -> Any:
    if isinstance(capture, Capture):
        less = smaller_limits(Limits(capture.text, capture.items, capture.depth))
        return replace(capture, text=less.text, items=less.items, depth=less.depth)
    return replace(capture, wanted=replace(capture.wanted, limits=smaller_limits(capture.wanted.limits)))


def with_captures(protocol: Protocol, made: list[Generated]) -> Protocol:
    """The protocol, and what was generated."""
    if not made:
        return replace(protocol, captures=())
    fragments = (
        Fragment("capture.h", package="goinst.bpf"),
        Fragment("captures.c", text="\n".join(m.text for m in made)),
    )
    probes: list[Probe] = [probe for each in made for probe in each.probes]
    records: list[Record[Any]] = [each.record for each in made if each.record is not None]
    return replace(
        protocol,
        captures=(),
        fragments=(*protocol.fragments, *fragments),
        probes=(*protocol.probes, *probes),
        records=(*protocol.records, *records),
        losses={**_LOSSES, **protocol.losses},
        notes={**_NOTES, **protocol.notes},
    )


@dataclass(frozen=True, slots=True)
class _Declared:
    """A plugin's capture."""

    plugin: str
    capture: Capture

    def make(self, facts: Facts, maker: Maker, number: int) -> Iterator[Generated | str]:
        """As SpecCapture's."""
        capture = self.capture
        functions = (capture.function,) if isinstance(capture.function, str) else capture.function
        symbol = next((name for name in functions if facts.function(name) is not None), None)
        if symbol is None:
            yield f"no function {' or '.join(functions)} in the binary"
            return
        wanted = from_capture(self.plugin, capture)
        try:
            around = maker.around(symbol, wanted)
            yield generate(
                f"capture_{number}", wanted, around, kind=capture.kind, span=capture.name or short_name(symbol)
            )
        except BinaryError as error:
            yield f"capture of {symbol}: {error}"
