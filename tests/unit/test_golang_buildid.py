"""Build ids of hand-made ELF files."""

import hashlib
import os
from pathlib import Path

import pytest

from elfwriter import Elf, note
from goinst.binary.identity import read_build_id, read_identity
from goinst.errors import BinaryError


def elf(notes: bytes, *, tail: bytes = b"") -> bytes:
    return Elf(notes=notes, sections=False, tail=tail).write()


GO = note(b"Go\0\0", 4, b"aa/bb/cc/dd")
GNU = note(b"GNU\0", 3, bytes.fromhex("00ff10"))


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (GO, "aa/bb/cc/dd"),
        (GNU, "00ff10"),
        (GNU + GO, "aa/bb/cc/dd"),
        (note(b"XX\0\0", 9, b"zz") + GNU, "00ff10"),
    ],
)
def test_build_id_is_read_from_the_notes(tmp_path: Path, notes: bytes, expected: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf(notes))
    assert read_build_id(str(path)) == expected


@pytest.mark.parametrize("notes", [b"", GNU[:-2], b"\xff" * 40, note(b"Go\0\0", 4, b"")])
def test_without_a_usable_note_the_content_is_the_identity(tmp_path: Path, notes: bytes) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf(notes))
    assert read_build_id(str(path)) == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_with_one_build_id_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(elf(GO, tail=b"debug"))
    (tmp_path / "stripped").write_bytes(elf(GO))
    whole, stripped = (read_identity(str(tmp_path / name)) for name in ("whole", "stripped"))
    assert whole.build_id == stripped.build_id
    assert whole.digest != stripped.digest


@pytest.mark.parametrize(("build_id", "apart"), [(b"redacted", True), (b"/".join([b"a-b_c" * 4] * 4), False)])
def test_a_build_id_that_was_set_by_hand_tells_nothing(tmp_path: Path, build_id: bytes, apart: bool) -> None:
    notes = note(b"Go\0\0", 4, build_id)
    for tail in (b"one", b"two"):
        (tmp_path / tail.decode()).write_bytes(elf(notes, tail=tail))
    one, two = (read_identity(str(tmp_path / name)) for name in ("one", "two"))
    assert one.build_id == two.build_id == build_id.decode()
    assert (one.digest != two.digest) == apart


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"\x7fELF\x01\x01" + b"\0" * 60, "64-bit little-endian"),
        (b"\x7fELF\x02\x02" + b"\0" * 60, "64-bit little-endian"),
        (b"\x7fELF\x02\x01" + b"\0" * 10, "ends within its ELF header"),
        (elf(GO)[:100], "ends within its ELF program headers"),
        (b"\x7fELF\x02\x01" + b"\0" * 58, "no usable ELF program headers"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(content)
    with pytest.raises(BinaryError, match=words) as caught:
        read_build_id(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("pipe", "regular file"),
        ("absent", "cannot be opened"),
        (".", "regular file"),
        ("\0", "null"),
    ):
        with pytest.raises(BinaryError, match=words):
            read_build_id(str(tmp_path / name))
