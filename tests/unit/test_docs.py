"""The documents say what is so."""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from goinst.cli.checks import CHECKS
from goinst.cli.options import help_of
from goinst.cli.run import run_command
from goinst.config import SETTINGS, load_config, merge
from goinst.kernel.privileges import OLDEST_KERNEL, PRIVILEGES
from goinst.plan.counters import CORE_GONE, CORE_LOSSES, CORE_NOTES
from goinst.plugin.manager import installed
from goinst.settings import Setting

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "tests" / "thirdparty" / "goinst-hello"
PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))


@pytest.mark.parametrize("name", ["__init__.py", "hello.bpf.c"])
def test_the_plugin_page_shows_the_plugin_that_the_tests_run(name: str) -> None:
    assert (HELLO / "goinst_hello" / name).read_text() in (ROOT / "docs" / "HELLO-PLUGIN.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", (ROOT / page).read_text()):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in {_anchor(heading) for heading in re.findall(r"^#+ (.+)$", path.read_text(), re.M)}, anchor


def _anchor(heading: str) -> str:
    """As GitHub makes one of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_readme_names_every_built_in_plugin() -> None:
    readme = (ROOT / "README.md").read_text()
    for plugin in installed():
        if plugin.distribution == "goinst":
            assert f"| `{plugin.name}` |" in readme


def test_make_targets_in_the_documents_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)`", (ROOT / page).read_text(), re.MULTILINE):
            assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


def test_the_daemonset_is_valid_and_its_configuration_is_understood(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "daemonset.yaml").read_text()))
    config = next(one for one in documents if one["kind"] == "ConfigMap")["data"]["goinst.yaml"]
    (tmp_path / "goinst.yaml").write_text(config)
    read = merge(load_config(str(tmp_path / "goinst.yaml")), {})
    assert read.has_target
    assert (read.otlp, read.wait, read.sample) == ("", True, "0.1")
    pod = next(one for one in documents if one["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    capabilities = container["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"], "add": [one.name.removeprefix("CAP_") for one in PRIVILEGES]}
    assert container["image"].endswith(f":{version('goinst')}")


def test_what_the_fleet_page_says_of_privileges_is_what_the_doctor_looks_at() -> None:
    said = (ROOT / "docs" / "FLEET.md").read_text()
    for one in PRIVILEGES:
        assert f"| `{one.name}` | {one.purpose} |" in said
    assert f"CapabilityBoundingSet={' '.join(one.name for one in PRIVILEGES)}\n" in said


def test_there_is_one_oldest_kernel() -> None:
    """In the documents, in the doctor's words, and among the kernels that the tests boot."""
    oldest = ".".join(map(str, OLDEST_KERNEL))
    for page in ("README.md", "docs/FLEET.md"):
        assert f"Linux {oldest} " in (ROOT / page).read_text()
    claims = re.compile(
        r"Linux (\d+\.\d+) (?:or|and) later(?: is| are)? (?:needed|required)|^- Linux (\d+\.\d+) or later", re.M
    )
    pages = [ROOT / page for page in PAGES] + sorted((ROOT / "core").rglob("*.py"))
    said = {number for page in pages for match in claims.findall(page.read_text()) for number in match if number}
    assert said == {oldest}
    assert f'"{oldest}": ' in (ROOT / "tests" / "vm" / "kernel_vm.py").read_text()
    assert run_checks_of("5.9.0")[0] == "fail"
    assert run_checks_of(f"{oldest}.0")[0] == "ok"


def run_checks_of(release: str) -> tuple[str, str, str]:
    real = os.uname()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "uname", lambda: os.uname_result((*real[:2], release, *real[3:])))
        return CHECKS["kernel"]()


def test_the_glossary_is_in_order_and_each_entry_begins_with_its_word() -> None:
    entries = (ROOT / "docs" / "GLOSSARY.md").read_text().split("\n\n**")[1:]
    words = [entry.partition("**")[0] for entry in entries]
    assert words == sorted(set(words), key=str.lower)
    for word, entry in zip(words, entries, strict=True):
        said = entry.partition(": ")[2]
        assert re.match(rf"(?:an? |the |to )?{word}\b", said, re.IGNORECASE) or "** and **" in entry, word
        assert said.rstrip().endswith(".")
    asked_for = {
        "operation", "fact", "hit", "site", "place", "level", "lineage", "chain", "tail", "guard", "slab", "series",
        "signal", "view", "executable", "plan",
    }  # fmt: skip
    assert asked_for <= {word.lower() for word in words}


def test_an_operations_life_ends_in_what_is_counted() -> None:
    """The diagram's words in brackets are those of the summary and of the core's own counters."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    (diagram,) = re.findall(r"stateDiagram-v2\n(.*?)```", page, re.DOTALL)
    counted = re.findall(r"\((\w+)\)$", diagram, re.MULTILINE)
    assert len(counted) == 6
    assert not re.search(r":.*[:;]", diagram), "mermaid ends a label there"
    assert set(counted) <= {*CORE_LOSSES, *CORE_NOTES, *CORE_GONE, "open"}


def variable(one: Setting) -> str:
    return "GOINST_RUN_" + one.name.upper().replace("-", "_") if one.flags else ""


def row_of(one: Setting) -> str:
    """What docs/SETTINGS.md says of a setting."""
    option = " ".join(filter(None, [", ".join(one.flags), one.metavar])) if one.flags else "`-- COMMAND ARGS`"
    cells = (
        f"`{option}`" if one.flags else option,
        ", ".join(f"`{key}`" for key in one.keys),
        one.kind.words,
        f"`{variable(one)}`" if one.flags else "",
        "yes" if one.reloadable else "",
        help_of(one) or "The command to start and trace.",
    )
    return f"| {' | '.join(cells)} |"


def test_every_setting_is_documented_as_it_is() -> None:
    page = (ROOT / "docs" / "SETTINGS.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `-")]
    assert rows == [row_of(one) for one in SETTINGS.values()]


@pytest.mark.parametrize("one", [one for one in SETTINGS.values() if one.flags], ids=lambda one: one.name)
def test_a_setting_has_its_option_and_its_variable(one: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def params(*typed: str) -> object:
        return run_command.make_context("run", list(typed), auto_envvar_prefix="GOINST_RUN").params[one.parameter]

    text = one.kind.choices[-1] if one.kind.choices else "7"
    switched = one.kind.option.get("is_flag") or one.kind.switch
    option = f"--{one.name}" if switched else f"--{one.name}={text}"
    nothing, typed = params(), params(option)
    assert typed != nothing
    monkeypatch.setenv(variable(one), "true" if switched else text)
    assert params() == typed
    if one.kind.switch:
        assert params(f"--no-{one.name}") is False, "the command line wins"
