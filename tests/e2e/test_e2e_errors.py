"""What goes wrong gives one line and the documented exit code, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import GOINST, goinst, needs_root, serving

from gobuild import PROGRAMS, build

USAGE, MACHINE, NOTHING = 2, 3, 4


def complaint(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The run said one line that begins with ``goinst:`` and holds ``words``."""
    lines = done.stderr.strip().splitlines()
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("goinst: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], ["--port"], id="no-target"),
        pytest.param(["--pid", "1", "--plugins", "nethtp"], ["nethtp", "nethttp"], id="unknown-plugin"),
        pytest.param(["--pid", "x"], ["--pid"], id="pid-is-no-number"),
        pytest.param(["--pid", "1", "--output", "xml"], ["xml"], id="unknown-output"),
        pytest.param(["--pid", "1", "--config", "/nonexistent.yaml"], ["/nonexistent.yaml"], id="no-such-config"),
        pytest.param(["--pid", "1", "--set", "nethttp.nonsense=1"], ["nonsense"], id="unknown-option"),
        pytest.param(["--pid", "1", "--duration", "-1"], ["duration"], id="negative-duration"),
        pytest.param(["--nonsense"], ["--nonsense"], id="unknown-flag"),
    ],
)
def test_usage(arguments: list[str], words: list[str]) -> None:
    complaint(goinst("run", *arguments), USAGE, *words)


@pytest.mark.bpf
@needs_root
def test_no_such_pid() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    complaint(goinst("run", "--pid", str(process.pid)), NOTHING, str(process.pid))


@pytest.mark.bpf
@needs_root
def test_nothing_listens() -> None:
    complaint(goinst("run", "--port", "1"), NOTHING, "1")


@pytest.mark.bpf
@needs_root
def test_nothing_matches() -> None:
    complaint(goinst("run", "--exe", "*/no-such-program-*"), NOTHING, "no-such-program")


@pytest.mark.bpf
@needs_root
def test_not_a_go_program() -> None:
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        complaint(goinst("run", "--pid", str(process.pid)), NOTHING, "Go")
    finally:
        process.kill()
        process.wait()


@pytest.mark.bpf
@needs_root
def test_no_probe_of_the_plugin_fits(tmp_path: Path) -> None:
    """A Go program without net/http."""
    (tmp_path / "go.mod").write_text("module idle\n\ngo 1.16\n")
    (tmp_path / "main.go").write_text('package main\n\nimport "time"\n\nfunc main() { time.Sleep(time.Minute) }\n')
    process = subprocess.Popen([build(tmp_path)])
    try:
        complaint(goinst("run", "--pid", str(process.pid), "--plugins", "nethttp"), NOTHING, "nethttp")
    finally:
        process.kill()
        process.wait()


def _elf32() -> bytes:
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return ident + (2).to_bytes(2, "little") + (3).to_bytes(2, "little") + bytes(32)


BAD_FILES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[:5000],
    "half": lambda whole: whole[: len(whole) // 2],
    "only-a-header": lambda whole: whole[:64],
    "32-bit": lambda whole: _elf32(),
    "foreign": lambda whole: whole[:18] + (8).to_bytes(2, "little") + whole[20:],  # EM_MIPS
    "text": lambda whole: b"hello\n",
    "zeros": lambda whole: bytes(100_000),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_inspect_of_a_bad_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name](build(PROGRAMS / "ping").read_bytes()))
    complaint(goinst("inspect", str(path)), NOTHING, str(path))


@pytest.mark.bpf
@needs_root
def test_run_of_a_program_with_nothing_to_see() -> None:
    idle = str(build(PROGRAMS / "idle"))
    complaint(goinst("run", "--", idle), NOTHING, "nothing to instrument", idle, "jsonstream: none of the functions")


@pytest.mark.bpf
@needs_root
@pytest.mark.parametrize("name", ["empty", "32-bit", "text", "truncated"])
def test_run_of_a_bad_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name](build(PROGRAMS / "ping").read_bytes()))
    path.chmod(0o755)
    complaint(goinst("run", "--", str(path)), NOTHING, str(path))


def test_inspect_of_nothing(tmp_path: Path) -> None:
    done = goinst("inspect", str(tmp_path / "missing"))
    assert done.returncode in (USAGE, NOTHING)
    complaint(done, done.returncode, "missing")


@pytest.mark.bpf
@needs_root
def test_not_root() -> None:
    """As nobody, who may read every file here (so that the tests run in any folder) and do nothing else."""
    readers = "+dac_override,+dac_read_search"
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with serving(build(PROGRAMS / "ping")) as server:
        done = subprocess.run(
            [*nobody, f"--inh-caps={readers}", f"--ambient-caps={readers}", GOINST, "run", "--pid", str(server.pid)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"},
        )
    complaint(done, MACHINE, "root")


@pytest.mark.bpf
@needs_root
def test_root_without_its_capabilities() -> None:
    """As in a container that is not privileged."""
    with serving(build(PROGRAMS / "ping")) as server:
        done = subprocess.run(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", GOINST, "run", "--pid", str(server.pid)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    complaint(done, MACHINE)
