"""A capture of one function as a plugin would write it by hand: BPF C, probes, a record and its decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from goinst.binary.model import Shape, Site
from goinst.capture.aggregate import Table, write_aggregate
from goinst.capture.condition import write_condition
from goinst.capture.decoder import HEAD, Decoder, Slot
from goinst.capture.language.parser import Item
from goinst.capture.language.syntax import Condition, Logic, Name, names_in
from goinst.capture.place import Text, Words
from goinst.capture.request import Wanted
from goinst.capture.resolve import Resolver, Types, Value
from goinst.capture.stack import STACK_FRAMES, write_stack
from goinst.capture.wire.build import Limits, Nodes
from goinst.capture.wire.interfaces import Errors
from goinst.capture.wire.nodes import Raw
from goinst.errors import BinaryError
from goinst.plugin import protocol as declare
from goinst.plugin.rows import Column, row_of

__all__ = ["Around", "Generated", "generate"]

_LARGEST = 1 << 15  # bytes of a record's values
_CLOCK = {"duration": Shape("time.Duration", "int", 8), "goid": Shape("uint64", "uint", 8)}


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of the function: its variables where it is entered and where it returns, and what its binary has.

    ``raw`` are words by number. ``symbol`` names frames and functions by address; ``names`` are types by hash.
    ``also``: more places with the same variables (of a USDT probe). ``threads``: the program has no goroutines, and
    each hit tells its thread. ``leaves``: functions that it jumps to at its end: such calls pass none of ``returns``.
    """

    function: str
    entry: Site
    returns: tuple[Site, ...]
    parameters: Mapping[str, Value]
    results: Mapping[str, Value]
    raw: Mapping[str, Value]
    types: Types
    errors: Errors
    names: Any
    symbol: Any
    also: tuple[Site, ...] = ()
    threads: bool = False
    leaves: tuple[str, ...] = ()


@dataclass(slots=True)
class Generated:
    """What is added to a protocol for one capture."""

    text: str
    probes: list[declare.Probe]
    record: declare.Record[Any] | None
    tables: list[Table] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)


class _Program:
    """The C text of one BPF function."""

    def __init__(self, name: str, site: Site, types: Types, scope: Mapping[str, Value]) -> None:
        self.name = name
        self.out = Text()
        self.resolver = Resolver(types, scope, self.out)
        self.out.line(f"u64 bias = GOINST_IP(ctx) - {site.address:#x}UL;")

    def finish(self) -> str:
        self.out.line("(void)bias;")
        self.out.line("return 0;")
        return f"PROBE({self.name})\n{{\n" + "\n".join(self.out.lines) + "\n}\n"


def generate(name: str, wanted: Wanted, around: Around, *, kind: str, span: str) -> Generated:
    """Write the capture called ``name``. BinaryError says which part of it the binary cannot give, and why."""
    return _Generator(name, wanted, around, kind, span).make()


class _Generator:
    def __init__(self, name: str, wanted: Wanted, around: Around, kind: str, span: str) -> None:
        self._name, self._wanted, self._around = name, wanted, around
        self._kind, self._span = kind, span
        self._slots: list[Slot] = []
        self._size = HEAD
        self._limited: list[str] = []
        self._tables: list[Table] = []
        self._saved: dict[str, tuple[int, Shape]] = {}
        self._every_call = True  # nothing is left out where the function is entered

    def make(self) -> Generated:
        wanted, around = self._wanted, self._around
        self._know_results()
        entry, late = self._split()
        conditions = wanted.condition
        at_entry, at_return = _conjuncts(conditions, lambda part: self._is_late(names_in(part)))
        limited_at_entry = wanted.rate and not at_return and not wanted.aggregates
        self._every_call = not at_entry and not limited_at_entry
        if (
            late
            or at_return
            or wanted.duration
            or any(self._is_late(names_in(a.item.expression)) for a in wanted.aggregates)
        ):
            if not around.returns:
                jump = f", but ends in a jump to {' or '.join(around.leaves[:3])}" if around.leaves else ""
                raise BinaryError(f"it has no RET that can be probed{jump}; ask only for its parameters")
            role: Literal["operation", "span"] = "operation"
            leave = self._probe(f"{self._name}_return", around.returns, "return", closes=True)
            if around.leaves:
                self._limited.append(
                    f"{around.function}: a call that ends in a jump to {' or '.join(around.leaves[:3])} is not seen:"
                    " it returns from there"
                )
            if around.returns[0].g is None and not around.threads:
                texts, probes, role = [self._at_return(entry, late, [*at_entry, *at_return])], [leave], "span"
            else:
                texts = [self._enter(entry, late, at_entry, at_return), self._leave(late, at_return)]
                probes = [self._probe(f"{self._name}_entry", (around.entry, *around.also), "entry"), leave]
        else:
            texts = [self._only(entry, at_entry)]
            probes = [self._probe(f"{self._name}_entry", (around.entry, *around.also), "entry")]
            role = "span"
        if self._size > _LARGEST:
            raise BinaryError(
                f"{self._size} bytes a call are asked for, more than {_LARGEST}: ask for fewer values, or less of each"
                " (--depth, --items, --text)"
            )
        head = "".join(table.declaration for table in self._tables)
        if wanted.rate:
            head += f"BPF_ARRAY({self._name}_second, struct capture_second, 1);\n"
        return Generated(head + "\n".join(texts), probes, self._record(role), self._tables, self._limited)

    def _probe(self, program: str, sites: tuple[Site, ...], place: Any, *, closes: bool = False) -> declare.Probe:
        site = declare.Site(self._around.function, at=sites)
        return declare.Probe(program, (site,), place=place, closes=closes)

    def _know_results(self) -> None:
        """BinaryError when results are asked for by name, and the binary does not say that there are any."""
        around, wanted = self._around, self._wanted
        names = frozenset[str]().union(*(names_in(item.expression) for item in wanted.results))
        if wanted.condition is not None:
            names |= names_in(wanted.condition)
        unknown = sorted(names - {*around.parameters, *around.raw, *_CLOCK})
        if unknown and around.returns and not around.results:
            raise BinaryError(
                f"{unknown[0]}: the binary does not say what the function returns (Go 1.17's DWARF and stripped"
                " binaries do not): name all results, in order, with their types, as in '-> n int, err error'"
            )

    # What is asked when

    def _is_late(self, names: frozenset[str]) -> bool:
        results = {*self._around.results, "duration"} - {*self._around.parameters}
        return bool(names & results)

    def _split(self) -> tuple[list[Item], list[Item]]:
        """The items that can be taken at the call, and those that can at the return."""
        items = self._wanted.items
        if items is None:
            items = tuple(Item(name, Name(name)) for name, value in self._around.parameters.items() if not value.why)
        entry = [item for item in items if not self._is_late(names_in(item.expression))]
        late = [item for item in items if item not in entry]
        return entry, [*late, *self._wanted.results]

    # Programs

    def _at_return(self, items: list[Item], late: list[Item], conditions: list[Condition]) -> str:
        """Everything where the function returns: in Go 1.16 nothing tells there which goroutine it is, so its call is
        not known; but all arguments are on the stack, and still there."""
        wanted = self._wanted
        expressions = [item.expression for item in (*late, *(a.item for a in wanted.aggregates))]
        if wanted.duration or any("duration" in names_in(each) for each in [*expressions, *conditions]):
            raise BinaryError("duration: in Go 1.16 nothing tells which call it is that returns; ask without it")
        program = _Program(f"{self._name}_return", self._around.returns[0], self._around.types, self._scope())
        program.out.lines[:] = ["    u64 bias = 0;"]
        return self._one(program, [*items, *late], conditions)

    def _only(self, items: list[Item], conditions: list[Condition]) -> str:
        program = _Program(f"{self._name}_entry", self._around.entry, self._around.types, self._scope())
        return self._one(program, items, conditions)

    def _one(self, program: _Program, items: list[Item], conditions: list[Condition]) -> str:
        """The only program of a capture: an event by itself."""
        out = program.out
        out.line("struct goinst_operation *around = hit->g ? goinst_operation_around(hit) : 0;")
        out.line("if (!around && hit->g)")
        out.line("    around = goinst_operation_ancestor(hit);")
        out.line("if (around && goinst_operation_left_out(around))")
        out.line("    return 0;")
        self._check(program, conditions)
        if self._wanted.aggregates:
            self._aggregate(program)
            return program.finish()
        self._within_rate(out)
        name = self._name
        out.line(f"struct {name} *record = {name}_reserve(0, hit);")
        out.line("if (!record)")
        out.line("    return 0;")
        out.line("record->moment = bpf_ktime_get_ns();")
        for member, source in (("trace_high", "trace_high"), ("trace_low", "trace_low"), ("parent", "head.span_id")):
            out.line(f"record->{member} = around ? around->{source} : 0;")
        out.line("record->goid = hit->g ? goinst_goid(hit) : 0;")
        out.line("char *v = record->values;")
        self._head(out)
        self._fill(program, items)
        out.line(f"{name}_submit(record);")
        return program.finish()

    def _enter(self, items: list[Item], late: list[Item], conditions: list[Condition], later: list[Condition]) -> str:
        program = _Program(f"{self._name}_entry", self._around.entry, self._around.types, self._scope())
        out = program.out
        self._check(program, conditions)
        if not later and not self._wanted.aggregates:
            self._within_rate(out)
        out.line(f"struct {self._name} *record = {self._name}_begin(hit);")
        out.line("if (!record)")
        out.line("    return 0;")
        out.line("char *v = record->values;")
        self._head(out)
        if not self._wanted.aggregates:
            self._fill(program, items)
        expressions = [item.expression for item in late] + [a.item.expression for a in self._wanted.aggregates]
        needed = frozenset[str]().union(*(names_in(each) for each in [*expressions, *later]))
        known = {**self._around.raw, **self._around.parameters}
        for name in sorted(needed & {*known} - {*_CLOCK}):
            value = known[name]
            if value.why:
                continue
            self._saved[name] = (self._size + 8, value.shape)
            raw = Raw(value.shape, None)
            raw.fetch(out, value.place, f"v + {self._size}")
            self._size += raw.size
        return program.finish()

    def _leave(self, items: list[Item], conditions: list[Condition]) -> str:
        scope = {**self._restored(), **self._around.results, **self._scope(late=True)}
        program = _Program(f"{self._name}_return", self._around.returns[0], self._around.types, scope)
        out, name = program.out, self._name
        out.lines.clear()  # several places: the call's bias is in the record
        out.line("u64 bias = 0;")
        out.line(f"struct {name} *record = {name}_current(hit);")
        out.line(f"struct goinst_operation *op = record ? {name}_operation(record) : 0;")
        out.line("if (!record || op->depth != (u32)goinst_depth(hit)) {")
        if self._every_call:  # else its call may have been left out on purpose
            out.line("    NOTE(call_unknown);")
        out.line("    return 0;")
        out.line("}")
        out.line("char *v = record->values;")
        out.line("u64 duration = bpf_ktime_get_ns() - op->start;")
        out.line("(void)duration;")
        if conditions:
            texts = [write_condition(out, program.resolver, each) for each in conditions]
            out.line(f"if (!({' && '.join(texts)})) {{")
            out.line("    goinst_operation_drop(op);")
            out.line("    return 0;")
            out.line("}")
        if self._wanted.aggregates:
            out.line("goinst_operation_drop(op);")
            self._aggregate(program)
            return program.finish()
        if conditions:
            self._within_rate(out, "goinst_operation_drop(op);")
        self._fill(program, items)
        out.line(f"{name}_end(record, {self._size});")
        return program.finish()

    def _scope(self, *, late: bool = False) -> dict[str, Value]:
        scope = {"goid": Value(Words(((0, 8, "(hit->g ? goinst_goid(hit) : 0)"),)), _CLOCK["goid"])}
        if late:
            scope["duration"] = Value(Words(((0, 8, "duration"),)), _CLOCK["duration"])
            return scope
        return {**self._around.raw, **scope, **self._around.results, **self._around.parameters}

    def _restored(self) -> dict[str, Value]:
        """Parameters as they were at the call: their bytes are in the record."""
        found = {}
        for name, (at, shape) in self._saved.items():
            pieces = []
            for offset in range(0, shape.size, 8):
                size = min(8, shape.size - offset)
                kind = {1: "u8", 2: "u16", 4: "u32"}.get(size, "u64")
                pieces.append((offset, size, f"(*({kind} *)(v + {at + offset}))"))
            found[name] = Value(Words(tuple(pieces)), shape)
        return found

    # Parts of programs

    def _check(self, program: _Program, conditions: list[Condition]) -> None:
        if not conditions:
            return
        texts = [write_condition(program.out, program.resolver, each) for each in conditions]
        program.out.line(f"if (!({' && '.join(texts)}))")
        program.out.line("    return 0;")

    def _within_rate(self, out: Text, otherwise: str = "") -> None:
        if not self._wanted.rate:
            return
        out.line("u32 zero = 0;")
        out.line(f"if (!capture_in_rate({self._name}_second.lookup(&zero), {self._wanted.rate})) {{")
        if otherwise:
            out.line(f"    {otherwise}")
        out.line("    LOSS(rate_limited);")
        out.line("    return 0;")
        out.line("}")

    def _head(self, out: Text) -> None:
        out.line("*(u64 *)v = bias;")
        out.line("*(u64 *)(v + 8) = 0;")
        if self._wanted.stack:
            write_stack(out, self._size, min(self._wanted.stack, STACK_FRAMES))
            self._size += 8 * (min(self._wanted.stack, STACK_FRAMES) + 1)

    def _fill(self, program: _Program, items: list[Item]) -> None:
        for item in items:
            try:
                value = program.resolver.value(item.expression)
                raw, after = self._node(item.label, value)
                raw.fetch(program.out, value.place, f"v + {self._size}")
            except BinaryError as error:
                raise _labelled(item.label, error) from None
            self._slots.append(Slot(item.label, self._size, raw, after))
            self._size += raw.size

    def _node(self, label: str, value: Value) -> tuple[Raw, Any]:
        limits, around = self._wanted.limits, self._around
        if value.most is not None:
            limits = Limits(max(value.most, 1), max(value.most, 1), limits.depth, limits.size * 4)
        nodes = Nodes(program_shape(around.types), around.errors, around.types.maps, limits)
        raw, used = nodes.make(value.shape)
        if used != limits:
            self._limited.append(
                f"{label}: is large; taken with depth {used.depth}, {used.items} elements, texts of {used.text} bytes"
            )
        return raw, value.after

    def _aggregate(self, program: _Program) -> None:
        for number, aggregate in enumerate(self._wanted.aggregates):
            try:
                value = program.resolver.value(aggregate.item.expression)
                table = write_aggregate(
                    program.out, f"{self._name}_{aggregate.kind}{number}", aggregate, value, program.resolver
                )
            except BinaryError as error:
                raise _labelled(aggregate.item.label, error) from None
            self._tables.append(table)

    # The record

    def _record(self, role: Literal["operation", "span"]) -> declare.Record[Any]:
        columns: tuple[Column, ...] = ()
        if role == "span":
            columns = tuple(Column(each, "u64") for each in ("moment", "trace_high", "trace_low", "parent", "goid"))
        columns += (Column("values", "bytes", max(self._size, 8)),)
        around = self._around
        decode = Decoder(
            around.function, self._span, self._slots, min(self._wanted.stack, STACK_FRAMES), around.names, around.symbol
        )
        return declare.Record(
            self._name, row_of(self._name, columns), decode.operation if role == "operation" else decode.moment,
            role=role, kind=self._kind,  # type: ignore[arg-type]
        )  # fmt: skip


def program_shape(types: Types) -> Any:
    """Types by reference, with C's ``char``, which stands for text."""
    from goinst.capture.resolve import CHAR

    return lambda reference: CHAR if reference == "char" else types.shape(reference)


def _labelled(label: str, error: BinaryError) -> BinaryError:
    """The error, which says of which item it is."""
    words = str(error)
    return BinaryError(words if words.startswith(f"{label}: ") else f"{label}: {words}")


def _conjuncts(condition: Condition | None, is_late: Any) -> tuple[list[Condition], list[Condition]]:
    """The terms of a conjunction that can be decided at the call, and those that need the return."""
    if condition is None:
        return [], []
    terms = condition.terms if isinstance(condition, Logic) and condition.operator == "&&" else (condition,)
    return [term for term in terms if not is_late(term)], [term for term in terms if is_late(term)]


__all__ += ["program_shape"]
