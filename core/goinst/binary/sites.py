"""Where to put a uprobe: the cheapest instruction that every call passes exactly once with its arguments in
place.

A uprobe on an instruction that the kernel emulates costs a tenth of one on an instruction that it must step
out of line. A probe on the first instruction would also fire again each time the goroutine's stack grows: the
stack check that Go functions start with calls runtime.morestack and jumps back to the first instruction.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from goinst.binary.machine.amd64 import AMD64
from goinst.binary.machine.arm64 import ARM64
from goinst.binary.machine.instruction import Instruction, Machine, Scan
from goinst.binary.model import BinaryInfo, Function, Place, Site
from goinst.errors import BinaryError

if TYPE_CHECKING:
    from goinst.binary.elf import Image

__all__ = ["Code", "decode_one", "find_sites", "jumps_out"]

_MAX_CODE = 1 << 20  # bytes of one function; the largest of a real server has about 50,000
_CHECK = 14  # instructions that a stack check takes at most, with its branch
_MORESTACK = 96  # instructions of the block that saves arguments, calls runtime.morestack and starts again
_LONGEST_INSTRUCTION = 16  # bytes
_STRAIGHT = 32  # instructions that are followed in a function without a stack check

_MACHINES: dict[str, type[Machine]] = {"amd64": AMD64, "arm64": ARM64}
_own = threading.local()  # a disassembler's handle must not be used by two threads at a time


class Code(Protocol):
    """What sites are looked for in: a GoBinary."""

    @property
    def image(self) -> Image:
        """The file's memory."""

    @property
    def info(self) -> BinaryInfo:
        """Machine and ABI."""

    def function(self, name: str) -> Function | None:
        """Return a function by name."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """An instruction and the reasons for it."""

    instruction: Instruction
    why: str
    g: str = ""
    guard: str | None = None
    adjust: int = 0


def find_sites(binary: Code, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
    """Return the sites in ``symbol``, by address; none when it is not a function of the binary.

    ``entry``: one. ``return``: every RET; a function that is never left by one has none. ``call``: every
    direct call of ``callee``, where its arguments are in place; ``stack_adjust`` leads to SP at the callee's
    first instruction. BinaryError when the code cannot be decoded, or when the kernel would refuse the only
    instruction possible.
    """
    function = binary.function(symbol)
    called = binary.function(callee) if place == "call" else None
    if function is None or (place == "call" and called is None):
        return ()
    size = function.end - function.entry
    if not 0 < size <= _MAX_CODE:
        raise BinaryError(f"function {symbol}: has {size} bytes; 1 to {_MAX_CODE} can be probed; choose another")
    search = _Search(binary, function, binary.image.read(function.entry, size))
    return search.calls(called) if called else search.sites(place)


def jumps_out(binary: Code, symbol: str) -> tuple[int, ...]:
    """Return the addresses outside the function that it jumps to: calls that end in another function's RET."""
    function = binary.function(symbol)
    if function is None or not 0 < function.end - function.entry <= _MAX_CODE:
        return ()
    code = binary.image.read(function.entry, function.end - function.entry)
    targets = _machine(binary.info.arch).scan(code, function.entry).targets
    return tuple(sorted(target for target in targets if not function.entry <= target < function.end))


def decode_one(arch: str, code: bytes, address: int) -> tuple[str, bool]:
    """Return the text of the instruction that the bytes begin with, and whether the kernel emulates it; nothing when
    they are none."""
    machine = _machine(arch)
    decoded = machine.decode(code, address, 1)
    return (decoded[0].text, machine.emulated(decoded[0])) if decoded else ("", False)


def site_at(binary: Code, function: Function, address: int, why: str, *, depth: int) -> Site:
    """Return the site for the instruction at ``address``, somewhere in a function, for place ``line``.

    ``depth``: how many bytes SP is below where it was at the function's first instruction.

    BinaryError when the kernel takes no probe there.
    """
    code = binary.image.read(address, min(_LONGEST_INSTRUCTION, max(function.end - address, 0)))
    machine = _machine(binary.info.arch)
    instruction = next(iter(machine.decode(code, address, 1)), None)
    offset = binary.image.file_offset(address)
    if instruction is None or offset is None or machine.refused(instruction):
        raise BinaryError(f"function {function.name}: cannot be probed at {address:#x}; choose another line")
    return Site(
        symbol=function.name,
        place="line",
        address=address,
        file_offset=offset,
        instruction=instruction.text,
        emulated=machine.emulated(instruction),
        guard=None,
        g=binary.info.goroutine or None,
        stack_adjust=max(depth, 0),
        why=why,
    )


def start_of(binary: Code, function: Function, count: int = 64) -> tuple[Instruction, ...]:
    """Return the first instructions of a function."""
    code = binary.image.read(function.entry, min(function.end - function.entry, count * _LONGEST_INSTRUCTION))
    return _machine(binary.info.arch).decode(code, function.entry, count)


def _machine(arch: str) -> Machine:
    machines: dict[str, Machine] | None = getattr(_own, "machines", None)
    if machines is None:
        machines = _own.machines = {}
    if arch not in machines:
        machines[arch] = _MACHINES[arch]()
    return machines[arch]


class _Search:
    """The search in one function."""

    def __init__(self, binary: Code, function: Function, code: bytes) -> None:
        self._image = binary.image
        self._machine = _machine(binary.info.arch)
        self._abi, self._native = binary.info.abi, binary.info.native
        self._goroutine = binary.info.goroutine
        self._function = function
        self._code = code

    def sites(self, place: Place) -> tuple[Site, ...]:
        if place == "return":
            return tuple(self._site(place, choice) for choice in self._returns(self._scan_all()))
        return (self._site(place, self._entry(self._machine.scan(self._code, self._function.entry))),)

    def calls(self, callee: Function) -> tuple[Site, ...]:
        scan = self._scan_all()
        why = f"a call of {callee.name}: the kernel emulates it, its arguments are in place"
        at = (address for address, target in scan.calls if target == callee.entry)
        found = (self._decode(address, 1)[0] for address in at)
        return tuple(self._site("call", _Choice(each, why, adjust=-self._machine.pushed)) for each in found)

    def _scan_all(self) -> Scan:
        scan = self._machine.scan(self._code, self._function.entry)
        if scan.decoded < self._function.end:
            raise self._error("its code cannot be decoded", scan.decoded)
        return scan

    def _entry(self, scan: Scan) -> _Choice:
        head = self._decode(self._function.entry, _CHECK)
        if not head:
            raise self._error("its first bytes are no instruction", self._function.entry)
        checked = self._behind_check(head, scan) if not self._native else None
        choice = checked or self._straight(scan) or self._first(head[0], scan)
        if self._machine.refused(choice.instruction):
            raise self._error(f"the kernel takes no probe on {choice.instruction.text!r}", choice.instruction.address)
        return choice

    def _behind_check(self, head: Sequence[Instruction], scan: Scan) -> _Choice | None:
        """Choose the instruction behind the stack check, or the branch that ends it; None without a check."""
        check = self._check(head)
        if check is None:
            return None
        branch, g = check
        following = head[branch + 1] if branch + 1 < len(head) else None
        if following and self._machine.emulated(following) and following.address not in scan.targets:
            return _Choice(
                following,
                "first instruction behind the stack check: the kernel emulates it, every call passes it once, "
                "arguments are in place",
                g=g,
            )
        inside = {instruction.address for instruction in head[1 : branch + 1]}
        if inside & scan.targets:
            return None
        return _Choice(
            head[branch],
            "the stack check's branch, which the kernel emulates (what follows it, it does not); counts when not "
            "taken, which is once per call, arguments are in place",
            g=g,
            guard=self._machine.guard,
        )

    def _check(self, head: Sequence[Instruction]) -> tuple[int, str] | None:
        """Return the index of the branch that ends the stack check, when it is proven to be one, and where g is."""
        g = ""
        for index, instruction in enumerate(head[:_CHECK]):
            branches = instruction.mnemonic == self._machine.guard or instruction.mnemonic in self._machine.early
            if branches:
                if not self._starts_again(self._machine.target(instruction)):
                    return None
                if instruction.mnemonic == self._machine.guard and g:
                    return index, g
            elif not self._machine.prepares(instruction, self._abi):
                return None
            g = g or self._machine.limit(instruction)
        return None

    def _starts_again(self, address: int | None) -> bool:
        """Say whether the block at ``address`` calls something (runtime.morestack) and jumps to the entry."""
        if address is None or not self._function.entry <= address < self._function.end:
            return False
        called = False
        for instruction in self._decode(address, _MORESTACK):
            if (target := self._machine.target(instruction)) is not None:
                return called and target == self._function.entry
            called = called or self._machine.calls(instruction)
        return False

    def _straight(self, scan: Scan) -> _Choice | None:
        """Choose the first emulated instruction of the straight-line code that a function starts with.

        A call that ends before it by dereferencing a nil argument is not counted.
        """
        head = self._decode(self._function.entry, _STRAIGHT)
        # A jump to an address that is not known, or out of code that is not known, may lead back here.
        known = not scan.indirect and scan.decoded >= self._function.end
        adjust: int | None = 0
        for instruction in head:
            certain = known or instruction is head[0]
            # no C compiler jumps back to where a register is saved: each time, the stack would be deeper
            certain = certain or (self._native and instruction.mnemonic == self._machine.save)
            again = instruction.address in scan.targets or not certain
            if adjust is None or again or self._machine.refused(instruction):
                return None
            if self._machine.emulated(instruction):
                where = "first instruction" if instruction is head[0] else "in the straight-line code at the start"
                return _Choice(
                    instruction,
                    f"no stack check; {where}: the kernel emulates it, every call passes it once, arguments are "
                    "in place",
                    adjust=adjust,
                )
            adjust = self._machine.passes(instruction, adjust, self._abi)
        return None

    def _first(self, first: Instruction, scan: Scan) -> _Choice:
        why = "first instruction: no emulated one is certain to be passed once with arguments in place"
        if first.address in scan.targets:
            why += "; the function jumps back to it, so one call may count several times"
        return _Choice(first, why)

    def _returns(self, scan: Scan) -> list[_Choice]:
        found = (self._decode(address, 1)[0] for address in scan.returns)
        return [_Choice(each, "a RET: results are in place, SP is as at entry") for each in found]

    def _site(self, place: Place, choice: _Choice) -> Site:
        instruction = choice.instruction
        offset = self._image.file_offset(instruction.address)
        if offset is None:
            raise self._error("its code is not in the file", instruction.address)
        return Site(
            symbol=self._function.name,
            place=place,
            address=instruction.address,
            file_offset=offset,
            instruction=instruction.text,
            emulated=self._machine.emulated(instruction),
            guard=choice.guard,
            g=self._goroutine or choice.g or None,
            stack_adjust=choice.adjust,
            why=choice.why,
        )

    def _decode(self, address: int, count: int) -> tuple[Instruction, ...]:
        return self._machine.decode(self._code[address - self._function.entry :], address, count)

    def _error(self, what: str, address: int) -> BinaryError:
        where = f"{self._function.name}+{address - self._function.entry:#x}"
        return BinaryError(f"function {where}: {what}; probe another function")
