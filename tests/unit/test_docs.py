"""The documents say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from goinst.config import load_config, merge
from goinst.plugin.manager import installed

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "tests" / "thirdparty" / "goinst-hello"
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/ARCHITECTURE.md",
    "docs/PLUGINS.md",
    "docs/HELLO-PLUGIN.md",
    "docs/OUTPUTS.md",
    "docs/FLEET.md",
    "docs/PROPAGATION.md",
)


@pytest.mark.parametrize("name", ["__init__.py", "hello.bpf.c"])
def test_the_plugin_page_shows_the_plugin_that_the_tests_run(name: str) -> None:
    assert (HELLO / "goinst_hello" / name).read_text() in (ROOT / "docs" / "HELLO-PLUGIN.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target


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
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "PERFMON", "SYS_PTRACE"]}
    said = (ROOT / "docs" / "FLEET.md").read_text()
    assert all(f"`CAP_{name}`" in said for name in container["securityContext"]["capabilities"]["add"])
