"""Probe sites: hand-written code for each rule, then every function of real servers against other
evidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

import gobuild
from goinst.binary.model import Function, Site
from goinst.binary.sites import find_sites
from goinst.errors import BinaryError
from goinst.golang.binary import GoBinary

BASE = 0x401000
Arch = Literal["amd64", "arm64"]


@dataclass
class Fake:
    """One function at BASE that is all there is."""

    code: bytes
    arch: Arch = "amd64"
    abi: str = "register"
    in_file: bool = True
    g: str | None = None

    @property
    def info(self) -> Any:
        always = {"amd64": "r14" if self.abi == "register" else "", "arm64": "regs[28]"}[self.arch]
        return SimpleNamespace(
            arch=self.arch, abi=self.abi, native=self.abi == "c", goroutine=always if self.g is None else self.g
        )

    @property
    def image(self) -> Any:
        def read(va: int, n: int) -> bytes:
            return self.code[va - BASE : va - BASE + n]

        return SimpleNamespace(read=read, file_offset=lambda va: va - BASE + 0x1000 if self.in_file else None)

    def function(self, name: str) -> Function | None:
        if name == "callee":
            return Function(name, BASE + 0x1000, BASE + 0x1010)
        return Function(name, BASE, BASE + len(self.code)) if name == "f" else None


def entry(code: str, **about: Any) -> Site:
    (site,) = find_sites(Fake(bytes.fromhex(code), **about), "f", "entry")
    return site


def words(*code: int) -> str:
    return b"".join(word.to_bytes(4, "little") for word in code).hex()


CHECK = "493b6610"  # cmp rsp, [r14+0x10]
JBE = "760a"  # behind: 10 bytes to the block that calls runtime.morestack
BODY = "554889e54883ec10c390"  # push rbp; mov rbp, rsp; sub rsp, 16; ret; nop
AGAIN = "e800100000ebe9"  # call; jmp to the entry


def test_the_first_instruction_behind_the_check() -> None:
    site = entry(CHECK + JBE + BODY + AGAIN)
    assert (site.address, site.file_offset, site.instruction) == (BASE + 6, 0x1006, "push rbp")
    assert (site.emulated, site.guard, site.g, site.stack_adjust) == (True, None, "r14", 0)
    assert "behind the stack check" in site.why


def test_the_branch_itself_when_what_follows_is_not_emulated() -> None:
    site = entry(CHECK + JBE + "4883ec10554889e5c390" + AGAIN)
    assert (site.address, site.guard, site.emulated, site.g) == (BASE + 4, "jbe", True, "r14")


def test_frames_that_are_large_and_huge() -> None:
    large = "4c8da42400ffffff4d3b6610" + JBE + BODY + "e800100000ebe1"
    assert entry(large).address == BASE + 14
    huge = "4989e44981ec001000007211" + "4d3b6610" + "760b" + BODY + "90" + "e800100000ebdc"
    assert entry(huge).address == BASE + 18


def test_stack_abi_holds_g_at_the_branch() -> None:
    check = "64488b0c25f8ffffff" + "483b6110"  # mov rcx, fs:[-8]; cmp rsp, [rcx+0x10]
    site = entry(check + JBE + "4883ec104883c410c390" + "e800100000ebe0", abi="stack")
    assert (site.address, site.guard, site.g) == (BASE + 13, "jbe", "cx")


def test_go_1_17_without_its_registers_keeps_g_in_one() -> None:
    """GOEXPERIMENT=noregabi: the check loads it into R14; noregabiargs: it is there all the time."""
    loads = "644c8b3425f8ffffff"  # mov r14, fs:[-8]
    assert entry(loads + CHECK + JBE + BODY + "e800100000ebe0", abi="stack").g == "r14"
    assert entry("90c3", abi="stack").g is None
    assert entry("90c3", abi="stack", g="r14").g == "r14"


@pytest.mark.parametrize("code", [
    CHECK + JBE + BODY + "e800100000ebe8",  # jumps elsewhere
    CHECK + JBE + BODY + "9090909090ebe9",  # calls nothing
    CHECK + "767f" + BODY + AGAIN,  # leaves the function
    "493b6620" + JBE + BODY + AGAIN,  # compares with something else
    "4883c00149" + CHECK[2:] + JBE + BODY + AGAIN,  # changes rax
])  # fmt: skip
def test_what_only_looks_like_a_check_is_none(code: str) -> None:
    assert "stack check:" not in entry(code).why
    assert entry(code).guard is None


def test_no_second_count_where_code_jumps_back_to_the_site() -> None:
    site = entry(CHECK + JBE + "554889e54883ec10ebf6" + AGAIN)  # jmp to the push
    assert (site.instruction, site.guard) == (f"jbe {BASE + 16:#x}", "jbe")


@pytest.mark.parametrize(("code", "offset", "adjust", "emulated"), [
    ("55c3", 0, 0, True),  # push rbp
    ("4154c3", 0, 0, True),  # push r12
    ("90c3", 0, 0, True), ("e9000000 00c3", 0, 0, True), ("e800000000c3", 0, 0, True),
    ("4885c07401c3c3", 3, 0, True),  # test rax, rax; je
    ("4883ec1848896c2410 4885c07401c3c3", 12, 24, True),  # sub rsp, 24; mov [rsp+16], rbp; test; je
    ("4883ec18488944242085c07401c3c3", 0, 0, False),  # stores over an argument's place
    ("48890385c07401c3c3", 0, 0, False),  # stores where others see it
    ("31c07401c3c3", 0, 0, False), ("31d27401c3c3", 0, 0, False),  # changes rax, rdx
    ("b000 7401c3c3", 0, 0, False),  # changes al
    ("4531f67401c3c3", 0, 0, False),  # changes r14d
    ("4531e47401c3c3", 3, 0, True),  # changes r12
    ("0fa27401c3c3", 0, 0, False),  # cpuid
    ("6690c3", 0, 0, False),  # a nop that only recent kernels emulate
    ("4885c075fbc3", 0, 0, False),  # loops to the first instruction
    ("4531e44885c075fbc3", 0, 0, False),  # loops behind it
    ("4885c07401c3ffe0", 0, 0, False),  # jumps to an address in a register
    ("4885c07401c306", 0, 0, False),  # has what is no instruction
    ("90ffe0", 0, 0, True), ("c3", 0, 0, False),
])  # fmt: skip
def test_functions_without_a_check(code: str, offset: int, adjust: int, emulated: bool) -> None:
    site = entry(code)
    assert (site.address - BASE, site.stack_adjust, site.emulated) == (offset, adjust, emulated)
    assert site.guard is None


def test_loops_to_the_entry_are_confessed() -> None:
    assert "may count several times" in entry("4885c075fbc3").why


def test_stack_abi_lets_registers_change() -> None:
    site = entry("31c07401c3c3", abi="stack")
    assert (site.address, site.g) == (BASE + 2, None)


LDR, CMP, BLS = 0xF9400B90, 0xEB3063FF, 0x54000089  # ldr x16,[x28,16]; cmp sp,x16; b.ls +16
PUSH, RET, BL, BACK = 0xF81E0FFE, 0xD65F03C0, 0x94001000, 0x17FFFFF8  # str x30,[sp,-32]!; ret; bl; b -32


def test_arm64_takes_the_branch() -> None:
    site = entry(words(LDR, CMP, BLS, PUSH, RET, RET, BL, 0x17FFFFF9), arch="arm64")
    assert (site.address - BASE, site.guard, site.g, site.emulated) == (8, "b.ls", "regs[28]", True)


@pytest.mark.parametrize(("code", "offset", "adjust"), [
    (words(PUSH, 0xF81F83FD, 0x94000010, RET), 8, 32),  # stur x29,[sp,-8]; bl
    (words(0x90000000, RET), 0, 0),  # adrp
    (words(0xB4000040, RET, RET), 0, 0),  # cbz
    (words(0xF90007E0, 0x94000010, RET), 0, 0),  # str x0,[sp,8]: an argument's place
    (words(0xD2800000, RET), 0, 0),  # mov x0, 0
    (words(0xD280001B, RET), 4, 0),  # mov x27, 0
    (words(0xD1004000, RET), 0, 0),  # sub x0, x0, 16
])  # fmt: skip
def test_arm64_without_a_check(code: str, offset: int, adjust: int) -> None:
    site = entry(code, arch="arm64")
    assert (site.address - BASE, site.stack_adjust) == (offset, adjust)


@pytest.mark.parametrize(("code", "arch"), [
    ("f04801 03c3", "amd64"), ("ccc3", "amd64"), ("f4", "amd64"), ("06", "amd64"), ("", "amd64"),
    ("4883", "amd64"), (words(0x58000040, RET), "arm64"), (words(0xC85F7C00), "arm64"), ("c0035f", "arm64"),
    (words(0xD4200000), "arm64"),
])  # fmt: skip
def test_what_cannot_be_probed_is_refused_in_one_line(code: str, arch: Arch) -> None:
    with pytest.raises(BinaryError, match=r"^function f.*; \w+ another.*$") as caught:
        entry(code, arch=arch)
    assert "\n" not in str(caught.value)


def test_bounds() -> None:
    with pytest.raises(BinaryError, match="1048577 bytes"):
        entry("90" * 1048577)
    with pytest.raises(BinaryError, match="not in the file"):
        entry("55c3", in_file=False)
    assert find_sites(Fake(b"\x90"), "g", "entry") == ()


def test_every_ret_and_nothing_else() -> None:
    # mov eax, 0xc3c3c3c3; ret; repz ret; ret 8 (no Go function has it); padding
    code = bytes.fromhex("b8c3c3c3c3 c3 f3c3 cccccccc 90".replace(" ", ""))
    sites = find_sites(Fake(code), "f", "return")
    assert [site.address - BASE for site in sites] == [5, 6]
    assert {(site.place, site.emulated, site.stack_adjust, site.g) for site in sites} == {("return", False, 0, "r14")}
    assert find_sites(Fake(b"\x90\xeb\xfd"), "f", "return") == ()
    with pytest.raises(BinaryError, match=r"f\+0x1: its code cannot be decoded"):
        find_sites(Fake(b"\xc3\x06"), "f", "return")


def test_calls_of_a_function() -> None:
    # Stack arguments of a callee begin at SP here, and at SP+8 at its first instruction.
    code = bytes.fromhex("55 e8fa0f0000 e800000000 e8f00f0000 c3")
    sites = find_sites(Fake(code), "f", "call", "callee")
    assert [(site.address - BASE, site.stack_adjust, site.emulated) for site in sites] == [
        (1, -8, True),
        (11, -8, True),
    ]
    assert {(site.place, site.guard, site.g) for site in sites} == {("call", None, "r14")}
    assert find_sites(Fake(code), "f", "call", "absent") == ()
    (site,) = find_sites(Fake(bytes.fromhex(words(PUSH, 0x940003FF, RET)), arch="arm64"), "f", "call", "callee")
    assert (site.address - BASE, site.stack_adjust) == (4, 0)


def test_arm64_literals_are_not_instructions() -> None:
    code = bytes.fromhex(words(0x18000060, RET, RET, RET, 0))  # ldr w0, of the fourth word
    sites = find_sites(Fake(code, arch="arm64"), "f", "return")
    assert [site.address - BASE for site in sites] == [4, 8]
    assert all(site.emulated for site in sites)


# From here on: real programs.

# Offset of what follows the stack check, and number of RETs, of functions of net/http: found by other means.
SHAPES = {
    "net/http.serverHandler.ServeHTTP": {
        "1.16.15": (19, 1), "1.17.13": (15, 2), "1.21.13": (10, 1), "1.26.8": (10, 1), "1.27.3": (10, 1),
        "1.17.13 arm64": (16, 2), "1.26.8 arm64": (12, 1),
    },
    "net/http.(*conn).serve": {
        "1.16.15": (27, 15), "1.17.13": (18, 15), "1.21.13": (18, 15), "1.26.8": (18, 16), "1.27.3": (18, 17),
        "1.17.13 arm64": (16, 15), "1.26.8 arm64": (16, 16),
    },
    "net/http.(*body).Read": {
        "1.16.15": (19, 3), "1.17.13": (10, 3), "1.21.13": (10, 3), "1.26.8": (10, 3), "1.27.3": (10, 4),
        "1.17.13 arm64": (16, 3), "1.26.8 arm64": (12, 3),
    },
}  # fmt: skip
REFUSED = re.compile(r"no probe on '(lock|int|udf|ld\w*xr|ldr x27, #0x)|its first bytes are no instruction")


def server(version: str, arch: Arch = "amd64") -> GoBinary:
    path: Path = gobuild.build(gobuild.PROGRAMS / "web", go=version, goarch=arch)
    return GoBinary.open(str(path))


def behind(binary: GoBinary, site: Site) -> int:
    """Return the address behind the stack check."""
    if site.guard is None:
        return site.address
    if binary.info.arch == "arm64":
        return site.address + 4
    return site.address + (6 if binary.image.read(site.address, 1) == b"\x0f" else 2)


def calls_morestack(binary: GoBinary, function: Function, morestack: set[int]) -> bool:
    """Look for a direct call of runtime.morestack at every byte: no disassembler is asked."""
    code = binary.image.read(function.entry, function.end - function.entry)
    if binary.info.arch == "arm64":
        words = (int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code), 4))
        calls = ((number * 4, word & 0x3FFFFFF) for number, word in enumerate(words) if word >> 26 == 0x25)
        return any(function.entry + at + ((word ^ 0x2000000) - 0x2000000) * 4 in morestack for at, word in calls)
    ends = (match.start() + 5 for match in re.finditer(rb"\xe8", code))
    return any(
        function.entry + end + int.from_bytes(code[end - 4 : end], "little", signed=True) in morestack
        for end in ends
        if end <= len(code)
    )


def all_entries(binary: GoBinary, step: int) -> Iterator[tuple[Function, Site]]:
    """Give the entry site of every ``step``-th function; the few that cannot be probed are of known kinds."""
    for function in binary.matching("")[::step]:
        only = SimpleNamespace(image=binary.image, info=binary.info, function=lambda _, kept=function: kept)
        try:
            (site,) = find_sites(only, function.name, "entry")
        except BinaryError as error:
            assert REFUSED.search(str(error)), error
        else:
            yield function, site


def check_all(version: str, arch: Arch, step: int) -> None:
    binary = server(version, arch)
    morestack = {found.entry for found in binary.matching(r"^runtime\.morestack(c|_noctxt)?(\.abi0)?$")}
    assert morestack
    pushes = binary.info.version >= (1, 21) and arch == "amd64"
    guard = None if pushes else "jbe" if arch == "amd64" else "b.ls"
    kinds: Counter[bool] = Counter()
    for function, site in all_entries(binary, step):
        assert function.entry <= site.address < function.end
        assert binary.image.file_offset(site.address) == site.file_offset
        checked = calls_morestack(binary, function, morestack)
        kinds[checked] += 1
        if checked and function.entry not in morestack:
            # 100 %: each function that grows its stack has a cheap site that counts once.
            assert site.emulated, (function, site)
            assert site.guard == guard, (function, site)
            assert site.stack_adjust == 0
            assert (site.instruction == "push rbp") == pushes, (function, site)
            assert site.g == {"arm64": "regs[28]", "amd64": "r14" if binary.info.version > (1, 16) else "cx"}[arch]
        else:
            assert site.guard is None, (function, site)
    assert kinds[True] > 3 * kinds[False]


@pytest.mark.parametrize(("version", "step"), [("1.17.13", 4), ("1.21.13", 4), ("1.26.8", 1)])
def test_every_function_of_a_server(version: str, step: int) -> None:
    check_all(version, "amd64", step)


@pytest.mark.matrix
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("version", gobuild.VERSIONS)
def test_every_function_of_every_version(version: str, arch: Arch) -> None:
    check_all(version, arch, 1)


def test_calls_in_a_server() -> None:
    binary = server("1.26.8")
    caller, callee = "net/http.(*conn).serve", "net/http.serverHandler.ServeHTTP"
    function = binary.function(caller)
    (site,) = find_sites(binary, caller, "call", callee)
    assert function is not None
    assert function.entry < site.address < function.end
    assert site.instruction == f"call {binary.function(callee).entry:#x}"  # type: ignore[union-attr]


def check_shapes(version: str, arch: Arch = "amd64") -> None:
    binary = server(version, arch)
    for symbol, shapes in SHAPES.items():
        offset, returns = shapes[f"{version} {arch}".removesuffix(" amd64")]
        function = binary.function(symbol)
        (site,) = find_sites(binary, symbol, "entry")
        assert function is not None
        assert behind(binary, site) - function.entry == offset
        found = find_sites(binary, symbol, "return")
        assert len(found) == returns
        assert all(function.entry < each.address < function.end for each in found)
        assert {each.instruction for each in found} == {"ret"}


@pytest.mark.parametrize("version", ["1.17.13", "1.26.8"])
def test_shapes_of_known_functions(version: str) -> None:
    check_shapes(version)


def test_shapes_on_arm64() -> None:
    check_shapes("1.26.8", "arm64")


@pytest.mark.matrix
@pytest.mark.parametrize("about", ["1.16.15", "1.21.13", "1.27.3", "1.17.13 arm64"])
def test_shapes_of_every_kind(about: str) -> None:
    version, _, arch = about.partition(" ")
    check_shapes(version, "arm64" if arch else "amd64")
