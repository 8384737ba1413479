"""The command line and the configuration file, merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from goinst.config import RunConfig, load_config, merge
from goinst.errors import UsageError
from goinst.settings import parse_setting


def written(folder: Path, text: str) -> str:
    path = folder / "goinst.yaml"
    path.write_text(text)
    return str(path)


def test_every_option_has_its_name_in_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
plugins: alpha, beta
pid: [11, 12]
exe: "*/api"
port: 8080
output: [json:a, none]
duration: 1.5
max-spans: 10
set: {alpha: {bytes: 512, deep: true}}
no-redact: true
verbose: true
stats: true
ring_megabytes: 32
max-operations: 1024
no-cache: true
""",
    )
    assert merge(load_config(path), {}) == RunConfig(
        plugins=("alpha", "beta"),
        pids=(11, 12),
        exes=("*/api",),
        ports=(8080,),
        outputs=("json:a", "none"),
        duration=1.5,
        max_spans=10,
        redact=False,
        plugin_options={"alpha": {"bytes": 512, "deep": True}},
        verbose=True,
        stats=True,
        ring_megabytes=32,
        max_operations=1024,
        cache=False,
    )


def test_the_command_line_wins(tmp_path: Path) -> None:
    path = written(tmp_path, "port: 80\nexe: x\nduration: 5\nset:\n  - alpha.a=1\n  - alpha.b=2\n")
    given = {"pids": (7,), "duration": 9.0, "plugin_options": {"alpha": {"b": 3}}}
    merged = merge(load_config(path), given)
    assert (merged.pids, merged.exes, merged.ports) == ((7,), (), ()), "a target replaces the file's targets"
    assert merged.duration == 9.0
    assert merged.plugin_options == {"alpha": {"a": 1, "b": 3}}


def test_a_command_is_split_as_a_shell_would(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "command: ./srv -name 'a b'")) == {"command": ("./srv", "-name", "a b")}
    assert load_config(written(tmp_path, "command: [./srv, -port, 80]")) == {"command": ("./srv", "-port", "80")}


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert merge(load_config(written(tmp_path, "# nothing\n")), {}) == RunConfig()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot: 80", "unknown option 'prot'; did you mean port?"),
        ("port: eighty", "port: a whole number expected, not 'eighty'"),
        ("port: true", "port: a whole number expected, not True"),
        ("pid: [1, {}]", "pid: a whole number expected"),
        ("duration: soon", "duration: a number expected"),
        ("verbose: 1", "verbose: true or false expected"),
        ("set: {alpha: 3}", "set: plugin: {option: value} expected"),
        ("set: {alpha: {a: [1]}}", "set: text, a whole number or true/false expected"),
        ('command: "it\'s"', "command: No closing quotation"),
        ("- a\n- b", "a mapping of option names"),
        ("a: [", "at line"),
        ("cache: true\nno-cache: true", "says again"),
        ("\x00", "not YAML text"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        load_config(path)
    assert words in str(raised.value)
    assert path in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml: No such file"):
        load_config(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ports": (0,)}, "port"),
        ({"ports": (65536,)}, "65535"),
        ({"pids": (-1,)}, "pid"),
        ({"duration": 0.0}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"max_spans": 0}, "max-spans"),
        ({"ring_megabytes": 3}, "power of two"),
        ({"ring_megabytes": 4096}, "1024"),
        ({"max_operations": 1}, "max-operations"),
    ],
)
def test_values_out_of_range_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        merge({}, given)


def test_settings_get_the_type_that_they_look_like() -> None:
    assert parse_setting("a.b=12") == ("a", "b", 12)
    assert parse_setting("a.b=-3") == ("a", "b", -3)
    assert parse_setting("a.b=True") == ("a", "b", True)
    assert parse_setting("a.b=x=y") == ("a", "b", "x=y")
    assert parse_setting("a.b=") == ("a", "b", "")
    for text in ("a.b", "a=1", ".b=1", "a.=1", "=1"):
        with pytest.raises(UsageError, match=r"PLUGIN\.OPTION=VALUE"):
            parse_setting(text)
