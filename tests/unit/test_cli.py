"""The command line: what it accepts, what it says, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goinst.cli.checks import CHECKS, Check, _lockdown, run_checks
from goinst.cli.main import execute
from goinst.diagnostics import configure

GOINST = [sys.executable, "-m", "goinst.cli.main"]


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; nothing may be on standard output."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("goinst: ")
    return err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "nothing says what to trace"),
        (["run", "--pid", "abc"], "not a valid integer"),
        (["run", "--port", "99999"], "port: a whole number from 1 to 65535"),
        (["run", "--prt", "1"], "No such option"),
        (["run", "--pid", "1", "--plugins", "nethtp"], "did you mean nethttp"),
        (["run", "--pid", "1", "--plugins", ","], "--plugins: a name is missing"),
        (["run", "--pid", "1", "--output", "jsn"], "did you mean json"),
        (["run", "--pid", "1", "--output", "json", "--output", "console"], "two outputs go to standard output"),
        (["run", "--pid", "1", "--set", "nethttp"], "PLUGIN.OPTION=VALUE"),
        (["run", "--pid", "1", "--ring-megabytes", "5"], "power of two"),
        (["run", "--pid", "1", "--duration", "-1"], "duration"),
        (["run", "--config", "/nowhere.yaml"], "/nowhere.yaml: No such file"),
        (["inspect"], "either the path of a Go program or --pid N"),
        (["inspect", "x", "--pid", "1"], "either the path of a Go program or --pid N"),
        (["demo", "--seconds", "0"], "--seconds"),
        (["completion", "tcsh"], "tcsh"),
        (["rum"], "No such command 'rum'"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert execute(arguments) == 2
    assert words in complaint(capsys)


def test_settings_are_checked_against_the_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    for setting, words in (
        ("nethttp.header_bites=1", "header_bytes"),
        ("nethttp.header_bytes=many", "whole number"),
        ("nethttp.header_bytes=1", "from 128 to 4096"),
        ("nothing.x=1", "nothing"),
    ):
        assert execute(["run", "--pid", "1", "--plugins", "nethttp", "--output", "none", "--set", setting]) == 2
        assert words in complaint(capsys)


def test_the_target_comes_from_the_file_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "goinst.yaml"
    path.write_text("output: jsn\nport: 1\n")
    assert execute(["run", "--config", str(path)]) == 2
    assert "did you mean json" in complaint(capsys), "it got past the question what to trace"


def test_help_has_examples_and_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([]) == 0
    out = capsys.readouterr().out
    for name in ("run", "inspect", "doctor", "plugins", "demo", "completion"):
        assert f"\n  {name} " in out
        assert execute([name, "--help"]) == 0
        assert "Usage: goinst " + name in capsys.readouterr().out
    assert "Exit codes:" in out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out.startswith("goinst 0.")


def test_the_installed_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plugins"]) == 0
    text = capsys.readouterr().out
    assert execute(["plugins", "--json"]) == 0
    listed = {plugin["name"]: plugin for plugin in json.loads(capsys.readouterr().out)}
    assert {"nethttp", "jsonrpc"} <= set(listed)
    for name, plugin in listed.items():
        assert f"{name:<12} {plugin['distribution']} {plugin['version']}" in text
        for option in plugin["options"]:
            assert f"--set {name}.{option['name']}=" in text
    assert listed["nethttp"]["distribution"] == "goinst"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_for_the_shell(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert execute(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_GOINST_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_completion_completes_commands_and_options() -> None:
    for words, expected in (("goinst ins", "inspect"), ("goinst run --max-s", "--max-spans")):
        environment = {
            **os.environ, "_GOINST_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")),
        }  # fmt: skip
        done = subprocess.run(GOINST, env=environment, capture_output=True, text=True, check=False)
        assert f"plain,{expected}" in done.stdout.splitlines()


def test_an_internal_error_is_one_line_unless_verbose(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise KeyError("what\nis this")

    monkeypatch.setattr("goinst.plugin.manager.installed", broken)
    assert execute(["plugins"]) == 1
    assert "internal error: KeyError" in complaint(capsys)
    assert execute(["run", "--verbose", "--pid", "1", "--output", "jsn"]) == 2, "a usage error has no traceback"
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" | true; exit', "sh", *GOINST, "plugins", "--json"], capture_output=True, text=True
    )
    assert done.stderr == ""


def test_standard_output_that_is_closed() -> None:
    command = 'exec "$@" >&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", *GOINST, "run", "--pid", str(os.getpid())], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "standard output is closed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_starting_is_quick() -> None:
    """No heavy library is imported before a run knows that it has something to do."""
    script = "import sys, goinst.cli.main, goinst.cli.run; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "rich", "elftools", "capstone", "bcc", "structlog", "psutil", "yaml", "opentelemetry", "asyncio"}
    assert not heavy & set(modules)


def test_saying_something_is_quick_too_and_harms_nobody() -> None:
    """structlog comes without rich and asyncio, and asyncio is itself for those who use it later."""
    script = (
        "import sys; from goinst.diagnostics import get_logger; get_logger().info('ready'); print(*sys.modules)\n"
        "import asyncio, structlog; print(asyncio.run(asyncio.sleep(0, 'slept')))\n"
        "print(structlog.stdlib.asyncio.get_running_loop is asyncio.get_running_loop)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules, *rest = done.stdout.splitlines()
    assert not {"rich", "asyncio", "ssl"} & set(modules.split())
    assert rest == ["slept", "True"]
    assert json.loads(done.stderr)["event"] == "ready"


def test_diagnostics_are_json_lines_for_programs(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    log = configure(stream=stream)
    log.debug("not heard")
    log.info("ready", probes=2, path=Path("/x"))
    log.error("over", reason="a\nb")
    configure(verbose=True, stream=stream).debug("heard")
    configure()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "ready"), ("error", "over"), ("debug", "heard"),
    ]  # fmt: skip
    assert list(lines[0]) == ["timestamp", "level", "event", "probes", "path"]
    assert lines[1]["reason"] == "a\nb"
    assert capfd.readouterr() == ("", "")


def test_diagnostics_survive_a_reader_that_left() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as stream:
        log = configure(stream=stream)
        log.info("nobody hears this")
        log.info("nor this")
        configure()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@pytest.mark.parametrize(
    ("text", "verdict", "words"),
    [
        ("[none] integrity confidentiality\n", "ok", "none"),
        ("none [integrity] confidentiality\n", "ok", "integrity"),
        ("none integrity [confidentiality]\n", "warn", "confidentiality"),
        (None, "ok", "not mounted"),
    ],
)
def test_lockdown_is_understood(tmp_path: Path, text: str | None, verdict: str, words: str) -> None:
    path = tmp_path / "lockdown"
    if text is not None:
        path.write_text(text)
    assert _lockdown(path)[0] == verdict
    assert words in _lockdown(path)[1]


def test_the_doctor_finds_the_wrong_bcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bcc").mkdir()
    (tmp_path / "bcc" / "__init__.py").write_text("__version__ = '0.1'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    verdict, found, advice = CHECKS["bcc"]()
    assert verdict == "fail"
    assert "unrelated package" in found
    assert "pip uninstall bcc" in advice
    (tmp_path / "bcc" / "__init__.py").write_text("raise ImportError('libbcc.so.0: not there')\n")
    verdict, found, advice = CHECKS["bcc"]()
    assert (verdict, "libbcc.so.0: not there" in found) == ("fail", True)
    assert "python3-bpfcc" in advice


def test_every_check_has_a_verdict_and_bad_news_comes_with_advice() -> None:
    checks = list(run_checks())
    assert [check.name for check in checks] == list(CHECKS)
    for check in checks:
        assert check.verdict in ("ok", "warn", "fail")
        assert check.found
        assert "\n" not in check.found + check.advice
        if check.verdict == "fail":
            assert check.advice, check


def test_a_check_that_cannot_look_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[str, str, str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setitem(CHECKS, "kernel", broken)  # type: ignore[arg-type]
    first = next(run_checks())
    assert first == Check("kernel", "warn", "could not be checked: [Errno 5] Input/output error")


def test_the_doctor_exit_code_is_its_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(CHECKS):
        monkeypatch.setitem(CHECKS, name, lambda: ("ok", "as it should be", ""))
    assert execute(["doctor"]) == 0
    assert "Tracing can work here" in capsys.readouterr().out
    monkeypatch.setitem(CHECKS, "privileges", lambda: ("fail", "uid 1000", "run goinst as root"))
    assert execute(["doctor"]) == 3
    assert "-> run goinst as root" in capsys.readouterr().out
    assert execute(["doctor", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["can_trace"] is False
    assert {"name": "privileges", "verdict": "fail", "found": "uid 1000", "advice": "run goinst as root"} in said[
        "checks"
    ]


def test_the_doctor_knows_an_unprivileged_user() -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    script = "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.argv[1:] = ['doctor', '--json']"
    script = (
        f"import goinst.cli.main, goinst.cli.doctor, goinst.kernel.syscalls, json\n{script}\ngoinst.cli.main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={"XDG_CACHE_HOME": "/proc/none"}
    )
    assert done.returncode == 3, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["privileges"]["verdict"] == "fail"
    assert checks["load a program"]["verdict"] == "fail"
    assert checks["cache"]["verdict"] == "warn"
