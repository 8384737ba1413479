"""How a function runs: its blocks, the loops that they make, what it calls where and with what.

Read off the machine code (amd64, arm64) of Go functions; what cannot be told is said to be unknown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import capstone

from goinst.binary.machine.steps import READERS, Lite, Slot

__all__ = ["Block", "Call", "Flow"]

_TABLE = 1 << 12  # entries of a jump table
_own = threading.local()  # a disassembler's handle must not be used by two threads at a time


class Call(NamedTuple):
    """A call: ``number`` of its instruction, its ``block``, and what is called; None for what is computed."""

    at: int
    number: int
    block: int
    target: int | None


@dataclass(slots=True)
class Block:
    """Code that runs from its start to its end: what it calls, which blocks can follow, whether it can return."""

    calls: list[Call] = field(default_factory=list)
    next: list[int] = field(default_factory=list)
    returns: bool = False


class Flow:
    """The code of one function at ``address``.

    ``leaves`` says of a function's address that calls of it do not come back; ``word`` reads eight bytes of the
    program's constants, for the tables of switch statements.
    """

    def __init__(
        self, arch: str, code: bytes, address: int, leaves: Callable[[int], bool], word: Callable[[int], int | None]
    ) -> None:
        self._reader = READERS[arch]
        self._code: list[Lite] = list(_disassembler(arch).disasm_lite(code, address))
        self._start, self._end = address, address + len(code)
        self._leaves = leaves
        self._word = word

    @property
    def calls(self) -> Iterator[Call]:
        """All calls, by address; a jump out of the function is one."""
        for start in self.blocks:
            yield from self.blocks[start].calls

    @cached_property
    def _turns(self) -> list[tuple[int, int, int, str, int | None]]:
        """What does not just go on to the next instruction: number, address, end, kind, target."""
        reader, found = self._reader, list[tuple[int, int, int, str, int | None]]()
        for number, (at, size, mnemonic, operands) in enumerate(self._code):
            if kind := reader.kind(mnemonic):
                target = reader.target(operands) if kind not in ("end", "return") else None
                if kind == "call" and target is not None and self._leaves(target):
                    kind = "end"
                found.append((number, at, at + size, kind, target))
        return found

    @cached_property
    def blocks(self) -> dict[int, Block]:
        """The blocks by address."""
        starts = self._starts
        blocks = {start: Block() for start in starts}
        number = 0
        for index, start in enumerate(starts):
            following = starts[index + 1] if index + 1 < len(starts) else self._end
            block, falls = blocks[start], True
            while number < len(self._turns) and self._turns[number][1] < following:
                turn, at, _, kind, target = self._turns[number]
                number += 1
                if kind == "call":
                    block.calls.append(Call(at, turn, start, target))
                elif kind in ("jump", "branch"):
                    if target is None:
                        block.next += self._table(turn) or starts
                    elif target in blocks:
                        block.next.append(target)
                    else:
                        block.calls.append(Call(at, turn, start, target))
                block.returns = block.returns or kind == "return"
                falls = kind in ("call", "branch")
            if falls and following in blocks:
                block.next.append(following)
        return blocks

    @cached_property
    def _starts(self) -> list[int]:
        """Where blocks start, rising."""
        found = {self._start}
        for number, _, end, kind, target in self._turns:
            if kind == "call":
                continue
            found.add(end)
            if target is not None:
                found.add(target)
            elif kind in ("jump", "branch"):
                found.update(self._table(number))
        known = {at for at, *_ in self._code}
        return sorted(found & known)

    def _table(self, number: int) -> list[int]:
        """Where a jump through a switch's table goes; nothing when the table is not found."""
        table = self._reader.table(self._code[max(number - 6, 0) : number + 1])
        found: list[int] = []
        while table is not None and len(found) < _TABLE:
            target = self._word(table + 8 * len(found))
            if target is None or not self._start <= target < self._end:
                break
            found.append(target)
        return found

    @cached_property
    def loops(self) -> tuple[frozenset[int], ...]:
        """The blocks of each loop, those of the loops within it included: what can run again after itself."""
        if not any(to <= start for start, block in self.blocks.items() for to in block.next):
            return ()
        return tuple(_components({start: block.next for start, block in self.blocks.items()}))

    def called(self, blocks: frozenset[int]) -> list[Call]:
        """The calls in these blocks."""
        return [call for start in blocks for call in self.blocks[start].calls]

    def returns(self, start: int) -> bool:
        """Whether the function can be left by returning, from this block on."""
        seen, ahead = {start}, [start]
        while ahead:
            block = self.blocks[ahead.pop()]
            if block.returns:
                return True
            ahead += [each for each in block.next if each not in seen]
            seen.update(block.next)
        return False

    def argument(self, call: Call, index: int) -> int | Slot | None:
        """The integer argument of a call, counted from 0, when it is a constant or an address in the frame that is
        set in the call's own block; else None."""
        reader = self._reader
        names = reader.arguments[index]
        for number in range(call.number - 1, -1, -1):
            at, _, mnemonic, operands = self._code[number]
            if at < call.block or reader.kind(mnemonic) == "call":
                return None
            if operands.partition(",")[0] in names and reader.writes(mnemonic):
                return reader.value(mnemonic, operands)
        return None

    @cached_property
    def captured(self) -> tuple[frozenset[int], tuple[int, int] | None]:
        """What the function takes from its closure before it calls something: the numbers of the words; and the word,
        and the offset in what that points to, where the address of what it calls is: in an interface's method table."""
        reader, context = self._reader, self._reader.context
        words: set[int] = set()
        known: dict[str, tuple[int, ...]] = {}
        for _, _, mnemonic, operands in self._code:
            kind = reader.kind(mnemonic)
            if kind == "call":
                path = known.get(operands, ())
                return frozenset(words), (path[0], path[1]) if len(path) == 2 else None
            if kind in ("jump", "return", "end"):
                break
            if kind or not reader.writes(mnemonic):
                continue
            to, _, rest = operands.partition(", ")
            for number, (register, base, offset) in enumerate(reader.loads(mnemonic, operands)):
                if base == context and offset % 8 == 0:
                    words.add(offset // 8)
                    known[register] = (offset // 8,)
                elif number == 0 and len(path := known.get(base, ())) == 1:
                    known[register] = (*path, offset)
                else:
                    known.pop(register, None)
                to = register
            if to not in known or not reader.loads(mnemonic, operands):
                known.pop(to, None)
                if mnemonic == "mov" and rest in known:
                    known[to] = known[rest]
            if to == context:
                context = ""
        return frozenset(words), None

    @cached_property
    def stored(self) -> frozenset[int] | None:
        """Offsets from SP of the words that something else than zero is stored to; None when not all are known."""
        found: set[int] = set()
        for _, _, mnemonic, operands in self._code:
            offsets = self._reader.stores(mnemonic, operands)
            if offsets is None:
                return None
            found.update(offsets)
        return frozenset(found)


def _components(edges: dict[int, list[int]]) -> Iterator[frozenset[int]]:
    """Give the strongly connected parts of a graph that have a cycle (Tarjan 1972), without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    for root in edges:
        if root in index:
            continue
        path = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        waiting.add(root)
        while path:
            node, ahead = path[-1]
            for following in ahead:
                if following not in index:
                    index[following] = low[following] = len(index)
                    stack.append(following)
                    waiting.add(following)
                    path.append((following, iter(edges[following])))
                    break
                if following in waiting:
                    low[node] = min(low[node], index[following])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    part, stack[at:] = frozenset(stack[at:]), []
                    waiting -= part
                    if len(part) > 1 or node in edges[node]:
                        yield part


def _disassembler(arch: str) -> capstone.Cs:
    handles: dict[str, capstone.Cs] | None = getattr(_own, "handles", None)
    if handles is None:
        handles = _own.handles = {}
    if arch not in handles:
        handles[arch] = capstone.Cs(*READERS[arch].machine)
    return handles[arch]
