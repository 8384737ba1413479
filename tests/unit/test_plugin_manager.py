"""Finding, loading and switching off plugins: real distributions in a folder on the path, whole and broken."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from goinst import Option, Protocol, Resource, Span
from goinst.config import RunConfig
from goinst.diagnostics import Log
from goinst.errors import UsageError
from goinst.plugin.manager import InstalledPlugin, PluginSet, installed
from goinst.plugin.options import check_options
from goinst.run.session import Session

Make = Callable[..., str]
_numbers = itertools.count()

GOOD = """
from goinst import Option, Protocol
PROTOCOL = Protocol({name!r}, "made up", (), (), (), builds_on={builds_on!r},
                    options=(Option("limit", 5, "how much"),))
"""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make an installed distribution with one plugin; returns the plugin's name."""

    def distribution(
        name: str, text: str = "", *, builds_on: Sequence[str] = (), owner: str = "", points: str = "", module: str = ""
    ) -> str:
        owner, number = owner or f"goinst-{name}", next(_numbers)
        folder = tmp_path / f"site{number}"
        module = module or f"goinst_made_up_{number}"
        info = folder / f"{owner.replace('-', '_')}-1.{number}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {owner}\nVersion: 1.{number}\n")
        (info / "entry_points.txt").write_text(points or f"[goinst]\n{name} = {module}\n")
        (folder / f"{module}.py").write_text(text or GOOD.format(name=name, builds_on=tuple(builds_on)))
        monkeypatch.syspath_prepend(str(folder))
        return name

    return distribution


def found(name: str) -> InstalledPlugin:
    (plugin,) = [plugin for plugin in installed() if plugin.name == name]
    return plugin


def failures(plugins: PluginSet) -> dict[str, str]:
    shown = {failure.plugin: str(failure) for failure in plugins.failures}
    assert len(shown) == len(plugins.failures), "a plugin fails once"
    assert all("\n" not in message for message in shown.values())
    return shown


def names(plugins: PluginSet) -> list[str]:
    return [protocol.name for protocol in plugins.protocols]


def test_built_in_plugins_are_found_like_any_other() -> None:
    plugin = found("nethttp")
    assert (plugin.distribution, plugin.error) == ("goinst", None)
    assert plugin.summary
    assert names(PluginSet.load(["jsonrpc"])) == ["nethttp", "jsonrpc"]


def test_a_plugin_of_another_distribution(make: Make) -> None:
    make("shop", owner="goinst-of-the-shop")
    plugin = found("shop")
    assert plugin.distribution == "goinst-of-the-shop"
    assert plugin.version.startswith("1.")
    assert plugin.summary == "made up"
    assert [option.name for option in plugin.options] == ["limit"]
    assert plugin.protocol is not None
    plugins = PluginSet.load(["shop", "nethttp", "shop"])
    assert names(plugins) == ["shop", "nethttp"]
    assert failures(plugins) == {}


BROKEN = {
    "import error": ("import no_such_module_anywhere\n", "cannot be imported from {module}: ModuleNotFoundError"),
    "exception": ("raise RuntimeError('two\\nlines')\n", "cannot be imported from {module}: RuntimeError: two lines"),
    "exit": ("raise SystemExit(3)\n", "cannot be imported from {module}: SystemExit: 3"),
    "syntax": ("def (:\n", "cannot be imported from {module}: SyntaxError"),
    "no protocol": ("x = 1\n", "{module} has no PROTOCOL of type goinst.Protocol"),
    "not a protocol": ("PROTOCOL = {'name': 'shop'}\n", "{module} has no PROTOCOL of type goinst.Protocol"),
    "another name": (
        GOOD.format(name="till", builds_on=()),
        "{module} calls itself 'till'; the entry point must agree",
    ),
    "a bad declaration": ("from goinst import Protocol\nPROTOCOL = Protocol('shop')\n", "cannot be imported from"),
    "a hook that is none": (
        GOOD.format(name="shop", builds_on=())
        + "from goinst import hookimpl\n@hookimpl\ndef goinst_spam(spans): pass\n",
        "its hooks do not fit: .*goinst_spam",
    ),
    "a hook that asks for more": (
        GOOD.format(name="shop", builds_on=())
        + "from goinst import hookimpl\n@hookimpl\ndef goinst_spans(spans, more): pass\n",
        "its hooks do not fit: .*more",
    ),
}


@pytest.mark.parametrize(("text", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_and_the_rest_goes_on(make: Make, text: str, says: str) -> None:
    module = f"goinst_broken_{next(_numbers)}"
    make("shop", text, module=module)
    plugins = PluginSet.load(["shop", "nethttp"])
    assert names(plugins) == ["nethttp"]
    (message,) = failures(plugins).values()
    assert message.startswith("plugin shop: ")
    assert re.search(says.format(module=module), message), message
    assert not plugins.hooks.want_spans
    if "hook" not in says:
        plugin = found("shop")
        assert plugin.error == message
        assert (plugin.protocol, plugin.summary, plugin.options) == (None, None, ())
    assert found("nethttp").error is None


def test_a_keyboard_interrupt_is_not_a_broken_plugin(make: Make) -> None:
    make("shop", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        PluginSet.load(["shop"])


def test_one_name_in_two_distributions(make: Make) -> None:
    make("shop", owner="goinst-shop")
    make("shop", owner="another-shop")
    says = "plugin shop: another-shop, goinst-shop all provide a plugin of this name; uninstall all but one"
    assert failures(PluginSet.load(["shop", "nethttp"])) == {"shop": says}
    assert found("shop").error == says


def test_nobody_takes_a_built_in_plugins_name_unnoticed(make: Make) -> None:
    make("nethttp", owner="evil")
    assert failures(PluginSet.load(["nethttp"])) == {
        "nethttp": "plugin nethttp: evil, goinst all provide a plugin of this name; uninstall all but one"
    }


def test_the_same_distribution_twice_on_the_path(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make("shop")
    monkeypatch.setattr(sys, "path", [sys.path[0], *sys.path])
    assert found("shop").error is None


@pytest.mark.parametrize(
    "points", ["not an ini file", "[goinst]\nno equals sign\n", "[goinst]\nshop = \n", "\0", "[[["]
)
def test_somebody_elses_broken_metadata_is_no_reason_to_fail(make: Make, points: str) -> None:
    make("shop", points=points)
    assert names(PluginSet.load(["nethttp"])) == ["nethttp"]
    assert found("nethttp").error is None


def test_bases_come_first_and_once(make: Make) -> None:
    make("roof", builds_on=["wall", "floor"])
    make("wall", builds_on=["floor"])
    make("floor")
    plugins = PluginSet.load(["roof", "floor"])
    assert names(plugins) == ["floor", "wall", "roof"]
    assert failures(plugins) == {}


def test_a_base_that_is_not_installed(make: Make) -> None:
    make("roof", builds_on=["wall"])
    make("wall", builds_on=["floor"])
    plugins = PluginSet.load(["roof", "nethttp"])
    assert names(plugins) == ["nethttp"]
    assert failures(plugins) == {
        "wall": "plugin wall: builds on floor, which is not installed",
        "roof": "plugin roof: builds on wall, which cannot be used",
    }


def test_a_base_that_is_broken(make: Make) -> None:
    make("roof", builds_on=["wall"])
    make("wall", "raise ValueError\n")
    plugins = PluginSet.load(["roof", "wall", "nethttp"])
    assert names(plugins) == ["nethttp"]
    assert failures(plugins)["roof"] == "plugin roof: builds on wall, which cannot be used"


@pytest.mark.parametrize("wanted", [["a"], ["b"], ["c"], ["a", "b", "c"], ["c", "b", "a"]])
def test_plugins_that_build_on_each_other(make: Make, wanted: list[str]) -> None:
    make("a", builds_on=["b"])
    make("b", builds_on=["c"])
    make("c", builds_on=["a"])
    plugins = PluginSet.load([*wanted, "nethttp"])
    assert names(plugins) == ["nethttp"]
    said = failures(plugins)
    assert set(said) == {"a", "b", "c"}
    assert [message for message in said.values() if "builds on itself: " in message]


def test_a_plugin_that_builds_on_itself(make: Make) -> None:
    make("a", builds_on=["a"])
    assert failures(PluginSet.load(["a"])) == {"a": "plugin a: builds on itself: a -> a"}


def test_a_name_that_is_not_installed() -> None:
    with pytest.raises(UsageError, match=r"no plugin is called 'nethtp'; did you mean nethttp\? Installed: .*jsonrpc"):
        PluginSet.load(["nethtp"])
    with pytest.raises(UsageError, match=r"no plugin is called 'quite other'\. Installed: "):
        PluginSet.load(["quite other"])


OPTIONS = Protocol(
    "shop", "made up", (), (), (),
    options=(
        Option("bytes", 100, "how much", minimum=1, maximum=200),
        Option("deep", False, "whether"),
        Option("kind", "plain", "which"),
        Option("free", 0, "any number"),
    ),
)  # fmt: skip
BARE = Protocol("till", "made up", (), (), ())


def test_options_given_and_default() -> None:
    given: dict[str, dict[str, object]] = {"shop": {"bytes": 200, "deep": True, "kind": 7, "free": -5}}
    assert check_options([OPTIONS, BARE], given) == {
        "shop": {"bytes": 200, "deep": True, "kind": "7", "free": -5},
        "till": {},
    }
    defaults = {"bytes": 100, "deep": False, "kind": "plain", "free": 0}
    assert check_options([OPTIONS, BARE], {}) == {"shop": defaults, "till": {}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"shop": {"bytes": 0}}, r"shop\.bytes=0: it takes a whole number from 1 to 200"),
        ({"shop": {"bytes": 201}}, r"shop\.bytes=201: it takes a whole number from 1 to 200"),
        ({"shop": {"bytes": "many"}}, r"shop\.bytes='many': it takes a whole number"),
        ({"shop": {"bytes": True}}, r"shop\.bytes=True: it takes a whole number"),
        ({"shop": {"free": "x"}}, r"shop\.free='x': it takes a whole number$"),
        ({"shop": {"deep": 1}}, r"shop\.deep=1: it takes true or false"),
        ({"shop": {"byte": 1}}, r"plugin shop has no option 'byte'; try shop\.bytes"),
        ({"shop": {"zzz": 1}}, r"plugin shop has no option 'zzz'; try shop\."),
        ({"till": {"zzz": 1}}, r"plugin till has no options"),
        ({"shp": {"bytes": 1}}, r"plugin 'shp', which is not on; plugins that are: shop, till"),
    ],
)
def test_options_that_make_no_sense(given: dict[str, dict[str, object]], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_options([OPTIONS, BARE], given)


HOOK = """
from goinst import hookimpl
seen = []
@hookimpl
def goinst_spans(spans):
    seen.append(len(spans))
    {body}
"""


class Lines(Log):
    """A log that keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[dict[str, Any]] = []

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self.said.append({"level": level, "event": event, **fields})


def span(name: str) -> Span:
    return Span("shop", name, "server", 1, 2, 0, 3, 4, Resource({}, b"{}"))


def hooked(plugins: PluginSet, spans: list[Span]) -> tuple[list[str], Lines, Session]:
    log = Lines()
    session = Session(RunConfig(cache=False), plugins, [], log)
    return [span.name for span in session._pipeline.hooked(spans)], log, session


def test_a_hook_renames_enriches_and_drops(make: Make) -> None:
    body = """
    for span in spans:
        span.name = span.name.upper()
        span.attributes["seen"] = True
        span.dropped = span.name == "B"
"""
    make("shop", GOOD.format(name="shop", builds_on=()) + HOOK.format(body=body.strip()))
    spans = [span("a"), span("b"), span("c")]
    kept, log, session = hooked(PluginSet.load(["shop"]), spans)
    assert kept == ["A", "C"]
    assert all(each.attributes == {"seen": True} for each in spans)
    assert session._pipeline.losses()["hook.dropped"] == 1
    assert log.said == []


def test_a_hook_that_raises_is_switched_off_and_spans_go_on(make: Make) -> None:
    make("shop", GOOD.format(name="shop", builds_on=()) + HOOK.format(body="raise KeyError('what')"))
    make("till", GOOD.format(name="till", builds_on=()) + HOOK.format(body="spans[0].name += '!'"))
    plugins = PluginSet.load(["shop", "till"])
    kept, log, session = hooked(plugins, [span("a")])
    assert kept == ["a!"]
    (line,) = log.said
    assert line["plugin"] == "shop"
    assert line["reason"] == "plugin shop: its hook goinst_spans raised KeyError: 'what'; switched off"
    assert [each.name for each in session._pipeline.hooked([span("b")])] == ["b!"]
    assert len(log.said) == 1


def test_without_hooks_the_batch_is_handed_on_as_it_is() -> None:
    session = Session(RunConfig(cache=False), PluginSet.load(["nethttp"]), [], Lines())
    spans = [span("a")]
    assert session._pipeline.hooked(spans) is spans
