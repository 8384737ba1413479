"""Choosing processes: real ones, started here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goinst.errors import TargetError, UsageError
from goinst.processes.command import Command
from goinst.processes.discover import Selector
from goinst.processes.process import read_process, require_process

SLEEP = shutil.which("sleep") or "/bin/sleep"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An executable of a name of its own, so that no other process of this machine matches."""
    path = tmp_path / "goinst-test-sleeper"
    shutil.copy(SLEEP, path)
    return path


@pytest.fixture
def sleeper(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([program, "60"]) as process:
        yield process
        process.kill()


def kernel_thread() -> int | None:
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1] == "2":
                return int(name)
        except OSError:
            continue
    return None


def test_by_pid(sleeper: subprocess.Popen[bytes], program: Path) -> None:
    (process,) = Selector(pids=[sleeper.pid, sleeper.pid]).scan()
    assert process.pid == sleeper.pid
    assert process.exe == str(program)
    assert process.command == (str(program), "60")
    assert (process.device, process.inode) == (program.stat().st_dev, program.stat().st_ino)
    assert abs(process.start_time - time.time()) < 5
    assert Path(process.binary).read_bytes() == program.read_bytes()


def test_a_deleted_executable_is_still_readable(sleeper: subprocess.Popen[bytes], program: Path) -> None:
    before = read_process(sleeper.pid)
    program.unlink()
    after = read_process(sleeper.pid)
    assert before == after
    assert after is not None
    assert after.exe == str(program)
    assert Path(after.binary).read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize("glob", ["goinst-test-sleeper", "goinst-test-*", "*/goinst-test-sleeper", "*/goinst-[t]est-*"])
def test_by_executable(sleeper: subprocess.Popen[bytes], glob: str) -> None:
    assert [process.pid for process in Selector(exes=[glob]).scan()] == [sleeper.pid]


def test_new_processes_come_and_ended_ones_go(sleeper: subprocess.Popen[bytes], program: Path) -> None:
    selector = Selector(exes=[str(program)])
    first = selector.scan()
    with subprocess.Popen([program, "60"]) as second:
        assert {process.pid for process in selector.scan()} == {sleeper.pid, second.pid}
        second.kill()
    assert selector.scan() == first
    sleeper.kill()
    sleeper.wait()
    assert selector.scan() == []


def test_a_named_pid_is_that_process_and_no_later_one(sleeper: subprocess.Popen[bytes]) -> None:
    selector = Selector(pids=[sleeper.pid])
    assert len(selector.scan()) == 1
    selector._named = {sleeper.pid: 1.0}  # as if the process of that number had started long ago
    assert selector.scan() == []


def test_goinst_itself_is_never_chosen() -> None:
    itself = os.readlink("/proc/self/exe")
    with pytest.raises(TargetError, match="goinst itself"):
        Selector(pids=[os.getpid()]).scan()
    try:
        chosen = Selector(exes=[itself]).scan()
    except TargetError:
        chosen = []
    assert os.getpid() not in [process.pid for process in chosen]


def gone_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_why_a_pid_cannot_be_traced(sleeper: subprocess.Popen[bytes]) -> None:
    with pytest.raises(TargetError, match="no such process"):
        Selector(pids=[gone_pid()]).scan()
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    with pytest.raises(TargetError, match="has ended"):
        require_process(sleeper.pid)


def test_a_kernel_thread_is_named_as_such() -> None:
    pid = kernel_thread()
    if pid is None:
        pytest.skip("no kernel thread is visible in this process namespace")
    with pytest.raises(TargetError, match="kernel thread"):
        require_process(pid)


def test_a_thread_is_not_a_process() -> None:
    script = (
        "import threading, time; t = threading.Thread(target=time.sleep, args=(60,)); t.start(); print(t.native_id)"
    )
    with subprocess.Popen([sys.executable, "-uc", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        thread = int(process.stdout.readline())
        with pytest.raises(TargetError, match=f"thread of process {process.pid}"):
            require_process(thread)
        process.kill()


def test_a_process_of_another_user(sleeper: subprocess.Popen[bytes]) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    code = (
        "import os, sys; os.setuid(65534)\n"
        "from goinst.processes.process import require_process\n"
        "from goinst.errors import MachineError\n"
        "try: require_process(int(sys.argv[1]))\n"
        "except MachineError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", "import goinst.processes.process, goinst.errors\n" + code, str(sleeper.pid)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "no permission" in said
    assert "root" in said


LISTEN = """
import socket, sys, time
family = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
listener = socket.socket(family)
listener.bind(("::1" if sys.argv[1] == "6" else "127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("family", ["4", "6"])
def test_by_port(family: str) -> None:
    with subprocess.Popen([sys.executable, "-c", LISTEN, family], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        (found,) = Selector(ports=[port]).scan()
        assert found.pid == process.pid
        assert found.matched == f"listens on port {port}"
        process.kill()


def test_a_port_in_another_network_namespace() -> None:
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare(1)")
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", LISTEN.replace("127.0.0.1", ""), "4"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert [found.pid for found in Selector(ports=[port]).scan()] == [process.pid]
        process.kill()


def test_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening
        port = bound.getsockname()[1]
        with pytest.raises(TargetError, match=f"nothing listens on TCP port {port}"):
            Selector(ports=[port]).scan()


def test_no_executable_matches() -> None:
    with pytest.raises(TargetError, match="no running process matches"):
        Selector(exes=["no-such-program-anywhere"]).scan()


def test_a_scan_is_cheap() -> None:
    selector = Selector(exes=["*"])
    selector.scan()
    began = time.process_time()
    count = len(selector.scan())
    assert time.process_time() - began < 0.02 + count * 0.001


def wait_for(command: Command, seconds: float = 10.0) -> int | None:
    deadline = time.monotonic() + seconds
    while command.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return command.poll()


def test_a_command_is_held_until_it_is_released(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = Command(["touch", str(mark)])
    process = command.start_held()
    time.sleep(0.1)
    assert not mark.exists()
    assert command.poll() is None
    assert process.exe == str(Path(shutil.which("touch") or "").resolve())
    held = read_process(process.pid)
    assert held is not None
    assert held.start_time == process.start_time
    command.release()
    assert wait_for(command) == 0
    assert mark.exists()


def test_the_process_keeps_its_identity_over_the_release(program: Path) -> None:
    command = Command([str(program), "60"])
    described = command.start_held()
    command.release()
    deadline = time.monotonic() + 10
    running = read_process(described.pid)
    while running is not None and running.inode != described.inode and time.monotonic() < deadline:
        running = read_process(described.pid)
    assert running is not None
    assert (running.identity, running.device, running.inode) == (
        described.identity,
        described.device,
        described.inode,
    )
    command.terminate()
    assert command.poll() == 128 + signal.SIGTERM


def test_its_output_is_kept_apart_and_its_signals_are_ordinary(capfd: pytest.CaptureFixture[str]) -> None:
    launcher = (
        "import os, sys; from goinst.processes.command import Command\n"
        "command = Command(sys.argv[1:]); command.start_held(); command.release(); os.waitpid(command.pid, 0)"
    )
    # grep shows the mask of ignored signals that the child of a Python process gets
    subprocess.run([sys.executable, "-c", launcher, "grep", "SigIgn", "/proc/self/status"], check=True)
    out, err = capfd.readouterr()
    assert out == ""
    ignored = int(err.split()[1], 16)
    assert not ignored >> (signal.SIGPIPE - 1) & 1


def test_terminate_before_release_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = Command(["touch", str(mark)])
    command.start_held()
    command.terminate()
    assert command.poll() == 0
    assert not mark.exists()
    command.terminate()


def test_a_stubborn_command_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goinst.processes.command._PATIENCE", 0.2)
    script = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); sys.stderr.close(); time.sleep(60)"
    command = Command([sys.executable, "-c", script])
    command.start_held()
    command.release()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # until it ignores SIGTERM
        status = Path(f"/proc/{command.pid}/status").read_text()
        if int(status.split("SigIgn:")[1].split()[0], 16) >> 14 & 1:
            break
        time.sleep(0.01)
    command.terminate()
    assert command.poll() == 128 + signal.SIGKILL


def test_the_child_of_a_killed_tracer_never_starts(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = (
        "import os, sys; from goinst.processes.command import Command\n"
        "command = Command(sys.argv[1:]); command.start_held(); print(command.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    tracer = subprocess.run([sys.executable, "-c", script, "touch", str(mark)], stdout=subprocess.PIPE, check=False)
    child, deadline = Path(f"/proc/{int(tracer.stdout)}"), time.monotonic() + 10
    while child.exists() and "Z" not in (child / "stat").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not mark.exists()


def test_starting_beside_other_threads() -> None:
    stop = threading.Event()
    busy = [threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)]) for _ in range(3)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(10):
            command = Command(["true"])
            command.start_held()
            command.release()
            assert wait_for(command) == 0
    finally:
        stop.set()
        for thread in busy:
            thread.join()


def test_commands_that_cannot_be_traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh -e\nexit 0\n")
    script.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("text")
    monkeypatch.chdir(tmp_path)
    cases: list[tuple[list[str], type[Exception], str]] = [
        ([], UsageError, "missing"),
        (["no-such-program-anywhere"], UsageError, "no such program"),
        (["./nothing"], UsageError, "no such program"),
        (["./plain"], UsageError, "chmod"),
        (["plain"], UsageError, r"write \./plain"),
        ([str(tmp_path)], UsageError, "folder"),
        ([str(script)], TargetError, r"a script \(/bin/sh -e\)"),
    ]
    for argv, kind, words in cases:
        with pytest.raises(kind, match=words):
            Command(argv)


def test_a_command_that_is_a_link_is_known_by_what_it_was_called_as(program: Path, tmp_path: Path) -> None:
    links = [tmp_path / "goinst-test-one", tmp_path / "goinst-test-two"]
    for link in links:
        link.symlink_to(program)
    with subprocess.Popen([links[0], "60"]) as one, subprocess.Popen([links[1], "60"]) as two:
        try:
            for link, process in zip(links, (one, two), strict=True):
                # the kernel sets the arguments of a new program behind its executable
                while not Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(bytes(link)):
                    pass
            for link, process in zip(links, (one, two), strict=True):
                assert [found.pid for found in Selector(exes=[str(link)]).scan()] == [process.pid]
            assert {found.pid for found in Selector(exes=[str(program)]).scan()} == {one.pid, two.pid}
        finally:
            one.kill()
            two.kill()
