"""Shared libraries by name, in real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from goinst.errors import TargetError
from goinst.processes import LibrarySelector, Selector, find_library, mapped_files
from goinst.processes.mapped import named

SLEEP = shutil.which("sleep") or "/bin/sleep"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    path = tmp_path / "goinst-test-mapper"
    shutil.copy(SLEEP, path)
    with subprocess.Popen([path, "60"]) as process:
        while not any("libc" in file.name for file in mapped_files(process.pid)):
            pass
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("name", "path", "is_it"),
    [
        ("libssl", "/usr/lib/x86_64-linux-gnu/libssl.so.3", True),
        ("ssl", "/usr/lib/libssl.so", True),
        ("libssl.so.3", "/usr/lib/libssl.so.3", True),
        ("libz.so.1", "/usr/lib/libz.so.1.2.13", True),
        ("libz", "/usr/lib/libz-1.2.so.1", True),
        ("libssl.so.1", "/usr/lib/libssl.so.3", False),
        ("libssl", "/usr/lib/libssl3.so", False),
        ("libssl", "/usr/lib/notlibssl.so.3", False),
        ("libpython3*", "/usr/lib/libpython3.11.so.1.0", True),
        ("/usr/lib/*/libjvm.so", "/usr/lib/jvm/libjvm.so", True),
        ("/opt/libjvm.so", "/usr/lib/jvm/libjvm.so", False),
    ],
)
def test_what_a_name_stands_for(name: str, path: str, is_it: bool) -> None:
    assert (named(name).match(path) is not None) is is_it


def test_the_library_of_a_process_is_the_very_file(sleeper: subprocess.Popen[bytes]) -> None:
    (process,) = LibrarySelector("libc", Selector(pids=[sleeper.pid])).scan()
    path = find_library("libc.so.6")
    assert path is not None
    status = os.stat(path)
    assert (process.device, process.inode) == (status.st_dev, status.st_ino)
    assert process.exe == path
    assert process.program.endswith("goinst-test-mapper")
    assert Path(process.binary).read_bytes()[:4] == b"\x7fELF"
    (by_path,) = LibrarySelector(path, Selector(pids=[sleeper.pid])).scan()
    assert by_path.identity == process.identity == (sleeper.pid, process.start_time, (status.st_dev, status.st_ino))
    assert (os.stat(by_path.binary).st_dev, os.stat(by_path.binary).st_ino) == (status.st_dev, status.st_ino)


def test_the_executable_itself_is_among_what_is_mapped(sleeper: subprocess.Popen[bytes]) -> None:
    names = [file.name for file in mapped_files(sleeper.pid)]
    assert names.count("goinst-test-mapper") == 1
    (process,) = LibrarySelector("*/goinst-test-mapper").scan()
    assert process.pid == sleeper.pid
    sleeper.kill()
    sleeper.wait()
    assert mapped_files(sleeper.pid) == []


def test_what_nobody_has(sleeper: subprocess.Popen[bytes]) -> None:
    with pytest.raises(TargetError, match="libgoinst-nothing: no running process has loaded it"):
        LibrarySelector("libgoinst-nothing").scan()
    with pytest.raises(TargetError, match="libgoinst-nothing: the process has not loaded it"):
        LibrarySelector("libgoinst-nothing", Selector(pids=[sleeper.pid])).scan()
    assert LibrarySelector("libgoinst-nothing", strict=False).scan() == []
    assert find_library("libgoinst-nothing") is None
    assert find_library("/nonexistent/libc.so.6") is None


def test_processes_that_have_none_of_it_are_looked_at_ever_more_seldom(sleeper: subprocess.Popen[bytes]) -> None:
    asked: list[int] = []

    def wanted(file: object) -> bool:
        asked.append(file.pid)  # type: ignore[attr-defined]
        return False

    selector = LibrarySelector("made up", wanted=wanted, strict=False)
    looked = []
    for scan in range(1, 20):
        selector._answers.clear()
        asked.clear()
        selector.scan()
        if sleeper.pid in asked:
            looked.append(scan)
    assert looked == [1, 2, 4, 8, 16]
