"""USDT notes and the notation of their arguments; what they are at run time: tests/bpf/test_native.py."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

import gobuild
import nativebuild
from goinst.binary.model import Piece, Variable
from goinst.cache import Cache
from goinst.native import NativeFacts
from goinst.native.operand import split_arguments, variable

SYMBOLS = {"level": 0x4040, "table": 0x5000}


def parsed(text: str, arch: str = "amd64") -> Variable:
    return variable(1, text, arch=arch, site=0x1000, address=SYMBOLS.get)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "type_", "piece"),
    [
        ("8@%rax", "uint64", Piece(0, 8, register="ax")),
        ("-4@%r13d", "int32", Piece(0, 4, register="r13")),
        ("-2@%ax", "int16", Piece(0, 2, register="ax")),
        ("1@%sil", "uint8", Piece(0, 1, register="si")),
        ("-4@$-7", "int32", Piece(0, 4, constant=-7)),
        ("8@$0x10", "uint64", Piece(0, 8, constant=16)),
        ("-4@-20(%rbp)", "int32", Piece(0, 4, based=("bp", -20))),
        ("8@(%rax)", "uint64", Piece(0, 8, based=("ax", 0))),
        ("8@0(%rbp,%rax,8)", "uint64", Piece(0, 8, based=("bp", 0), index=("ax", 8))),
        ("8@-16+8(%rsp,%r12)", "uint64", Piece(0, 8, based=("sp", -8), index=("r12", 1))),
        ("-4@level(%rip)", "int32", Piece(0, 4, based=("ip", 0x3040))),
        ("-4@level+8(%rip)", "int32", Piece(0, 4, based=("ip", 0x3048))),
        ("-4@4+level(%rip)", "int32", Piece(0, 4, based=("ip", 0x3044))),
        ("8f@%xmm0", "float64", Piece(0, 8, register="xmm0")),
        ("%rdi", "uint64", Piece(0, 8, register="di")),
    ],
)
def test_places_of_amd64(text: str, type_: str, piece: Piece) -> None:
    assert parsed(text) == Variable("arg1", type_, "parameter", (piece,))


@pytest.mark.parametrize(
    ("text", "type_", "piece"),
    [
        ("8@x0", "uint64", Piece(0, 8, register="regs[0]")),
        ("-4@w21", "int32", Piece(0, 4, register="regs[21]")),
        ("-4@[sp, 44]", "int32", Piece(0, 4, based=("sp", 44))),
        ("-4@[sp,44]", "int32", Piece(0, 4, based=("sp", 44))),
        ("8@[x29, #-8]", "uint64", Piece(0, 8, based=("regs[29]", -8))),
        ("8@[x1]", "uint64", Piece(0, 8, based=("regs[1]", 0))),
        ("8@[x1, x2, lsl 3]", "uint64", Piece(0, 8, based=("regs[1]", 0), index=("regs[2]", 8))),
        ("-4@-1", "int32", Piece(0, 4, constant=-1)),
        ("8@sp", "uint64", Piece(0, 8, register="sp")),
    ],
)
def test_places_of_arm64(text: str, type_: str, piece: Piece) -> None:
    assert parsed(text, "arm64") == Variable("arg1", type_, "parameter", (piece,))


@pytest.mark.parametrize(
    "text", ["8@%ah", "8@nowhere(%rip)", "3@%rax", "8@", "8@%rax)", "8@(%rip)", "4@table(,%rax,4)", "\0"]
)
def test_a_place_that_is_not_understood_says_so(text: str) -> None:
    found = parsed(text)
    assert found.pieces == ()
    assert found.why


def test_arguments_are_split_outside_brackets() -> None:
    assert split_arguments("8@[x1, x2, lsl 3] -4@w0  8@-8(%rbp, %rax)") == [
        "8@[x1, x2, lsl 3]", "-4@w0", "8@-8(%rbp, %rax)",
    ]  # fmt: skip
    assert split_arguments("") == []


@pytest.fixture(scope="module")
def marks() -> Path:
    return nativebuild.build("marks.c", "-g", "-O2")


def test_probes_are_where_readelf_says(marks: Path) -> None:
    text = subprocess.run(["readelf", "-n", str(marks)], capture_output=True, text=True, check=True).stdout
    locations = [line.split()[1].rstrip(",") for line in text.splitlines() if "Location:" in line]
    facts = NativeFacts.open(str(marks))
    probes = facts.usdt()
    assert sorted(probe.symbol for probe in probes) == ["usdt:marks:begin", "usdt:marks:costly", "usdt:marks:word"]
    assert sorted(site.address for probe in probes for site in probe.sites) == sorted(int(at, 16) for at in locations)
    assert all(probe.semaphore for probe in probes)
    assert [function.name for function in facts.matching("^usdt:marks:[bc]")] == [
        "usdt:marks:begin", "usdt:marks:costly",
    ]  # fmt: skip
    function = facts.function("usdt:marks:word")
    assert function is not None
    assert [a.name for a in facts.variables("usdt:marks:word", function.entry)] == ["arg1", "arg2", "arg3", "arg4"]
    assert facts.variables("usdt:marks:word", 1) == ()
    assert facts.why_not("usdt:marks:nothing").startswith(
        "no probe usdt:marks:nothing in the binary; it has marks:begin"
    )


def test_kept_probes_are_the_same_and_only_for_the_same_code(marks: Path, tmp_path: Path) -> None:
    cache, copy = Cache(tmp_path / "cache"), tmp_path / "marks"
    copy.write_bytes(marks.read_bytes())
    first = NativeFacts.open(str(copy), cache=cache)
    probes = first.usdt()
    first.save()
    again = NativeFacts.open(str(copy), cache=cache)
    assert again.known
    assert again.usdt() == probes
    data = bytearray(copy.read_bytes())
    offset = probes[0].sites[0].file_offset
    assert data[offset] in (0x90, 0x1F)
    data[offset : offset + 4] = b"\xcc\xcc\xcc\xcc"
    copy.write_bytes(data)
    other = NativeFacts.open(str(copy), cache=cache)
    assert probes[0].symbol not in {probe.symbol for probe in other.usdt()}


def test_damaged_notes_never_raise(marks: Path) -> None:
    section = NativeFacts.open(str(marks))._binary().image.sections[".note.stapsdt"]
    generator = random.Random(5)
    for number in range(60):

        def edit(data: bytearray) -> None:
            for _ in range(generator.randrange(1, 12)):
                at = section.offset + generator.randrange(section.size)
                data[at : at + 4] = struct.pack("<I", generator.choice((0, 1, 0xFFFFFFFF, generator.getrandbits(32))))

        damaged = gobuild.derived(marks, f"notes {number}", edit)
        for probe in NativeFacts.open(str(damaged)).usdt():
            assert all(site.instruction.startswith("nop") for site in probe.sites)
