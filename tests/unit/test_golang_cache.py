"""The cache: what is kept, and all that is not trusted."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goinst.cache import Cache
from goinst.diagnostics import Log
from goinst.run.reporting import usable_cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "goinst"


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_what_is_put_is_there_for_others(folder: Path) -> None:
    value = {"a": [1, None, "é", b"\0\xff", {"1": True}], "n": 1 << 63}
    Cache(folder).put("facts", "key", value)
    cache = Cache(folder)
    assert cache.get("facts", "key") == value
    assert cache.get("facts", "other") is None
    assert cache.get("bpf", "key") is None
    assert cache.problem == ""
    cache.put("facts", "key", 2)
    assert cache.get("facts", "key") == 2


def test_nobody_else_can_read_or_write(folder: Path) -> None:
    Cache(folder).put("facts", "key", 1)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only(folder).stat().st_mode & 0o777 == 0o600


def test_any_damage_is_absence_and_is_repaired(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("facts", "key", {"a": "b" * 20})
    path = only(folder)
    good = path.read_bytes()
    damaged = [good[:n] for n in range(len(good))]
    damaged += [good[:n] + bytes([good[n] ^ 0x40]) + good[n + 1 :] for n in range(len(good))]
    damaged += [good + b"\0", b"\xc1" * 200]
    for data in damaged:
        path.write_bytes(data)
        assert cache.get("facts", "key") is None, data
    cache.put("facts", "key", 1)
    assert cache.get("facts", "key") == 1


def test_a_file_under_another_key_is_not_taken(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("facts", "one", 1)
    one = only(folder)
    cache.put("facts", "two", 2)
    (two,) = set(folder.iterdir()) - {one}
    one.replace(two)
    assert cache.get("facts", "two") is None


def test_files_of_others_are_not_taken(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("facts", "key", 1)
    path = only(folder)
    for mode in (0o620, 0o602):
        path.chmod(mode)
        assert cache.get("facts", "key") is None
    path.chmod(0o600)
    assert cache.get("facts", "key") == 1
    elsewhere = folder.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert cache.get("facts", "key") is None
    path.unlink()
    os.mkfifo(path)
    assert cache.get("facts", "key") is None
    path.unlink()
    path.mkdir()
    assert cache.get("facts", "key") is None
    cache.put("facts", "key", 1)  # cannot replace a folder: not kept, no error
    assert cache.get("facts", "key") is None
    assert [each.name for each in folder.iterdir()] == [path.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_refused(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("facts", "key", 1)
    os.chown(only(folder), 12345, 12345)
    assert cache.get("facts", "key") is None
    os.chown(only(folder), 0, 0)
    os.chown(folder, 12345, 12345)
    assert cache.get("facts", "key") is None
    assert "belongs to another user" in Cache(folder).problem


def test_folders_that_cannot_be_trusted_or_used_are_named(tmp_path: Path) -> None:
    writable, link, file = (tmp_path / name for name in ("writable", "link", "file"))
    Cache(writable).put("facts", "key", 1)
    writable.chmod(0o770)
    link.symlink_to(writable)
    file.write_text("")
    for path, words in ((writable, "chmod go-w"), (link, "symbolic link"), (file, "cannot be used"),
                        (file / "below", "cannot be used")):  # fmt: skip
        cache = Cache(path)
        assert words in cache.problem
        assert str(path) in cache.problem
        assert "\n" not in cache.problem
        cache.put("facts", "key", 2)
        assert cache.get("facts", "key") is None


def test_a_folder_put_in_its_place_later_is_not_followed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "goinst")
    cache.put("facts", "key", 1)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (tmp_path / "goinst").rename(tmp_path / "moved")
    (tmp_path / "goinst").symlink_to(victim)
    cache.put("facts", "key", 2)
    assert cache.get("facts", "key") is None
    assert list(victim.iterdir()) == []


def test_sizes_and_numbers_are_bounded(folder: Path) -> None:
    cache = Cache(folder, largest=1000, total=2500, entries=4)
    cache.put("facts", "large", "x" * 1000)
    assert cache.get("facts", "large") is None
    keep = folder / "not-ours"
    keep.write_text("x" * 5000)
    for number in range(6):
        cache.put("facts", str(number), number)
        for path in folder.glob("facts-*"):  # older by a second each time
            status = path.stat()
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 10**9))
    assert [cache.get("facts", str(number)) for number in range(6)] == [None, None, 2, 3, 4, 5]
    cache.get("facts", "2")  # was used
    cache.put("facts", "big", "x" * 900)
    cache.put("facts", "big2", "x" * 900)
    cache.put("facts", "big3", "x" * 900)
    assert sum(path.stat().st_size for path in folder.glob("facts-*")) <= 2500
    assert cache.get("facts", "big3") is not None
    assert keep.exists()


def test_what_was_used_last_stays(folder: Path) -> None:
    cache = Cache(folder, entries=2)
    cache.put("facts", "a", 1)
    cache.put("facts", "b", 2)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    assert cache.get("facts", "a") == 1
    cache.put("facts", "c", 3)
    assert [cache.get("facts", key) for key in "abc"] == [1, None, 3]


def test_unfinished_files_of_crashes_are_removed(folder: Path) -> None:
    cache = Cache(folder)
    old, new = (folder / f".new-{digit * 40}" for digit in "ab")
    old.write_text("")
    new.write_text("")
    os.utime(old, (1, 1))
    cache.put("facts", "key", 1)
    assert not old.exists()
    assert new.exists()


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.default().folder == tmp_path / "goinst"
    code = "import os, pwd; print(pwd.getpwuid(os.geteuid()).pw_dir)"
    home = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Cache.default().folder == Path(home) / ".cache" / "goinst"


def test_writers_at_the_same_time(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from goinst.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]))\n"
        "for n in range(100):\n"
        "    cache.put('facts', 'key', [n] * 1000)\n"
        "    kept = cache.get('facts', 'key')\n"
        "    assert kept is not None and len(set(kept)) == 1\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(folder)]) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(list(folder.iterdir())) == 1


def test_a_run_says_that_nothing_is_kept_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    usable_cache(Log(stream=said))
    assert said.getvalue() == ""
    (tmp_path / "goinst").chmod(0o777)
    usable_cache(Log(stream=said))
    line = json.loads(said.getvalue())
    assert (line["level"], line["event"]) == ("warning", "nothing is kept")
    assert line["reason"].startswith(f"{tmp_path}/goinst: ")
    assert "second" in line["lost"]
