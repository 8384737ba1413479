"""docs/PLUGINS.md says all that an author needs, and what it says is true: its example is built and traced here."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

import gobuild
import goinst
from goinst import DecodeContext, Exporter, Record, Resource, Span, Summary, TracedProcess
from goinst.errors import UsageError
from goinst.export.guarded import GuardedExporter
from goinst.plan.counters import CORE_LOSSES
from goinst.plan.source import write_source
from goinst.plugin import protocol as declare
from goinst.plugin.enums import macros_of
from goinst.plugin.hooks import Hooks
from goinst.plugin.hookspecs import HookSpec
from goinst.plugin.manager import PluginSet, installed
from parts import GOROUTINE, part, probe
from wire import row

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "PLUGINS.md").read_text()
BPF = ROOT / "bpf"
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/decode.py"))


def mentioned(name: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", TEXT) is not None


@pytest.mark.parametrize("name", [name for name in goinst.__all__ if not name.startswith("__")])
def test_every_public_name_is_explained(name: str) -> None:
    assert re.search(rf"`{name}\b", TEXT), f"{name} is offered to authors and not in docs/PLUGINS.md"


KINDS = [getattr(declare, name) for name in declare.__all__ if isinstance(getattr(declare, name), type)]


@pytest.mark.parametrize("kind", [*KINDS, Span, DecodeContext, Summary, TracedProcess])
def test_every_member_of_a_declaration_is_mentioned(kind: type) -> None:
    assert [field.name for field in dataclasses.fields(kind) if not mentioned(field.name)] == []


@pytest.mark.parametrize("hook", [name for name in vars(HookSpec) if not name.startswith("_")])
def test_every_hook_is_mentioned(hook: str) -> None:
    assert hook.startswith("goinst_")
    assert f"`{hook}(" in TEXT


def offered() -> set[str]:
    """The C functions and macros in the core's headers whose names are for authors: those without the core's prefix,
    and not what generated captures are made of."""
    found: set[str] = set()
    for header in BPF.glob("*.h"):
        found.update(re.findall(r"^(?:static __always_inline [\w ]*?[ *]|#define )(\w+)\(", header.read_text(), re.M))
    return {name for name in found if not name.lower().startswith(("goinst_", "capture_"))}


def test_the_headers_offer_helpers() -> None:
    assert {
        "PROBE",
        "ARG",
        "RESULT",
        "go_word",
        "go_u32",
        "go_byte",
        "go_copy",
        "go_string_at",
        "go_type_hash",
    } <= offered()


@pytest.mark.parametrize(
    "name",
    [*sorted(offered()), "LOSS", "NOTE", "SIGNAL", "TAIL_CALL", "goinst_operation_find", "goinst_goid", "goinst_depth"],
)
def test_every_c_helper_is_explained(name: str) -> None:
    assert f"`{name}(" in TEXT


def test_every_helper_of_a_record_is_explained() -> None:
    def ignore(values: Any, span: Any, context: Any) -> None: ...

    columns = row(n="u64")
    records = [Record("shop_order", columns, ignore, role="operation"), Record("shop_note", columns, ignore)]
    shop = part("shop", "", [probe("a")], records=records)
    source, _, _ = write_source("amd64", GOROUTINE, [shop], filter_pids=False)
    helpers = set(re.findall(r"^static __always_inline [\w *]*?(shop_(?:order|note)_\w+)\(", source, re.M))
    assert {"shop_order_begin", "shop_order_end", "shop_note_reserve", "shop_note_sent"} <= helpers
    assert [name for name in sorted(helpers) if f"`{name}(" not in TEXT] == []


def test_hit_is_explained() -> None:
    (members,) = re.findall(r"struct goinst_hit \{(.*?)\};", (BPF / "event.h").read_text(), re.DOTALL)
    names = set(re.findall(r"u\d+ (\w+)(?:\[\w+\])?;", members)) - {"tails"}
    assert names == {"g", "sp", "context", "tgid"}
    assert all(f"`hit->{name}`" in TEXT for name in names)


def test_losses_that_the_core_adds_are_explained() -> None:
    named = {
        "operation_map_full",
        "goroutine_unknown",
        "nesting_too_deep",
        "ring_full",
        "ring_busy",
        "tail_call_failed",
    }
    assert named <= set(CORE_LOSSES)
    assert "`core.evicted`" in TEXT and "`began_unseen`" in TEXT
    assert all(f"`{name}`" in TEXT for name in named | {"decoder_raised", "fact_without_span"})


@pytest.mark.parametrize("name", PLUGINS)
def test_built_in_plugins_explain_themselves(name: str) -> None:
    module = importlib.import_module(f"goinst.plugins.{name}")
    protocol = module.PROTOCOL
    assert protocol.name == name
    assert protocol.summary.strip()
    assert protocol.hits.strip(), "a plugin says what it costs"
    for option in protocol.options:
        assert len(option.help) > 10, option.name
    for reason, words in {**protocol.losses, **protocol.notes}.items():
        assert len(words) > 10, reason
    for one in protocol.probes:
        assert one.lost or not one.optional, f"{one.program} is optional and does not say what is lost without it"
    for record in protocol.records:
        assert record.name.startswith(f"{name}_")
    for macro in [option.define for option in protocol.options if option.define]:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", macro)


@pytest.mark.parametrize("name", PLUGINS)
def test_what_decoders_count_is_declared(name: str) -> None:
    # a folder may hold more than one plugin
    protocols = [
        plugin.protocol
        for plugin in installed()
        if plugin.protocol and plugin.module.startswith(f"goinst.plugins.{name}")
    ]
    declared = {
        "context.count": {reason for protocol in protocols for reason in protocol.losses},
        "context.signal": {signal for protocol in protocols for signal in protocol.signals},
    }
    for path in (ROOT / "plugins" / name).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in declared:
                reason = ast.literal_eval(node.args[0])
                assert reason in declared[called], f"{path.name}:{node.lineno}: {called}({reason!r})"


BUILT_IN = pytest.mark.parametrize(
    "protocol",
    [p.protocol for p in installed() if p.protocol and p.distribution == "goinst"],
    ids=lambda protocol: protocol.name,
)


@BUILT_IN
def test_numbers_stand_once(protocol: declare.Protocol) -> None:
    """Those of its enums are used by name in C, but for a 0 that nobody has to write, and not defined there again."""
    folder = ROOT / "plugins" / protocol.fragments[0].package.rpartition(".")[2]
    text = "\n".join((folder / fragment.file).read_text() for fragment in protocol.fragments)
    for macro, value in macros_of(protocol).items():
        assert value == "0" or re.search(rf"\b{macro}\b", text), f"{macro} is used nowhere"
        assert not re.search(rf"#define {macro}\b", text)


@BUILT_IN
def test_decoders_are_typed(protocol: declare.Protocol) -> None:
    for record in protocol.records:
        hint = get_type_hints(record.decode)["values"]
        assert hint is record.row, f"{record.name}: its decoder takes {hint}"


@BUILT_IN
def test_every_declared_reason_is_counted_somewhere(protocol: declare.Protocol) -> None:
    (package,) = {fragment.package for fragment in protocol.fragments}
    folder = ROOT / "plugins" / package.rpartition(".")[2]
    text = "\n".join(path.read_text() for path in folder.iterdir() if path.suffix in (".py", ".c"))
    counted = re.findall(r'(LOSS|NOTE|SIGNAL)\(\s*(\w+)\s*\)|context\.(count|signal)\("(\w+)"\)', text)
    found = {(c or f"context.{python}", name or called) for c, name, python, called in counted}
    assert [one for one in protocol.losses if not found & {("LOSS", one), ("context.count", one)}] == []
    assert [one for one in protocol.notes if ("NOTE", one) not in found] == []
    assert [one for one in protocol.signals if not found & {("SIGNAL", one), ("context.signal", one)}] == []


# -- the worked example ----------------------------------------------------------------------------------------------


def files() -> dict[str, str]:
    """The example's files: a name in a line of its own, then a block of text."""
    found = dict(re.findall(r"^`([\w./]+)`\n```\w+\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
    assert set(found) == {
        "main.go", "goinst_shop/__init__.py", "goinst_shop/shop.bpf.c", "goinst_shop/decode.py", "pyproject.toml",
    }  # fmt: skip
    return found


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as an installed distribution: a folder for the path. Its program is in ``program/``."""
    folder = tmp_path_factory.mktemp("shop")
    for name, text in files().items():
        path = folder / ("program" if name == "main.go" else "site") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "program" / "go.mod").write_text("module shop\n\ngo 1.16\n")
    info = folder / "site" / "goinst_shop-1.0.dist-info"
    info.mkdir()
    points = re.search(r"\[project\.entry-points\.goinst\]\n(.*?)\n\n", files()["pyproject.toml"], re.DOTALL)
    assert points
    (info / "entry_points.txt").write_text(f"[goinst]\n{points[1].replace(chr(34), '')}\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: goinst-shop\nVersion: 1.0\n")
    return folder


def test_the_example_is_a_plugin(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(shop / "site"))
    plugins = PluginSet.load(["shop"])
    assert plugins.failures == ()
    assert [protocol.name for protocol in plugins.protocols] == ["shop"]


def test_the_example_of_a_decoder_test_passes(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(shop / "site"))
    (text,) = [block for block in blocks("python") if "def test_" in block]
    space: dict[str, Any] = {}
    exec(compile(text, "PLUGINS.md", "exec"), space)
    space["test_an_order_that_failed"]()


def example(hook: str) -> Any:
    """The function that the page's example of a hook defines."""
    (text,) = [block for block in blocks("python") if f"def {hook}(" in block]
    space: dict[str, Any] = {}
    exec(compile(text, "PLUGINS.md", "exec"), space)
    return space[hook]


def test_the_example_of_a_hook_works() -> None:
    spans = [Span("nethttp", path, "server", 1, 2, 0, 0, 0, Resource({}, b"{}")) for path in ("/healthz", "/")]
    for span in spans:
        span.attributes["url.path"] = span.name
    example("goinst_spans")(spans)
    assert [span.dropped for span in spans] == [True, False]


def test_the_example_of_an_output_works(tmp_path: Path) -> None:
    hooks, module = Hooks(), ModuleType("names")
    vars(module)["goinst_exporters"] = example("goinst_exporters")
    hooks.register("names", module)
    (offer,) = hooks.exporters(pytest.fail)
    assert (offer.name, offer.meaning) == ("names", "the names of spans, one a line")
    with pytest.raises(UsageError, match=r"^--output names: say which file: names:spans\.txt$"):
        GuardedExporter(offer, "")
    with pytest.raises(UsageError, match=r"^--output names:/nowhere/x: /nowhere/x: No such file"):
        GuardedExporter(offer, "/nowhere/x")
    exporter = GuardedExporter(offer, str(tmp_path / "names"))
    exporter.export([Span("web", "GET /", "server", 1, 2, 0, 0, 0, Resource({}, b"{}"), partial=True)])
    exporter.close()
    assert (tmp_path / "names").read_text() == "GET / (open)\n"
    assert [name for name in vars(Exporter) if not name.startswith("_") and not mentioned(name)] == []


def test_the_example_of_a_resource_works() -> None:
    hook = example("goinst_resource")
    pipe = subprocess.PIPE
    with subprocess.Popen(["cat"], env={**os.environ, "TEAM": "blue"}, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print("there?", file=process.stdin, flush=True)
        assert process.stdout.readline() == "there?\n"
        assert hook(TracedProcess(process.pid, "", {})) == {"team.name": "blue"}
    assert hook(TracedProcess(1 << 30, "", {})) is None


def test_the_example_of_a_summary_works(capsys: pytest.CaptureFixture[str]) -> None:
    example("goinst_summary")(Summary(spans=100, losses={"web.ring_full": 1}))
    assert capsys.readouterr().out == ""
    example("goinst_summary")(Summary(spans=100, losses={"web.ring_full": 2}))
    assert capsys.readouterr().out == "more than 1% lost: {'web.ring_full': 2}\n"


def trace(shop: Path, binary: Path, *options: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the example's program under goinst: the spans, and the summary."""
    done = subprocess.run(
        [sys.executable, "-m", "goinst.cli.main", "run", "--plugins", "shop", "--output", "json", "--no-cache",
         "--max-spans", "10", "--duration", "20", *options, "--", str(binary)],
        env={**os.environ, "PYTHONPATH": str(shop / "site")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert not [line for line in lines if line.get("level") == "error"], done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], lines[-1]


@pytest.mark.bpf
@pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)")
def test_the_example_traces(shop: Path) -> None:
    spans, summary = trace(shop, gobuild.build(shop / "program"))
    items = ["tea", "bread", "a very long sandwich"]
    assert len(spans) == 10
    for number, span in enumerate(spans, 1):
        item, count = items[number % 3], number % 5
        assert span["name"] == f"order {item}"
        assert span["attributes"] == {"shop.item": item, "shop.count": count, "shop.name": "corner"}
        assert span["status"] == ("error" if item == "tea" and count > 2 else "unset")
        assert span["kind"] == "server"
        assert 2_000_000 <= span["duration_ns"] < 1_000_000_000
        assert "truncated" not in span or span["truncated"] == []
    assert summary["losses"] == {}


@pytest.mark.bpf
@pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)")
def test_the_example_on_a_stripped_binary_with_a_short_column(shop: Path) -> None:
    """What the page says of stripped binaries and of options."""
    spans, _ = trace(shop, gobuild.build(shop / "program", ldflags="-s -w"), "--set", "shop.item_bytes=8")
    long = [span for span in spans if span["attributes"]["shop.item"] == "a very l"]
    assert len(long) == 3
    assert all(span["truncated"] == ["shop.item"] for span in long)
    assert {span["attributes"]["shop.item"] for span in spans} == {"tea", "bread", "a very l"}
