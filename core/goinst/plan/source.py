"""The BPF C text of a plan: shared headers, generated record helpers, the plugins' fragments, a wrapper per program.

Everything goes into one translation unit, because BCC rewrites map methods only in the text that it is given itself,
not in files that are included. ``#line`` markers keep the compiler's words pointing at the right file.

Programs of several plugins at one instruction become a chain of tail calls: each has a stack, an instruction budget
and a verdict of the verifier of its own, and their order is the plan's, not the kernel's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Literal

from goinst.errors import PluginError
from goinst.plan.counters import CORE_GONE, CORE_LOSSES, CORE_NOTES
from goinst.plan.records_c import operation_text, record_text
from goinst.plugin.layout import OPERATION_AT, OPERATION_SIZE, Layout
from goinst.plugin.protocol import PIPED_STDIN, Fragment, Protocol
from goinst.plugin.signals import check_signals

if TYPE_CHECKING:
    from goinst.plan.resolve import ResolvedProbe

__all__ = ["TAIL_SLOTS", "Counter", "Part", "Program", "write_source"]

Kind = Literal["hit", "loss", "note", "signal", "gone", "begun", "span"]
# what a fragment may count: by macro, names and what they mean in words
Words = Mapping[str, Mapping[str, str]]

TAIL_SLOTS = 128
_HEADERS = (
    "event.h", "go_types.h", "go_map.h", "go_abi.h", "goroutine.h", "trace.h", "operation.h", "propagate.h",
)  # fmt: skip
_COUNTED = re.compile(r"\b(LOSS|NOTE|SIGNAL|GONE)\(\s*(\w+)\s*\)")
_KINDS: dict[str, Kind] = {"LOSS": "loss", "NOTE": "note", "SIGNAL": "signal", "GONE": "gone"}
_CORE: Words = {"LOSS": CORE_LOSSES, "NOTE": CORE_NOTES, "GONE": CORE_GONE}
_TAIL_CALL = re.compile(r"\bTAIL_CALL\(\s*(\w+)\s*\)")


@dataclass(frozen=True, slots=True)
class Counter:
    """An entry of the counters array. ``kind`` is ``hit``, ``loss``, ``note`` (what is worth a number and no loss),
    ``signal`` (what probes wait for), ``begun`` and ``span`` (operations of a record that have begun, and ended), or
    ``gone`` (those that ended in a way that nobody misses); ``where`` is a symbol, ``file:line`` or a record."""

    kind: Kind
    plugin: str
    name: str
    where: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A BPF program: ``function`` in the source, attached at ``offsets`` (file offsets) or entered through ``slot``
    of the tail-call array. ``semaphores``: for each offset that of its semaphore, or 0. ``attach_on`` is the signal
    that calls for it, ``until`` the one that sends it away again; ``piped_stdin`` waits for a process whose standard
    input is a pipe or a socket; else attached at once."""

    function: str
    plugin: str
    role: Literal["entry", "chain", "tail"]
    symbol: str
    required: bool
    slot: int | None = None
    offsets: tuple[int, ...] = ()
    semaphores: tuple[int, ...] = ()
    attach_on: str = ""
    until: str = ""
    piped_stdin: bool = False
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A plugin that is on, with every macro of its fragment decided."""

    protocol: Protocol
    defines: Mapping[str, str]
    probes: tuple[ResolvedProbe, ...]
    layouts: tuple[Layout, ...]


class _Writer:
    """Collects text, counters and programs; allocates slots."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.counters: list[Counter] = []
        self.programs: list[Program] = []
        self.slots = 0
        self.nobody = "0"  # what stands for the goroutine where the site does not tell

    def counter(self, counter: Counter) -> int:
        self.counters.append(counter)
        return len(self.counters) - 1

    def slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def line(self, text: str = "") -> None:
        self.text.append(text)

    def fragment(self, plugin: str, name: str, text: str, words: Words) -> None:
        """Append C text with each LOSS(reason), NOTE(reason) and SIGNAL(name) turned into a counter of its own."""
        self.line(f'#line 1 "{name}"')
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith(("/*", "* ", "//")):
                self.line(line)  # words about LOSS(...) are no loss
                continue

            def counted(match: re.Match[str], number: int = number) -> str:
                return self._counted(match[1], plugin, match[2], f"{name}:{number}", words)

            self.line(_COUNTED.sub(counted, line))

    def _counted(self, macro: str, plugin: str, name: str, where: str, words: Words) -> str:
        if macro not in words:
            return f"{macro}({name})"  # no macro of the core's: the plugin's own, or the compiler complains
        kind, declared = _KINDS[macro], words[macro]
        if name not in declared:
            plural = "losses" if kind == "loss" else f"{kind}s"
            raise PluginError(plugin, f"{where}: {macro}({name}) is not among its declared {plural} {sorted(declared)}")
        return f"goinst_count({self.counter(Counter(kind, plugin, name, where, declared[name]))})"


def _text(plugin: str, fragment: Fragment) -> str:
    if fragment.text:
        return fragment.text
    try:
        return resources.files(fragment.package).joinpath(fragment.file).read_text()
    except (OSError, ModuleNotFoundError) as error:
        raise PluginError(
            plugin, f"its BPF source {fragment.file} is not installed with {fragment.package}: {error}"
        ) from None


def write_source(
    arch: str, macros: Mapping[str, int], parts: Sequence[Part], *, filter_pids: bool, count_only: bool = False
) -> tuple[str, tuple[Program, ...], tuple[Counter, ...]]:
    """The C text, the programs in it and what its counters count."""
    out = _Writer()
    if "GOINST_NATIVE" in macros:
        out.nobody = "(u32)bpf_get_current_pid_tgid()"  # the thread's id, as the first pid namespace has it
    chains = list(_chains(parts))
    for chain in chains:
        part, probe = chain[0]
        out.counter(Counter("hit", part.protocol.name, probe.program, f"{probe.symbol} {probe.place}"))
    payload = max((x.size for part in parts for x in part.layouts if x.record.role == "operation"), default=8)
    for macro, value in macros.items():
        out.line(f"#define {macro} {value}")
    out.line(f"#define GOINST_TAILS {max([1, *(len(part.protocol.tails) for part in parts)])}")
    out.line(f"#define GOINST_PAYLOAD_WORDS {(payload + 7) // 8}")
    out.line("#define GOINST_ARM64 1" if arch == "arm64" else "#define GOINST_AMD64 1")
    if filter_pids:
        out.line("#define GOINST_FILTER_PIDS 1")
    if count_only:
        out.line("#define GOINST_COUNT_ONLY 1")
    for header in _HEADERS:
        text = resources.files("goinst.bpf").joinpath(header).read_text()
        out.fragment("core", f"goinst/bpf/{header}", text, _CORE)
    for name, at in {**OPERATION_AT, "payload": OPERATION_SIZE}.items():
        where = f"__builtin_offsetof(struct goinst_operation, {name})"
        out.line(f'_Static_assert({where} == {at}, "plugin/layout.py has another {name}");')
    out.line('#line 1 "goinst/generated.h"')
    out.line(f"BPF_PROG_ARRAY(goinst_tails, {TAIL_SLOTS});")
    for part in parts:
        for layout in part.layouts:
            _record(out, layout)
    for part in parts:
        _part(out, part)
    out.line('#line 1 "goinst/generated.c"')
    for index, chain in enumerate(chains):
        _chain(out, index, chain)
    if out.slots > TAIL_SLOTS:
        raise PluginError("core", f"{out.slots} chained and tail-called programs, more than {TAIL_SLOTS}")
    # the counters are only known now
    head = f"#include <uapi/linux/ptrace.h>\n#define GOINST_COUNTERS {len(out.counters)}\n"
    return head + "\n".join(out.text) + "\n", tuple(out.programs), tuple(out.counters)


def _chains(parts: Sequence[Part]) -> Iterator[list[tuple[Part, ResolvedProbe]]]:
    """Programs that share an instruction, in the order they run: base plugins first, closing programs last."""
    groups: dict[tuple[object, ...], list[tuple[Part, ResolvedProbe]]] = {}
    for part in parts:
        for probe in part.probes:
            # what is attached on demand must not wait for, or hold up, what is attached at once
            demand = (part.protocol.name, probe.program) if probe.attach_on else ()
            key = (probe.place, tuple(site.file_offset for site in probe.sites), *demand)
            groups.setdefault(key, []).append((part, probe))
    for group in groups.values():
        yield sorted(group, key=lambda member: member[1].closes)


_OPERATION: tuple[Literal["begun", "span"], ...] = ("begun", "span")


def _record(out: _Writer, layout: Layout) -> None:
    """The C struct of a record and the functions by which a fragment fills and sends it, with their counters."""
    name, plugin, where = layout.record.name, layout.plugin, f"record {layout.record.name}"
    full, busy = (
        out.counter(Counter("loss", plugin, reason, where, CORE_LOSSES[reason]))
        for reason in ("ring_full", "ring_busy")
    )
    if layout.record.role != "operation":
        out.line(record_text(layout, full, busy))
        return
    begun, done = (out.counter(Counter(kind, plugin, name, where)) for kind in _OPERATION)
    out.line(operation_text(layout, full, busy, begun, done))


def _part(out: _Writer, part: Part) -> None:
    """A plugin's fragments between the definition of its macros and their end: names of two plugins never mix."""
    protocol = part.protocol
    check_signals(protocol)
    tails = {tail.program: index for index, tail in enumerate(protocol.tails)}
    failed = 0
    if tails:
        failed = out.counter(
            Counter("loss", protocol.name, "tail_call_failed", "TAIL_CALL", CORE_LOSSES["tail_call_failed"])
        )
    words = {"LOSS": protocol.losses, "NOTE": protocol.notes, "SIGNAL": dict.fromkeys(protocol.signals, "")}
    for macro, value in part.defines.items():
        out.line(f"#define {macro} {value}")
    for fragment in protocol.fragments:

        def tail(match: re.Match[str], fragment: Fragment = fragment) -> str:
            if match[1] not in tails:
                raise PluginError(protocol.name, f"{fragment.file}: TAIL_CALL({match[1]}) is not among its tails")
            # BCC rewrites a map method only where it stands in plain text
            return f"({{ goinst_tails.call(ctx, hit->tails[{tails[match[1]]}]); goinst_count({failed}); }})"

        text = _TAIL_CALL.sub(tail, _text(protocol.name, fragment))
        out.fragment(protocol.name, f"{protocol.name}/{fragment.file}", text, words)
    for macro in part.defines:
        out.line(f"#undef {macro}")


def _chain(out: _Writer, index: int, chain: Sequence[tuple[Part, ResolvedProbe]]) -> None:
    """The programs of one instruction: the first is attached, each enters the next by a tail call."""
    slots = [out.slot() for _ in chain[1:]]
    for position, (part, probe) in enumerate(chain):
        then = slots[position] if position < len(slots) else None
        tails = _reachable(part, probe.program)
        base = {tail: out.slot() for tail in tails}
        name = f"goinst_{index}_{position}_{probe.program}"
        _wrapper(out, name, probe, probe.program, base, part, then, index if position == 0 else None)
        piped_stdin = probe.attach_on == PIPED_STDIN
        out.programs.append(
            Program(
                function=name,
                plugin=part.protocol.name,
                role="entry" if position == 0 else "chain",
                symbol=probe.symbol or "",
                required=not probe.optional,
                slot=None if position == 0 else slots[position - 1],
                offsets=tuple(site.file_offset for site in probe.sites) if position == 0 else (),
                semaphores=tuple(site.semaphore for site in probe.sites) if position == 0 else (),
                attach_on="" if piped_stdin else probe.attach_on,
                until=probe.until,
                piped_stdin=piped_stdin,
                lost=probe.lost,
            )
        )
        for tail, slot in base.items():
            name = f"goinst_{index}_{position}_tail_{tail}"
            _wrapper(out, name, probe, tail, base, part, then, None)
            out.programs.append(Program(name, part.protocol.name, "tail", probe.symbol or "", not probe.optional, slot))


def _reachable(part: Part, program: str) -> list[str]:
    """The tail-called programs that a program enters, at once or through another one."""
    declared = [tail.program for tail in part.protocol.tails]
    text = "\n".join(_text(part.protocol.name, fragment) for fragment in part.protocol.fragments)
    bodies = {m[1]: m[2] for m in re.finditer(r"^PROBE\((\w+)\)(.*?)(?=^PROBE\(|\Z)", text, re.DOTALL | re.MULTILINE)}
    found: list[str] = []
    to_see = [program]
    while to_see:
        for match in _TAIL_CALL.finditer(bodies.get(to_see.pop(), "")):
            if match[1] in declared and match[1] not in found:
                found.append(match[1])
                to_see.append(match[1])
    return found


def _wrapper(
    out: _Writer,
    name: str,
    probe: ResolvedProbe,
    body: str,
    slots: Mapping[str, int],
    part: Part,
    then: int | None,
    hit: int | None,
) -> None:
    site = probe.sites[0]
    out.line(f"int {name}(struct pt_regs *ctx)\n{{\n    struct goinst_hit here = {{}}, *hit = &here;")
    if hit is not None:
        out.line("    if (!goinst_this_way(ctx))\n        return 0;")
    if hit is not None and site.guard:
        out.line("    if (GOINST_BRANCH_TAKEN(ctx))\n        return 0;")
    out.line("    hit->tgid = bpf_get_current_pid_tgid() >> 32;")
    if hit is not None:
        out.line(f"    if (!goinst_traced(hit->tgid))\n        return 0;\n    goinst_count({hit});")
    out.line(f"    hit->g = {f'ctx->{site.g}' if site.g else out.nobody};")
    out.line(f"    hit->sp = GOINST_SP(ctx) + {site.stack_adjust};")
    for number, tail in enumerate(part.protocol.tails):
        if tail.program in slots:
            out.line(f"    hit->tails[{number}] = {slots[tail.program]};")
    out.line(f"    {body}(ctx, hit);")
    if then is not None:
        out.line(f"    goinst_tails.call(ctx, {then});")
    out.line("    return 0;\n}")
