"""A plugin in a distribution of its own: built as a wheel, installed apart, found, used, and survived when broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Server, goinst, needs_root, serving, tracing

from gobuild import build
from installing import THIRD_PARTY, install

HELLO = THIRD_PARTY / "goinst-hello"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents, nothing else, and not on goinst's path."""
    return install("goinst-hello", tmp_path_factory.mktemp("hello"))


@pytest.fixture
def hello(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))


@pytest.fixture(scope="module")
def sample() -> Path:
    return build(HELLO / "sample")


def test_it_is_not_there_before() -> None:
    assert "goinst-hello" not in goinst("plugins").stdout


@pytest.mark.usefixtures("hello")
def test_it_is_listed_with_its_distribution_and_options() -> None:
    (one,) = [plugin for plugin in json.loads(goinst("plugins", "--json").stdout) if plugin["name"] == "hello"]
    assert one["distribution"] == "goinst-hello"
    assert one["version"] == "1.2.3"
    assert one["error"] is None
    assert [option["name"] for option in one["options"]] == ["with_name"]
    assert "goinst-hello 1.2.3" in goinst("plugins").stdout


@pytest.mark.bpf
@needs_root
@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("go", ["1.17.13", None, "1.27.3"])
def test_it_traces(go: str | None) -> None:
    with (
        serving(build(HELLO / "sample", go=go)) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp,hello") as tracer,
    ):
        _, answer = server.request("GET", "/greet?name=Gopher")
        server.request("GET", "/greet?name=" + "G" * 40)
        tracer.wait_spans(4)
        ended = tracer.stop()
    call, request, cut, _ = ended.spans  # a call ends before the request that it is part of
    assert call["plugin"] == "hello"
    assert call["name"] == "greet Gopher"
    assert call["kind"] == "internal"
    assert call["attributes"] == {
        "hello.name": "Gopher",
        "hello.times": 3,
        "hello.greeting.length": len(answer),
    }
    assert request["plugin"] == "nethttp"
    assert call["parent_span_id"] == request["span_id"]
    assert call["trace_id"] == request["trace_id"]
    assert cut["attributes"]["hello.name"] == "G" * 32
    assert cut["truncated"] == ["hello.name"]
    assert ended.summary["losses"] == {}


@pytest.mark.bpf
@needs_root
@pytest.mark.usefixtures("hello")
def test_it_works_alone_with_an_option(sample: Path) -> None:
    with (
        serving(sample) as server,
        tracing("--pid", str(server.pid), "--plugins", "hello", "--set", "hello.with_name=false") as tracer,
    ):
        server.request("GET", "/greet?name=x")
        (span,) = tracer.wait_spans(1)
        tracer.stop()
    assert span["name"] == "greet"
    assert span["parent_span_id"] is None


def _import_error(package: Path) -> None:
    module = package / "__init__.py"
    module.write_text("import a_module_that_is_not_there\n" + module.read_text().replace("from __future__", "# "))


def _bad_c(package: Path) -> None:
    fragment = package / "hello.bpf.c"
    fragment.write_text(fragment.read_text().replace("r->times = ", "r->tiems = "))


def _verifier_reject(package: Path) -> None:
    """Uses what may be NULL: correct C, which the verifier refuses."""
    fragment = package / "hello.bpf.c"
    fragment.write_text(fragment.read_text().replace("    if (!r)\n        return 0;\n", "", 1))


@pytest.mark.bpf
@needs_root
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(_import_error, "a_module_that_is_not_there", id="import-error"),
        pytest.param(_bad_c, "tiems", id="bad-c"),
        pytest.param(_verifier_reject, "hello_enter", id="verifier-reject"),
    ],
)
def test_broken_it_is_named_and_left_out(
    damage: Callable[[Path], None],
    words: str,
    installed: Path,
    sample: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    damage(site / "goinst_hello")
    monkeypatch.setenv("PYTHONPATH", str(site))
    with (
        serving(sample) as server,
        tracing("--pid", str(server.pid), "--plugins", "nethttp,hello") as tracer,
    ):
        _asks(server)
        (span, *_) = tracer.wait_spans(1)
        ended = tracer.stop()
    complaints = [
        event for event in ended.events if event.get("plugin") == "hello" and event["level"] in ("error", "warning")
    ]
    assert complaints, ended.events
    assert words in complaints[0]["reason"]
    assert "\n" not in complaints[0]["reason"]
    assert span["plugin"] == "nethttp"
    assert span["attributes"]["http.response.status_code"] == 200
    assert [span["plugin"] for span in ended.spans] == ["nethttp"]
    assert ended.code == 0
    assert ended.noise == []


def _asks(server: Server) -> None:
    assert server.request("GET", "/greet?name=x")[0] == 200


def test_a_plugin_that_cannot_be_imported_is_listed_with_the_reason(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    _import_error(site / "goinst_hello")
    monkeypatch.setenv("PYTHONPATH", str(site))
    done = goinst("plugins")
    assert done.returncode == 0
    assert "a_module_that_is_not_there" in done.stdout
    assert "nethttp" in done.stdout


# -- hooks of another distribution, in a live run ----------------------------------------------------------------------


@pytest.mark.bpf
@needs_root
def test_hooks_of_all_kinds(hooks_site: Path, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(hooks_site))
    monkeypatch.setenv("GOINST_KIT", str(tmp_path / "end"))
    diary = tmp_path / "diary"
    with (
        serving(sample) as server,
        tracing(
            "--pid", str(server.pid), "--plugins", "nethttp,hookplain,hookkit", "--output", f"diary:{diary}",
            "--output", "json",
        ) as tracer,
    ):  # fmt: skip
        server.request("GET", "/greet?name=x")
        server.request("GET", "/elsewhere")
        tracer.wait_spans(2)
        ended = tracer.stop()
    assert ended.code == 0
    others = "outputs of a plugin cannot be used"  # broken ones are installed, too
    assert [event["event"] for event in ended.events if event["event"] != others] == ["ready", "summary"]
    for span in ended.spans:
        assert span["attributes"]["hooks"] == ["kit before", "kit first", "plain", "kit after"]
        resource = span["resource"]
        assert (resource["service.name"], resource["team.name"]) == ("kit", "blue")
        assert (resource["process.pid"], resource["team.module"]) == (server.pid, "goinst.test/hello")
        assert "process.executable.path" in resource["team.saw"]
    assert diary.read_text().splitlines() == [*(span["name"] for span in ended.spans), "the end"]
    assert json.loads((tmp_path / "end").read_text()) == {"spans": 2, "ended": "SIGINT", "asked": 1}


@pytest.mark.bpf
@needs_root
def test_hooks_that_fail_are_named_and_the_run_goes_on(
    hooks_site: Path, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(hooks_site))
    bad = ("hookbad", "hookbadwrap", "hookbadresource", "hookoddresource", "hookbadsummary", "hookbadoffer")
    with (
        serving(sample) as server,
        tracing(
            "--pid", str(server.pid), "--plugins", ",".join(("nethttp", "hookplain", *bad)), "--output", "torn",
            "--output", "json",
        ) as tracer,
    ):  # fmt: skip
        for number in range(1, 4):  # a batch each
            _asks(server)
            tracer.wait_spans(number)
        ended = tracer.stop()
    assert ended.code == 3  # an output ended
    assert ended.noise == []
    assert [span["attributes"]["hooks"][-1:] for span in ended.spans] == [["plain"]] * 3
    assert [span["attributes"]["http.response.status_code"] for span in ended.spans] == [200] * 3
    assert {(one["resource"]["odd.good"], one["resource"]["process.pid"]) for one in ended.spans} == {(7, server.pid)}
    assert (ended.summary["spans"], ended.summary["losses"]) == (3, {"torn.not_written": 2})
    said = {
        (one["event"], one.get("plugin", one.get("output"))): one["reason"] for one in ended.events if "reason" in one
    }
    off = {plugin for event, plugin in said if event == "plugin switched off"}
    assert off == {"hookbad", "hookbadwrap", "hookbadresource", "hookbadsummary"}
    assert "raised KeyError" in said["plugin switched off", "hookbad"]
    assert "returned a list" in said["plugin switched off", "hookbadresource"]
    assert "does not support item assignment" in said["plugin switched off", "hookbadsummary"]
    assert "raised LookupError" in said["outputs of a plugin cannot be used", "hookbadoffer"]
    assert ("an attribute was refused", "hookoddresource") in said
    assert "raised RuntimeError: torn to pieces" in said["an output ended", "torn"]
