"""Go programs that no linker made: what is found in odd layouts, and what is refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from elfwriter import Elf, Go, Part, note
from goinst.binary.elf import Image
from goinst.binary.identity import read_build_id
from goinst.errors import BinaryError
from goinst.golang.binary import GoBinary
from goinst.golang.releases import MODULEDATA_ENDS, NEWEST, OLDEST, Release
from goinst.golang.tables.functions import FunctionTable
from goinst.golang.tables.moduledata import find_module

RELEASES = [(1, minor) for minor in range(OLDEST[1], NEWEST[1] + 1)]
GO = Go(NEWEST)


def opened(folder: Path, elf: Elf | bytes) -> Image:
    path = folder / "program"
    path.write_bytes(elf if isinstance(elf, bytes) else elf.write())
    return Image.open(str(path))


def functions(image: Image, version: Release | None = None) -> dict[str, int]:
    """What the tables have, by name and by address alike."""
    module = find_module(image, version)
    table = FunctionTable(image, module)
    found = {each.name: each.entry for each in table.matching("")}
    for name, entry in found.items():
        one = table.function(name)
        assert one is not None
        assert one.entry == entry
        assert table.containing(entry) == one == table.containing(one.end - 1)
        assert table.stack_depth(entry) == one.end - one.entry, "as the writer wrote it"
    return found


def expected(go: Go) -> dict[str, int]:
    return dict(zip((name for name, _ in go.functions), go.entries(), strict=True))


@pytest.mark.parametrize("pie", [False, True], ids=["exe", "pie"])
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: f"1.{release[1]}")
def test_every_release_says_where_its_functions_are(tmp_path: Path, release: Release, arch: str, pie: bool) -> None:
    go = Go(release, arch=arch, pie=pie)
    image = opened(tmp_path, go.elf())
    assert functions(image, release) == expected(go)
    assert find_module(image, release).version == release
    shape = next(since for since, _ in MODULEDATA_ENDS if since <= release)
    assert find_module(image, None).version == shape, "its shape tells so much"
    module = find_module(image, release)
    table = FunctionTable(image, module)
    assert [table.argument_bytes(each) for each in table.matching("")] == [0, 8, 16]


@pytest.mark.parametrize("release", [OLDEST, (1, 18), NEWEST])
def test_without_section_headers(tmp_path: Path, release: Release) -> None:
    go = Go(release)
    image = opened(tmp_path, replace(go.elf(), sections=False))
    assert image.sections == {}
    assert functions(image) == expected(go)
    found = GoBinary.open(str(tmp_path / "program")).function("main.add")
    assert found is not None
    assert found.entry == go.entries()[1]


def test_addresses_that_are_not_where_the_file_has_them(tmp_path: Path) -> None:
    go = GO.moved(pclntab=0x500008, data=0x600010)
    elf = go.elf()
    parts = [replace(part, shift=5, name="") for part in elf.parts]
    assert functions(opened(tmp_path, replace(elf, parts=parts))) == expected(go)


def test_segments_in_any_order(tmp_path: Path) -> None:
    elf = GO.elf()
    assert functions(opened(tmp_path, replace(elf, parts=elf.parts[::-1]))) == expected(GO)


@pytest.mark.parametrize("pie", [False, True], ids=["exe", "pie"])
def test_a_text_of_several_pieces(tmp_path: Path, pie: bool) -> None:
    go = Go((1, 26), pie=pie, sections=3, gap=0x1000)
    if pie:  # rows of the map are words of moduledata's segment, and relocated like it
        assert any(place > go.data + 8 * 50 for place in go.elf().relocations)
    image = opened(tmp_path, go.elf())
    table = FunctionTable(image, find_module(image, (1, 26)))
    found = {each.name: each.entry for each in table.matching("")}
    assert found == expected(go)
    last = table.function("runtime.main")
    assert last is not None
    assert last.end - last.entry == 96, "the end of the last piece is in it"
    assert found["main.add"] - found["main.main"] == 64 + 0x1000


def test_what_only_looks_like_a_table_is_passed_over(tmp_path: Path) -> None:
    """A header that nothing points to, one that a word points to, and one in a moduledata that does not fit."""
    elf = GO.elf()
    table, module = elf.parts[1].data, elf.parts[3].data
    wrong = bytearray(module)
    struct.pack_into("<Q", wrong, 8 * 18, 99)  # cap of ftab
    struct.pack_into("<Q", wrong, 8 * 17, 98)
    decoys = (
        Part(0x100000, table[:72] + bytes(4096)),
        Part(0x110000, struct.pack("<Q", 0x100000) + bytes(512), flags=6),
        Part(0x120000, bytes(wrong), flags=6),
    )
    assert functions(opened(tmp_path, replace(elf, parts=(*decoys, *elf.parts)))) == expected(GO)


def test_moduledata_is_the_last_of_its_segment_or_not_whole(tmp_path: Path) -> None:
    elf = GO.elf()
    *others, data = elf.parts
    assert functions(opened(tmp_path, elf)) == expected(GO)
    for cut in (8, 24, 8 * 20, len(data.data) - 8):
        shorter = replace(elf, parts=(*others, replace(data, data=data.data[:-cut])))
        with pytest.raises(BinaryError) as raised:
            find_module(opened(tmp_path, shorter), NEWEST)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("release", [OLDEST, (1, 18), NEWEST])
def test_functions_that_do_not_rise_are_a_broken_table(tmp_path: Path, release: Release) -> None:
    go = Go(release)
    elf = go.elf()
    table = bytearray(elf.parts[1].data)
    width = 8 if release < (1, 18) else 4
    entries = [entry - (0 if width == 8 else go.text) for entry in go.entries()]
    row = entries[2].to_bytes(width, "little")
    at = table.rindex(row, 0, len(table) - 40 * 3)
    table[at : at + width] = bytes(width)
    parts = [replace(part, data=bytes(table)) if part.name == ".gopclntab" else part for part in elf.parts]
    image = opened(tmp_path, replace(elf, parts=parts))
    with pytest.raises(BinaryError, match="function table"):
        FunctionTable(image, find_module(image, release)).function("main.add")


def test_a_relocation_across_the_end_of_a_read(tmp_path: Path) -> None:
    elf = Elf((Part(0x1000, bytes(64), flags=6),), pie=True, relocations={0x1010: 0x0102030405060708})
    image = opened(tmp_path, elf)
    assert image.u64(0x1010) == 0x0102030405060708
    assert image.read(0x100C, 8) == bytes(4) + bytes([8, 7, 6, 5])
    assert image.read(0x1014, 8) == bytes([4, 3, 2, 1]) + bytes(4)
    assert image.read(0x1013, 2) == bytes([5, 4])
    assert list(image.pointers_to(0x0102030405060708)) == [0x1010]


def test_a_file_that_ends_before_its_segments_is_refused(tmp_path: Path) -> None:
    whole = replace(GO.elf(), sections=False).write()
    with pytest.raises(BinaryError, match="is truncated"):
        opened(tmp_path, whole[:-1])


@pytest.mark.parametrize("alignment", [4, 8])
def test_notes_of_either_alignment(tmp_path: Path, alignment: int) -> None:
    foreign = note(b"X\0", 1, b"abc", alignment)
    build = note(b"Go\0\0", 4, b"a/b/c/d", alignment)
    opened(tmp_path, replace(GO.elf(), notes=foreign + build, alignment=alignment))
    assert read_build_id(str(tmp_path / "program")) == "a/b/c/d"
