"""Wire layouts and the ring: what Python reads is what C lays out and what the kernel writes."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import re
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from elftools.elf.elffile import ELFFile

from goinst import PluginError, Record, i32, i64, u8, u16, u32, u64
from goinst.kernel import syscalls as kernel
from goinst.kernel.attach import attach
from goinst.plugin.layout import HEAD, OPERATION, OPERATION_AT, OPERATION_SIZE, lay_out
from goinst.plugin.rows import Column, columns_of, row_of
from goinst.records.ring import Ring

BPF = Path(__file__).parents[2] / "bpf"
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i32": 4, "i64": 8}


def ignore(values: Any, span: Any, context: Any) -> None:
    """A decoder for records that are never decoded."""


def record(columns: Sequence[Column], name: str = "thing") -> Record:
    return Record(name, row_of(name, columns), ignore)


def run_c(folder: Path, body: str, declarations: str) -> list[str]:
    """Compile and run a main() with gcc, with the BPF programs' own type names; its lines."""
    source, program = folder / "layout.c", folder / "layout"
    # the C library's headers bring the exact-width names already
    types = re.sub(r"typedef[^\n]*int8_t;[^\n]*\n|typedef[^\n]*int32_t;[^\n]*\n|typedef __SIZE_TYPE__[^\n]*\n", "",
                   (BPF / "include/linux/types.h").read_text())  # fmt: skip
    kept = "\n".join(line for line in types.splitlines() if line.startswith("typedef"))
    text = f"#include <stdio.h>\n#include <stddef.h>\n{kept}\n{declarations}\nint main(void) {{\n{body}\n}}\n"
    source.write_text(text)
    subprocess.run(["gcc", "-Wall", "-o", program, source], check=True, capture_output=True, text=True)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def random_columns(rng: random.Random) -> list[Column]:
    columns = []
    for number in range(rng.randint(1, 12)):
        kind = rng.choice([*SIZES, "bytes", "bytes"])
        columns.append(Column(f"c{number}", kind, rng.randint(1, 70) if kind == "bytes" else 0))
    return columns


def test_layouts_are_those_of_c(tmp_path: Path) -> None:
    """200 random records: each column's value is read from the byte offset that C gives the member."""
    rng = random.Random(20_240_807)
    layouts = [lay_out("test", record(random_columns(rng), f"r{n}"), n, {}) for n in range(200)]
    declarations, body = [], []
    for layout in layouts:
        name = layout.record.name
        declarations.append(f"struct {name} {{\n{layout.members}\n}} __attribute__((aligned(8)));")
        offsets = ", ".join(f"offsetof(struct {name}, {column.name})" for column in layout.record.columns)
        form = " ".join(["%zu"] * (len(layout.record.columns) + 1))
        body.append(f'printf("{form}\\n", sizeof(struct {name}), {offsets});')
    lines = run_c(tmp_path, "\n".join(body), "\n".join(declarations))
    assert len(lines) == len(layouts)
    for layout, line in zip(layouts, lines, strict=True):
        size, *offsets = map(int, line.split())
        assert layout.size == size
        wire = bytes(rng.randrange(256) for _ in range(size))
        before = rng.randrange(32)
        read = layout.read(memoryview(bytes(before) + wire), before, before + size)
        for column, offset, value in zip(layout.record.columns, offsets, read, strict=True):
            if column.type == "bytes":
                assert isinstance(column.size, int)
                assert value == wire[offset : offset + column.size]
            else:
                raw = wire[offset : offset + SIZES[column.type]]
                assert value == int.from_bytes(raw, "little", signed=column.type.startswith("i"))


def test_last_bytes_may_be_cut_short() -> None:
    layout = lay_out("test", record([Column("a", "u32"), Column("b", "bytes", 3), Column("rest", "bytes", 100)]), 1, {})
    wire = struct.pack("<I", 7) + b"abc" + bytes(range(100))
    for length in range(101):
        read = layout.read(memoryview(wire), 0, 7 + length)
        assert read == (7, b"abc", bytes(range(length)))
    # the ring's records are rounded up: what lies behind the column is not its content
    assert layout.read(memoryview(wire + b"behind"), 0, len(wire) + 6).rest == bytes(range(100))
    for length in range(7):
        with pytest.raises(struct.error):
            layout.read(memoryview(wire), 0, length)


def test_bytes_are_copied_out_of_the_ring() -> None:
    layout = lay_out("test", record([Column("rest", "bytes", 4)]), 1, {})
    buffer = bytearray(b"abcd")
    read = layout.read(memoryview(buffer), 0, 4)
    buffer[:] = b"gone"
    assert read.rest == b"abcd"
    assert isinstance(read.rest, bytes)


def test_fixed_columns_must_be_there_in_full() -> None:
    layout = lay_out("test", record([Column("a", "u8"), Column("b", "u64")]), 1, {})
    wire = memoryview(struct.pack("<B7xQ", 1, 2))
    assert layout.read(wire, 0, 16) == (1, 2)
    for end in range(16):
        with pytest.raises(struct.error):
            layout.read(wire, 0, end)


def test_size_may_be_an_option() -> None:
    columns = [Column("n", "u8"), Column("text", "bytes", "limit")]
    assert lay_out("test", record(columns), 1, {"limit": 30}).size == 32
    assert "char text[30];" in lay_out("test", record(columns), 1, {"limit": 30}).members


@pytest.mark.parametrize("size", [0, -1, 1 << 17, "absent", None])
def test_sizes_that_make_no_sense(size: Any) -> None:
    with pytest.raises(PluginError, match="record column text has no size between 1 and 65536") as caught:
        lay_out("test", record([Column("text", "bytes", size)]), 1, {})
    assert caught.value.plugin == "test"


def test_type_that_is_none() -> None:
    with pytest.raises(PluginError, match=r"record thing: column type 'int' is none of u8, .*bytes"):
        lay_out("test", record([Column("a", "int")]), 1, {})


def test_a_record_of_nothing() -> None:
    with pytest.raises(PluginError, match="plugin test: record thing has no columns"):
        lay_out("test", record([]), 1, {})


@pytest.mark.parametrize(
    "columns",
    [
        [Column("a", "u8"), Column("a", "u8")],
        [Column("not a name", "u8")],
        [Column("class", "u8")],
        [Column("_hidden", "u8")],
    ],
    ids=["twice", "no name", "keyword", "underscore"],
)
def test_columns_whose_names_are_none(columns: list[Column]) -> None:
    """As a recording may say; a class cannot have them."""
    with pytest.raises(ValueError, match=r"duplicate|identifier|keyword|underscore"):
        row_of("thing", columns)


class Order(NamedTuple):
    count: u64
    small: u8
    change: i32
    name: Annotated[bytes, 3]
    middle: u16
    large: u32
    balance: i64
    item: Annotated[bytes, "item_bytes"]


def test_a_class_is_the_struct_and_what_is_read() -> None:
    assert columns_of(Order) == (
        Column("count", "u64"), Column("small", "u8"), Column("change", "i32"), Column("name", "bytes", 3),
        Column("middle", "u16"), Column("large", "u32"), Column("balance", "i64"),
        Column("item", "bytes", "item_bytes"),
    )  # fmt: skip
    assert columns_of(row_of("order", columns_of(Order))) == columns_of(Order)
    layout = lay_out("test", Record("order", Order, ignore), 1, {"item_bytes": 9})
    wire = struct.pack("<QB3xi3sxH2xI4xq9s", 7, 8, -9, b"abc", 10, 11, -12, b"tea")
    read = layout.read(memoryview(wire), 0, len(wire))
    assert type(read) is Order
    assert read == Order(7, 8, -9, b"abc", 10, 11, -12, b"tea" + bytes(6))
    assert "char item[9];" in layout.members


class Typed(NamedTuple):
    count: int


class Sized(NamedTuple):
    text: bytes


class Floating(NamedTuple):
    number: Annotated[float, "u8"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (Typed, "Typed.count: int is none of u8, .*i64 and Annotated"),
        (Sized, "Sized.text: bytes is none of"),
        (Floating, "Floating.number: .*float.* is none of"),
        (dict, "'dict' is no typing.NamedTuple"),
    ],
)
def test_classes_that_are_no_rows(row: Any, words: str) -> None:
    """When the plugin is imported, so that it is off and the words say why."""
    with pytest.raises(TypeError, match=words):
        Record("thing", row, ignore)


def test_operation_head_is_that_of_c(tmp_path: Path) -> None:
    """OPERATION and HEAD against the structs in bpf/event.h and bpf/operation.h, as gcc lays them out."""
    event, operation = (BPF / "event.h").read_text(), (BPF / "operation.h").read_text()
    structs = [
        re.search(rf"struct {name} \{{.*?^\}};", text, re.DOTALL | re.MULTILINE)
        for name, text in (("goinst_record", event), ("goinst_operation", operation))
    ]
    declarations = "#define GOINST_PAYLOAD_WORDS 3\n" + "\n".join(found[0] for found in structs if found)
    names = ["head.type", "head.flags", "head.tgid", "head.span_id", "trace_high", "trace_low", "parent_id", "start",
             "end"]  # fmt: skip
    body = [f'printf("%zu\\n", offsetof(struct goinst_operation, {name}));' for name in [*names, "payload", "state"]]
    body.append('printf("%zu\\n", sizeof(struct goinst_record));')
    *offsets, payload, state, head = map(int, run_c(tmp_path, "\n".join(body), declarations))
    assert payload == OPERATION_SIZE == OPERATION.size
    assert head == HEAD.size
    values = (0x1112, 0x2122, 0x31323334, *(0x4142434445464740 + n for n in range(6)))
    wire = OPERATION.pack(*values)
    for name, offset, value in zip(names, offsets, values, strict=True):
        size = {"head.type": 2, "head.flags": 2, "head.tgid": 4}.get(name, 8)
        assert int.from_bytes(wire[offset : offset + size], "little") == value, name
    assert HEAD.unpack_from(wire) == values[:4]
    assert state == OPERATION_AT["state"]


def instruction(opcode: int, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, source << 4 | destination, offset, immediate)


# struct pt_regs: where the first argument of a C function is
FIRST_ARGUMENT = {"x86_64": 112, "aarch64": 0}


def writer(descriptor: int, size: int, *, discard: bool = False) -> bytes:
    """A program that reserves a record, puts the probed function's argument in it, and submits or discards it."""
    finish = 133 if discard else 132  # bpf_ringbuf_discard, bpf_ringbuf_submit
    return b"".join(
        [
            instruction(0x79, 6, 1, FIRST_ARGUMENT[platform.machine()]),  # r6 = *(u64 *)(r1 + offset)
            instruction(0x18, 1, 1, 0, descriptor) + instruction(0),  # r1 = map
            instruction(0xB7, 2, 0, 0, size),  # r2 = size
            instruction(0xB7, 3),  # r3 = 0
            instruction(0x85, 0, 0, 0, 131),  # bpf_ringbuf_reserve
            instruction(0x55, 0, 0, 2),  # if r0 != 0 skip 2
            instruction(0xB7, 0),
            instruction(0x95),
            instruction(0x7B, 0, 6),  # *(u64 *)r0 = r6
            instruction(0xBF, 1, 0),  # r1 = r0
            instruction(0xB7, 2),  # r2 = 0
            instruction(0x85, 0, 0, 0, finish),
            instruction(0xB7, 0),
            instruction(0x95),
        ]
    )


SIZES_WRITTEN = (8, 21, 100)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A shared library with functions to probe, and their file offsets."""
    folder = tmp_path_factory.mktemp("ring")
    names = [f"put_{size}" for size in SIZES_WRITTEN] + ["drop"]
    text = "\n".join(f"__attribute__((noinline)) long {name}(unsigned long v) {{ return v + 1; }}" for name in names)
    (folder / "put.c").write_text(text)
    path = folder / "libput.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", path, folder / "put.c"], check=True)
    shown = subprocess.run(["nm", "-D", path], check=True, capture_output=True, text=True).stdout
    found = {line.split()[2]: int(line.split()[0], 16) for line in shown.splitlines() if " T " in line}
    with path.open("rb") as file:
        elf = ELFFile(file)
        offsets = {name: next(iter(elf.address_offsets(found[name]))) for name in names}
    return path, offsets


@pytest.fixture
def put(library: tuple[Path, dict[str, int]]) -> Iterator[tuple[ctypes.CDLL, Ring]]:
    """Functions that write records of their argument into a 4 KiB ring buffer, and that ring."""
    path, offsets = library
    with ExitStack() as stack:
        kernel.raise_memlock()
        descriptor = kernel.create_map("goinst_test", 27, 0, 0, 4096)
        guard = kernel.create_guard()
        for made in (descriptor, guard):
            stack.callback(os.close, made)
        programs = []
        multi = kernel.probe_features()["uprobe_multi"] is True
        kinds = [(f"put_{size}", size, False) for size in SIZES_WRITTEN] + [("drop", 40, True)]
        for name, size, discard in kinds:
            code = writer(descriptor, size, discard=discard)
            program, _ = kernel.load_program(name, code, guard=guard, attach_type=48 if multi else 0, log_size=1 << 16)
            stack.callback(os.close, program)
            programs.append((program, [(offsets[name], 0)]))
        attachment = attach(str(path), programs, multi=multi)
        stack.callback(attachment.close)
        assert attachment.refused == []
        ring = Ring(descriptor, 4096)
        stack.callback(ring.close)
        yield ctypes.CDLL(str(path)), ring


def taken(ring: Ring, limit: int = 8192) -> list[tuple[int, int]]:
    """(length, argument) of each record."""
    return [(end - start, struct.unpack_from("<Q", ring.data, start)[0]) for start, end in ring.take(limit)]


@pytest.mark.bpf
def test_ring_gives_records_in_order_and_leaves_out_discarded_ones(put: tuple[ctypes.CDLL, Ring]) -> None:
    library, ring = put
    assert ring.take() == []
    library.put_8(1)
    library.drop(2)
    library.put_21(3)
    library.put_100(4)
    library.drop(5)
    assert taken(ring) == [(8, 1), (21, 3), (100, 4)]
    ring.release()
    assert ring.take() == []
    library.put_21(6)
    assert taken(ring) == [(21, 6)]
    assert 0 < ring.high_water < 4096


@pytest.mark.bpf
def test_ring_takes_no_more_than_asked_for(put: tuple[ctypes.CDLL, Ring]) -> None:
    library, ring = put
    for number in range(10):
        library.put_8(number)
    assert taken(ring, 4) == [(8, n) for n in range(4)]
    ring.release()
    assert taken(ring, 100) == [(8, n) for n in range(4, 10)]


@pytest.mark.bpf
def test_ring_goes_round_many_times(put: tuple[ctypes.CDLL, Ring]) -> None:
    """Records that would wrap are read in one piece: 4,000 records of mixed sizes through 4 KiB."""
    library, ring = put
    rng = random.Random(11)
    got: list[tuple[int, int]] = []
    sent: list[tuple[int, int]] = []
    for number in range(4000):
        size = rng.choice(SIZES_WRITTEN)
        getattr(library, f"put_{size}")(number)
        sent.append((size, number))
        if rng.random() < 0.1 or ring.waiting > 0.8:
            got += taken(ring)
            ring.release()
    got += taken(ring)
    assert got == sent


@pytest.mark.bpf
def test_ring_that_is_full_keeps_what_it_has(put: tuple[ctypes.CDLL, Ring]) -> None:
    library, ring = put
    for number in range(300):
        library.put_8(number)
    # each takes 16 bytes; one position is never used, because full and empty would look alike
    first = taken(ring)
    assert first == [(8, n) for n in range(len(first))]
    assert len(first) in (255, 256)
    # not released: the producer still has no room
    library.put_8(1000)
    assert ring.take() == []
    ring.release()
    library.put_8(1001)
    assert taken(ring) == [(8, 1001)]
