"""``goinst inspect`` on real Go programs, without root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gobuild import PROGRAMS, build, stripped
from goinst.cli.main import execute


@pytest.fixture(scope="module")
def ping() -> Path:
    return build(PROGRAMS / "ping")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        assert execute(["inspect", *arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_what_it_says_of_a_server(inspect: Callable[..., str], ping: Path) -> None:
    text = inspect(str(ping))
    said: dict[str, Any] = json.loads(inspect(str(ping), "--json"))
    binary = said["binary"]
    for part in (binary["go_version"], binary["arch"], f"{binary['abi']} ABI", binary["build_id"], str(ping)):
        assert part in text
    assert binary["main_module"] in text
    assert binary["size"] == ping.stat().st_size
    plugins = {plugin["name"]: plugin for plugin in said["plugins"]}
    assert plugins["nethttp"]["enabled"]
    assert "plugin nethttp: on" in text
    for probe in plugins["nethttp"]["probes"]:
        assert bool(probe["sites"]) is (probe["symbol"] is not None)
        for site in probe["sites"]:
            assert f"{site['address']:#x}  {site['instruction']}" in text
            assert site["why"] in text
    for field in plugins["nethttp"]["fields"]:
        if field["offset"] is not None:
            assert field["source"], field
            assert f"{field['type']}.{field['path']}" in text


def test_a_process_is_inspected_by_its_number(inspect: Callable[..., str], ping: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root on machines that hide processes' executables")
    with subprocess.Popen([ping], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            by_pid = json.loads(inspect("--pid", str(server.pid), "--json"))
        finally:
            server.kill()
    by_path = json.loads(inspect(str(ping), "--json"))
    assert by_pid["plugins"] == by_path["plugins"]


def test_stripping_changes_nothing_but_the_symbols(inspect: Callable[..., str], ping: Path) -> None:
    whole, bare = json.loads(inspect(str(ping), "--json")), json.loads(inspect(str(stripped(ping)), "--json"))
    assert (whole["binary"]["symbol_table"], bare["binary"]["symbol_table"]) == (True, False)
    for before, after in zip(whole["plugins"], bare["plugins"], strict=True):
        assert before["enabled"] == after["enabled"]
        assert [probe["sites"] for probe in before["probes"]] == [probe["sites"] for probe in after["probes"]]
        assert [field["offset"] for field in before["fields"]] == [field["offset"] for field in after["fields"]]


def test_only_the_plugins_asked_for(inspect: Callable[..., str], ping: Path) -> None:
    said = json.loads(inspect(str(ping), "--plugins", "nethttp", "--json"))
    assert [plugin["name"] for plugin in said["plugins"]] == ["nethttp"]


def test_what_will_be_missing_is_said(inspect: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module idle\n\ngo 1.16\n")
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("idle") }\n')
    idle = str(build(tmp_path))
    said = json.loads(inspect(idle, "--plugins", "nethttp", "--json"))
    (plugin,) = said["plugins"]
    assert plugin["enabled"] is False
    assert plugin["missing"] == [f"everything: {plugin['reason']}"]
    assert f"plugin nethttp: off: {plugin['reason']}" in inspect(idle, "--plugins", "nethttp")


def test_what_a_program_does_not_have_is_not_missing(inspect: Callable[..., str], ping: Path) -> None:
    """A server without clients and routers loses nothing by it, and the reader is told that it has none."""
    (plugin,) = json.loads(inspect(str(ping), "--plugins", "nethttp", "--json"))["plugins"]
    nowhere = {probe["program"] for probe in plugin["probes"] if not probe["sites"]}
    assert {"nethttp_gin", "nethttp_xnet_run", "nethttp_call"} <= nowhere
    assert plugin["missing"] == []
    text = inspect(str(ping), "--plugins", "nethttp")
    assert "missing: nothing" in text
    there, _, absent = text.partition("not in this program")
    assert "nethttp_gin: github.com/gin-gonic/gin.(*Engine).ServeHTTP" in absent
    assert not any(program in there for program in nowhere)


def test_the_second_time_comes_from_the_cache_and_says_the_same(
    inspect: Callable[..., str], ping: Path, tmp_path: Path
) -> None:
    first = inspect(str(ping), "--json")
    assert any(path.is_file() for path in (tmp_path / "cache").rglob("*"))
    assert inspect(str(ping), "--json") == first
    assert inspect(str(ping), "--json", "--no-cache") == first


@pytest.mark.parametrize("name", ["empty", "text", "truncated", "not-go", "folder", "missing"])
def test_what_is_no_go_program_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ping: Path, name: str
) -> None:
    path = tmp_path / name
    if name == "not-go":
        path.symlink_to(Path(sys.executable).resolve())
    elif name == "folder":
        path.mkdir()
    elif name != "missing":
        path.write_bytes({"empty": b"", "text": b"hello\n", "truncated": ping.read_bytes()[:5000]}[name])
    assert execute(["inspect", str(path)]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("goinst: ")
    assert str(path) in err
