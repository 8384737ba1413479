"""Which functions make a goroutine a worker: one that waits again and again for what others want done.

Whoever has such a function as its first one (as ``go pool.run()`` gives it) works for others than those that started
it. Nothing at run time tells: a goroutine that waits for the answer to its own call looks the same as one that waits
for work. The code does: work is taken in a loop.

A *take* is a call by which a goroutine gets something from others, and waits until there is something: a receive from
a channel, a select, sync.Cond.Wait. Asking without waiting whether there is a signal (``select { case <-done: default:
}``) is none. A *worker loop* has a take in it, and calls other functions, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from goinst.binary.machine.flow import Call, Flow
from goinst.binary.machine.steps import Slot
from goinst.errors import BinaryError
from goinst.golang.calls import Calls
from goinst.golang.symbols import package_of

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["WORKER", "find_workers"]

WORKER = 0
"""What a worker's function is marked with. Others: bit n (1 to 7) when the n-th word of its closure may be the function
that it calls; and, when the address of what it calls is so many bytes (bits 16 to 31) behind what a word points to,
which word that is (bits 8 to 15): it points to an interface's method table."""

_MAX_CODE = 1 << 18  # bytes of a function that is looked at
_HEAD = 256  # of one that is only looked at for what it takes from its closure
_MOST_WORDS = 7
_LEVELS = 3  # callers of callers, in one package

# what is received: the index of the argument that says where to put it, nil for nothing
_RECEIVES = {"runtime.chanrecv1": 1, "runtime.chanrecv2": 1}
_POLLS = {"runtime.selectnbrecv": 0}
_SELECT = "runtime.selectgo"
_WAITS = (
    "sync.(*Cond).Wait", "sync.runtime_notifyListWait", "reflect.Select", "reflect.rselect", "reflect.chanrecv",
    "reflect.Value.Recv", "reflect.Value.recv",
)  # fmt: skip
_LOCKS = (
    "sync.(*Mutex).lockSlow", "internal/sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock", "internal/sync.(*Mutex).Lock",
    "sync.(*RWMutex).Lock",
)  # fmt: skip
_UNLOCKS = (
    "sync.(*Mutex).unlockSlow", "internal/sync.(*Mutex).unlockSlow", "sync.(*Mutex).Unlock",
    "internal/sync.(*Mutex).Unlock", "sync.(*RWMutex).Unlock",
)  # fmt: skip
# who calls one of these waits for the answer to a question of its own
_MAKES = ("runtime.makechan", "runtime.makechan64")
_ASKS = (*_MAKES, "runtime.chansend1", "runtime.selectnbsend", "runtime.newproc")
_STARTS = "runtime.newproc"
_LEAVES = re.compile(r"runtime\.(panic|gopanic|goPanic|throw|fatal|morestack|block$|goexit|unreachable|sigpanic)")
# packages whose functions lead to no call of another program
_IDLE = re.compile(
    r"(runtime|internal|sync|time|context|errors|fmt|log|strings|bytes|strconv|sort|slices|maps|math|unicode)(/.*)?"
)
# pools whose workers take work from a list under a lock in another function, and end when there is none
_KNOWN = ("github.com/alitto/pond/v2.(*pool).worker",)


def find_workers(binary: GoBinary) -> dict[int, int]:
    """Return marks by the address of the function: of workers, and of functions that goroutines start with and that
    may call one by way of their closure."""
    return _Search(binary).marks()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen in a function: a worker ``loop``; whether that takes a ``value`` that is not of a channel made
    here; whether it waits for a signal, and then looks into something ``locked``."""

    loop: bool = False
    value: bool = False
    locked: bool = False


class _Search:
    """The search in one binary."""

    def __init__(self, binary: GoBinary) -> None:
        self._binary = binary
        self._functions = binary.functions
        self._entries = binary.functions.entries
        self._calls = Calls(binary.image, binary.functions)
        self._checked = binary.info.abi == "register"  # else arguments are on the stack, and all takes count
        self._takes = self._named((*_RECEIVES, *_POLLS, _SELECT, *_WAITS))
        self._locks, self._unlocks = self._named(_LOCKS), self._named(_UNLOCKS)
        self._makes, self._asks = self._named(_MAKES), self._named(_ASKS)
        self._names: dict[int, str] = {}
        self._flows: dict[int, Flow | None] = {}
        self._given: dict[int, bool] = {}

    def marks(self) -> dict[int, int]:
        """Look into what takes and what starts goroutines; then at who calls those."""
        seen = {self._entry(index): self._look(index) for index in self._calls.owners(self._takes, again=True)}
        loops = {entry for entry, each in seen.items() if each.loop}
        values = {entry for entry, each in seen.items() if each.value}
        takers = {self._entry(index) for index in self._calls.owners(self._takes)}
        giving = takers - {self._entry(index) for index in self._calls.owners(self._asks)}
        for index in self._calls.owners(giving, again=True):
            if self._entry(index) not in loops and self._asks_again(index, giving):
                values.add(self._entry(index))
        values.update(self._named(_KNOWN))
        starts, again = self._started()
        values.update(entry for entry in again & takers if self._hands_out(entry))
        first = starts | {each for entry in starts if self._made(entry) for each in self._calls.of(entry)}
        values.update(entry for entry in first & self._lockers - values if self._drains(entry))
        workers = self._with_callers(values, _LEVELS)
        workers |= self._with_callers({entry for entry, each in seen.items() if each.locked}, 1)
        workers |= self._with_callers(loops, 0)
        marks = dict.fromkeys(workers, WORKER)
        for entry in starts:
            if entry not in marks and (mark := self._mark(entry)):
                marks[entry] = mark
        return marks

    # One function

    def _look(self, index: int) -> _Seen:
        flow = self._flow(index)
        kinds = {call.at: kind for call in flow.calls if (kind := self._kind(flow, call))}
        near = self._lockers_of.get(package_of(self._name(self._entry(index))), set())
        found, locked = set[str](), False
        for loop, calls in self._working(flow):
            inside = [call for call in calls if call.at in kinds]
            kept = (
                {kinds[call.at] for call in inside}
                if not self._inlined(index)
                else self._own(index, loop, inside, kinds)
            )
            found |= kept
            locked = locked or (
                "signal" in kept and any(call.target in self._locks or call.target in near for call in calls)
            )
        makes = any(call.target in self._makes for call in flow.calls)
        return _Seen(bool(found), "value" in found and not makes, locked and not makes)

    def _working(self, flow: Flow) -> Iterator[tuple[frozenset[int], list[Call]]]:
        """The loops of a function that call others, and what they call."""
        for loop in flow.loops:
            calls = flow.called(loop)
            if any(self._works(call) for call in calls):
                yield loop, calls

    def _kind(self, flow: Flow, call: Call) -> str:
        """What a call takes: a ``value``, a ``signal`` (nobody looks at what came), or nothing."""
        name = self._takes.get(call.target or 0, "")
        if not name or not self._checked:
            return "value" if name else ""
        if name in _RECEIVES:
            return "signal" if flow.argument(call, _RECEIVES[name]) == 0 else "value"
        if name in _POLLS:
            return "" if flow.argument(call, _POLLS[name]) == 0 else "value"
        if name != _SELECT:
            return "value"
        # func selectgo(cas0 *scase, order0 *uint16, pc0 *uintptr, nsends, nrecvs int, block bool) (int, bool);
        # type scase struct { c *hchan; elem unsafe.Pointer }, first those that send (runtime/select.go)
        cases, sends, receives, blocks = (flow.argument(call, number) for number in (0, 3, 4, 5))
        if receives == 0:
            return ""
        stored = flow.stored
        if stored is None or not isinstance(cases, Slot) or not isinstance(sends, int) or not isinstance(receives, int):
            return "value"
        if any(cases.offset + 16 * case + 8 in stored for case in range(sends, sends + receives)):
            return "value"
        return "" if blocks == 0 else "signal"

    def _works(self, call: Call) -> bool:
        """Whether a call may lead to a call of another program, or starts a goroutine that does."""
        if call.target is None:
            return True
        name = self._name(call.target)
        return name == _STARTS or (call.target not in self._takes and not _IDLE.fullmatch(package_of(name)))

    def _inlined(self, index: int) -> bool:
        return any(value >= 0 for value in self._functions.values(index, "inlined").values)

    def _own(self, index: int, loop: frozenset[int], takes: list[Call], kinds: dict[int, str]) -> set[str]:
        """What is taken in a loop. In the body of another function, which is inlined into the loop, only values count,
        and only if it is no answer to what that function has asked."""
        flow = self._flow(index)
        owner = min((self._chain(index, at) for at in [*loop, *(call.at for call in flow.called(loop))]), key=len)
        found: set[str] = set()
        for call in takes:
            body = self._chain(index, call.at)[: len(owner) + 1]
            if len(body) > len(owner) and (
                kinds[call.at] != "value"
                or any(
                    each.target in self._asks and self._chain(index, each.at)[: len(body)] == body
                    for each in flow.calls
                )
            ):
                continue
            found.add(kinds[call.at])
        return found

    def _chain(self, index: int, address: int) -> tuple[int, ...]:
        """The numbers of the inlined bodies that an instruction is in, the outermost first."""
        values, inlines = self._functions.values(index, "inlined"), self._binary.inlines
        number, chain = values.at(address - int(self._entries[index])), list[int]()
        while number >= 0 and number not in chain:
            chain.insert(0, number)
            body = inlines.body(index, number)
            number = values.at(body[1]) if body else -1
        return tuple(chain)

    def _asks_again(self, index: int, giving: set[int]) -> bool:
        """Whether a function calls one in a loop that hands out what it takes, and calls others, too."""
        for _, calls in self._working(self._flow(index)):
            called = {call.target for call in calls if call.target in giving and self._hands_out(call.target)}
            if called and any(call.target not in called and self._works(call) for call in calls):
                return True
        return False

    def _hands_out(self, entry: int) -> bool:
        """Whether a function takes a value."""
        if entry not in self._given:
            flow = self._flow(self._index(entry))
            self._given[entry] = any(self._kind(flow, call) == "value" for call in flow.calls)
        return self._given[entry]

    def _drains(self, entry: int) -> bool:
        """Whether a loop ends by what it finds under a lock: a list of work that others fill is empty."""
        flow = self._flow(self._index(entry))
        unlock = {start for start, block in flow.blocks.items() if any(c.target in self._unlocks for c in block.calls)}
        last = unlock | {start for start, block in flow.blocks.items() if unlock & {*block.next}}
        for loop, calls in self._working(flow):
            held: set[int] = set()
            ahead = [each for call in calls if call.target in self._locks for each in flow.blocks[call.block].next]
            while ahead:
                start = ahead.pop()
                if start in loop and start not in last and start not in held:
                    held.add(start)
                    ahead += flow.blocks[start].next
            if any(each not in loop and flow.returns(each) for start in held for each in flow.blocks[start].next):
                return True
        return False

    # Who calls whom

    def _started(self) -> tuple[set[int], set[int]]:
        """The functions that goroutines start with, and some more: those whose address is taken where one is started;
        and functions that start a goroutine with themselves."""
        found: set[int] = set()
        again: set[int] = set()
        for index in self._calls.owners(self._named((_STARTS,))):
            entry = self._entry(index)
            for address in self._calls.addresses(index):
                for each in (address, self._word(address)):  # of the code, or of a word that holds it
                    if each is not None and self._name(each):
                        found.add(each)
                        if each == entry or (self._made(each) and entry in self._calls.of(each)):
                            again.add(entry)
        return found, again

    def _made(self, entry: int) -> bool:
        """Whether the compiler has made the function, to call another one."""
        return self._functions.is_wrapper(self._index(entry))

    def _mark(self, entry: int) -> int:
        """How a function that a goroutine starts with may come to another one by its closure."""
        flow = self._flows.get(index := self._index(entry)) or self._read(index, _HEAD)
        words, called = flow.captured
        mark = sum(1 << word for word in words if 0 < word <= _MOST_WORDS)
        if called is not None and called[0] <= _MOST_WORDS and 0 < called[1] < 1 << 16:
            mark |= called[0] << 8 | called[1] << 16
        return mark

    def _with_callers(self, entries: set[int], levels: int) -> set[int]:
        """With those that call them: functions of the same package, so many levels up, of another package one, and at
        all levels what the compiler has made."""
        found, new, level = set(entries), set(entries), 0
        while new:
            more: set[int] = set()
            for index in self._calls.owners(new):
                entry = self._entry(index)
                if entry in found:
                    continue
                near = level < levels and (
                    (level == 0 and levels == _LEVELS)
                    or package_of(self._name(entry))
                    in {package_of(self._name(each)) for each in self._calls.of(entry) if each in new}
                )
                if near or self._made(entry):
                    more.add(entry)
            found |= more
            new = more
            level += 1
        return found

    @cached_property
    def _lockers(self) -> set[int]:
        return {self._entry(index) for index in self._calls.owners(self._locks)}

    @cached_property
    def _lockers_of(self) -> dict[str, set[int]]:
        """The functions that lock, by package."""
        found: dict[str, set[int]] = {}
        for entry in self._lockers:
            found.setdefault(package_of(self._name(entry)), set()).add(entry)
        return found

    # Names, code, calls

    def _named(self, names: Iterable[str]) -> dict[int, str]:
        return {found.entry: name for name in names if (found := self._functions.function(name)) is not None}

    def _entry(self, index: int) -> int:
        return int(self._entries[index])

    def _name(self, entry: int) -> str:
        """The name of the function that starts at an address; nothing when none does."""
        name = self._names.get(entry)
        if name is None:
            found = self._functions.containing(entry)
            name = self._names[entry] = found.name if found is not None and found.entry == entry else ""
        return name

    def _index(self, entry: int) -> int:
        return int(np.searchsorted(self._entries, entry))

    def _flow(self, index: int) -> Flow:
        flow = self._flows.get(index)
        if flow is None:
            flow = self._flows[index] = self._read(index, _MAX_CODE)
        return flow

    def _read(self, index: int, most: int) -> Flow:
        start, end = self._entry(index), self._entry(index + 1)
        code = self._binary.image.read(start, min(end - start, most))
        return Flow(self._binary.info.arch, code, start, self._is_last, self._word)

    def _is_last(self, target: int) -> bool:
        return _LEAVES.match(self._name(target)) is not None

    def _word(self, address: int) -> int | None:
        try:
            return self._binary.image.u64(address)
        except BinaryError:
            return None
