"""Outputs, attributes of processes and the end of a run by hooks of another distribution: whole, and broken."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from goinst import Resource, Span, Summary, TracedProcess
from goinst.cli.main import execute
from goinst.diagnostics import Log, configure
from goinst.errors import UsageError
from goinst.export import Exporter, open_exporters
from goinst.export.pipeline import Pipeline
from goinst.plugin.hooks import Hooks
from goinst.plugin.hookspecs import hookimpl
from goinst.plugin.manager import PluginSet
from goinst.plugin.process import attribute_value
from goinst.records.observer import Telemetry
from goinst.run.resources import Processes, Program
from recordings import write_shop

pytestmark = pytest.mark.usefixtures("hooks")


@pytest.fixture
def hooks(hooks_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(hooks_site))


def opened(*outputs: str) -> list[Exporter]:
    return open_exporters(outputs, stdout=io.BytesIO(), is_terminal=False)


def batch(count: int) -> list[Span]:
    return [Span("shop", f"s{number}", "server", 1, 2, 0, 3, 4, Resource({}, b"{}")) for number in range(count)]


class Run:
    """Batches through a pipeline, and what it said."""

    def __init__(self, exporters: list[Exporter], plugins: PluginSet | None = None) -> None:
        self.said = io.StringIO()
        self.ended: list[str] = []
        self.failures: list[str] = []
        self.pipeline = Pipeline(
            plugins or PluginSet.of(), exporters, None, self.ended.append,
            lambda error: self.failures.append(str(error)), log=Log(stream=self.said),
        )  # fmt: skip

    def go(self, *batches: list[Span]) -> Summary:
        for one in batches:
            self.pipeline.deliver(one, len(one))
            self.pipeline.flush()
        self.pipeline.finish()
        return self.pipeline.summary(Telemetry(losses=self.pipeline.losses()), ended="", seconds=1.0)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said.getvalue().splitlines()]


# -- outputs -----------------------------------------------------------------------------------------------------------


def test_an_output_of_a_plugin(tmp_path: Path) -> None:
    path = tmp_path / "diary"
    run = Run(opened(f"diary:{path}", f"json:{tmp_path / 'json'}"))
    summary = run.go(batch(2), batch(1))
    assert path.read_text() == "s0\ns1\ns0\nthe end\n"
    assert len((tmp_path / "json").read_text().splitlines()) == 3
    assert (summary.spans, summary.losses, summary.exit_code) == (3, {}, 0)
    assert run.lines == []


def test_what_it_loses_is_counted_in_its_name(tmp_path: Path) -> None:
    summary = Run(opened(f"diary:{tmp_path / 'lossy'}")).go(batch(3), batch(3))
    assert summary.losses == {"diary.torn_out": 2}
    assert (summary.spans, summary.spans_by_plugin) == (4, {"shop": 4})


def test_one_that_raises_ends_alone_and_is_named(tmp_path: Path) -> None:
    run = Run(opened("torn", f"json:{tmp_path / 'json'}"))
    summary = run.go(batch(2), batch(3), batch(4))
    assert len((tmp_path / "json").read_text().splitlines()) == 9
    assert (summary.spans, summary.losses, summary.exit_code) == (9, {"torn.not_written": 7}, 3)
    (line,) = run.lines
    assert (line["event"], line["output"]) == ("an output ended", "torn")
    assert line["reason"] == "plugin hookbadoutput: its output torn raised RuntimeError: torn to pieces"
    assert run.ended == []


def test_one_that_counts_nonsense_ends(tmp_path: Path) -> None:
    run = Run(opened("miscounting"))
    run.go(batch(1))
    assert [line["reason"] for line in run.lines] == [
        "plugin hookbadoutput: its output miscounting raised TypeError: losses and undone are numbers by names,"
        " and not 'some' by 'many'"
    ]
    assert run.ended == ["no output is left"]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("diary:secret", "--output diary:secret: nobody may read that"),
        ("diary:/nowhere/at/all", "--output diary:/nowhere/at/all: /nowhere/at/all: No such file or directory"),
        ("crash:x", "--output crash:x: plugin hookbadoutput raised ZeroDivisionError: x"),
        ("hollow", "--output hollow: plugin hookbadoutput made a NoneType, no Exporter"),
        ("bare", "--output bare: plugin hookbadoutput made a Bare, whose __init__ does not call super().__init__()"),
        ("diary:", "--output 'diary:': a file name is missing behind the colon"),
        ("diary-of-two", "--output 'diary-of-two': the plugins hookbadoutput and hookoddoffer bring one of this name;"
         " uninstall all but one"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_made_is_one_line(output: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(UsageError) as raised:
        opened(output, "json")
    assert str(raised.value) == says


def test_an_unknown_one_names_all_there_are_and_what_cannot_be_used() -> None:
    with pytest.raises(UsageError) as raised:
        opened("diry")
    words = str(raised.value)
    assert words.startswith("--output 'diry': unknown format; did you mean diary? valid: bare, chrome-trace, console, ")
    assert "; plugin hookbadoffer: its hook goinst_exporters raised LookupError: no output today; switched off" in words
    hook = "plugin hookoddoffer: its hook goinst_exporters"
    assert f"; {hook} returned nothing, and not the list that it was sent at its yield; switched off" in words
    assert "plugin hookbadoutput: its output json has the name of one of goinst's" in words
    assert "\n" not in words


def test_who_asks_for_one_is_told_of_the_others(tmp_path: Path) -> None:
    said = io.StringIO()
    configure(stream=said)
    opened(f"diary:{tmp_path / 'd'}")
    told = {line["plugin"]: line for line in map(json.loads, said.getvalue().splitlines())}
    assert {"hookbadoffer", "hookbadoutput", "hookoddoffer", "hookunfit"} <= told.keys()
    assert {line["event"] for line in told.values()} == {"outputs of a plugin cannot be used"}
    said.truncate(0)
    opened("json")
    assert said.getvalue().strip("\0") == ""


def test_goinst_plugins_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "  --output diary[:PLACE]  names of spans, one a line\n" in text
    assert "--output diary-of-two cannot be used: the plugins hookbadoutput and hookoddoffer bring" in text
    assert execute(["plugins", "--json"]) == 0
    listed = {plugin["name"]: plugin for plugin in json.loads(capsys.readouterr().out)}
    assert listed["hookkit"]["outputs"] == [{"name": "diary", "help": "names of spans, one a line"}]
    assert listed["hookkit"]["error"] is None
    assert listed["hookbadoffer"]["error"].endswith("raised LookupError: no output today; switched off")
    assert execute(["run", "--help"]) == 0
    help_text = " ".join(capsys.readouterr().out.split())
    assert "none (count only), diary (names of spans, one a line)" in help_text


def test_an_output_of_a_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording, diary, end = tmp_path / "shop.goinst", tmp_path / "diary", tmp_path / "end"
    write_shop(recording, 1)
    os.environ["GOINST_KIT"] = str(end)
    try:
        assert execute(["replay", str(recording), "--output", f"diary:{diary}", "--plugins", "nethttp,hookkit"]) == 0
    finally:
        del os.environ["GOINST_KIT"]
    *names, last = diary.read_text().splitlines()
    assert last == "the end"
    told = json.loads(end.read_text())
    assert (told["spans"], told["ended"]) == (len(names), "the recording ended")
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["spans"] == len(names) > 10


def test_recordings_go_to_it_and_through_hooks_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, diary, page = tmp_path / "shop.goinst", tmp_path / "diary", tmp_path / "page.html"
    write_shop(recording, 1)
    assert execute(["export", str(recording), "--to", "diary", "-o", str(diary)]) == 0
    assert diary.read_text().endswith("\nthe end\n")
    assert execute(["export", str(recording), "--to", "diary-of-two"]) == 2
    assert "uninstall all but one" in capsys.readouterr().err
    assert execute(["export", str(recording), "--to", "diry"]) == 2
    assert "'diry' is not one of 'json', 'msgpack'" in capsys.readouterr().err
    plugins = "nethttp,hookbad,hookplain"
    assert execute(["report", str(recording), "-o", str(page), "--plugins", plugins]) == 0
    assert page.read_text().count("'plain']") > 10
    off = [line for line in capsys.readouterr().err.splitlines() if "switched off" in line]
    assert len(off) == 1
    assert "hookbad" in off[0]


# -- attributes of a process -------------------------------------------------------------------------------------------


def asking(*names: str) -> tuple[Processes, list[str], list[str]]:
    plugins, failed, refused = PluginSet.load(names), list[str](), list[str]()
    assert plugins.failures == ()

    def ask(process: TracedProcess) -> dict[str, Any]:
        return plugins.hooks.resource(
            process, lambda error: failed.append(str(error)), lambda error: refused.append(str(error))
        )

    return Processes("shop", ask), failed, refused


def test_attributes_of_a_process_are_asked_for_once() -> None:
    processes, failed, refused = asking("hookkit")
    program = Program(os.path.realpath(sys.executable), "example.com/shop", "go1.26")
    from goinst_hooks import kit

    kit.asked.clear()
    pid = os.getpid()
    resource = processes.resource(pid, program)
    assert resource.attributes["team.name"] == "blue"
    assert resource.attributes["team.module"] == "example.com/shop"
    assert resource.attributes["service.name"] == "kit"
    assert resource.attributes["team.saw"] == (
        "process.executable.name", "process.executable.path", "process.pid", "process.runtime.name",
        "process.runtime.version",
    )  # fmt: skip
    line = json.loads(resource.json)
    assert (line["team.name"], line["service.name"], line["process.pid"]) == ("blue", "kit", pid)
    processes.join(pid, program)
    assert processes.resource(pid, program).attributes["team.name"] == "blue"
    assert kit.asked == [pid]
    processes.remove(pid)
    processes.resource(pid, program)
    assert kit.asked == [pid, pid]
    assert failed == refused == []


def test_bad_attributes_are_left_out_and_named_once() -> None:
    processes, failed, refused = asking("hookoddresource", "hookbadresource", "hookkit")
    for pid in (os.getpid(), os.getppid()):
        attributes = processes.resource(pid, Program("/x")).attributes
        assert (attributes["process.pid"], attributes["odd.good"], attributes["team.name"]) == (pid, 7, "blue")
        assert "odd.thing" not in attributes
    hook = "its hook goinst_resource"
    assert failed == [f"plugin hookbadresource: {hook} returned a list, and no mapping of attributes; switched off"]
    assert refused == [
        f"plugin hookoddresource: {hook} gives 'process.pid': goinst has seen for itself what that is; left out",
        f"plugin hookoddresource: {hook} gives 'odd.thing': a text, a number of 64 bits, a bool or a list of such is"
        " wanted, no object; left out",
    ]  # fmt: skip


def hooks_of(**functions: Any) -> Hooks:
    """Hooks of plugins that return, or do, this."""
    hooks = Hooks()
    for name, function in functions.items():
        module = ModuleType(name)
        vars(module)["goinst_resource"] = hookimpl(function)
        hooks.register(name, module)
    return hooks


def test_who_is_called_first_counts_and_who_gives_too_much_is_off() -> None:
    many = {f"a{number}": object() for number in range(40)}
    turns = iter((many, {f"b{number}": object() for number in range(40)}, {}))
    hooks = hooks_of(
        one=lambda: {"x": 1, "y": 1}, two=lambda: {"x": 2}, none=lambda: None, much=lambda: next(turns),
        far=lambda: {str(number): 1 for number in range(65)},
    )  # fmt: skip
    failed, refused = list[str](), list[str]()

    def ask() -> dict[str, Any]:
        process = TracedProcess(1, "", {})
        return hooks.resource(process, lambda e: failed.append(e.plugin), lambda e: refused.append(e.plugin))

    assert ask() == ask() == ask() == {"x": 2, "y": 1}
    assert failed == ["far", "much"]
    assert refused == ["much"] * 80
    assert next(turns) == {}


@pytest.mark.parametrize(
    ("value", "comes_to"),
    [
        ("a\udc80", "a?"),
        (True, True),
        (-(2**63), -(2**63)),
        (0.5, 0.5),
        (["a", "b"], ("a", "b")),
        ([], ()),
        ((1,), (1,)),
    ],
)
def test_values_that_an_attribute_can_have(value: object, comes_to: object) -> None:
    assert attribute_value("a.b", value) == comes_to
    assert type(attribute_value("a.b", value)) is type(comes_to)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", 1), ("a\nb", 1), ("a" * 256, 1), (7, 1), ("container.id", "x"), ("service.name", 7), ("a", None),
        ("a", 2**63), ("a", float("nan")), ("a", float("inf")), ("a", [1, "b"]), ("a", [True, 1]), ("a", [[1]]),
        ("a", [None]), ("a", "x" * 4097), ("a", list(range(65))), ("a", {"b": 1}), ("a", b"x"),
    ],
)  # fmt: skip
def test_values_that_it_cannot_have(name: object, value: object) -> None:
    with pytest.raises(ValueError, match=r"^[a-z0-9][^\n]*$"):
        attribute_value(name, value)


# -- the end -----------------------------------------------------------------------------------------------------------


def test_the_summary_is_told_read_only_and_one_that_raises_is_named() -> None:
    run = Run([], PluginSet.load(["hookbadsummary"]))
    summary = run.go(batch(2))
    assert (summary.spans, summary.losses) == (2, {})
    assert run.failures == [
        "plugin hookbadsummary: its hook goinst_summary raised TypeError: 'mappingproxy' object does not support item"
        " assignment; switched off"
    ]


def test_a_summary_does_not_change_with_what_it_was_made_of() -> None:
    losses = {"a.b": 1}
    summary = Summary(losses=losses)
    losses["a.b"] = 2
    assert summary.losses == {"a.b": 1}
    assert summary.fields(places=True, live=False).keys() >= {"losses_by_place", "spans", "ended"}
