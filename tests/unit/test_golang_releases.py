"""Releases of Go: one table of what changed, which the code goes by and the documents show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gobuild import VERSIONS
from goinst.golang import releases
from goinst.golang.releases import CHANGES, MODULEDATA_ENDS, NEWEST, OLDEST, PCLNTAB_MAGIC, Change

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "goinst"
PAGE = ROOT / "docs" / "NEW-GO-RELEASE.md"

# Where releases stand besides, and why.
MAY_NAME = {
    "binary/model.py": "below golang: what behaves as the oldest release",
    "demo/server.py": "what the demo's server is written for",
    "toolkit/http.py": "a declaration, as those of plugins: which releases a Site is for",
}


def spelled(release: tuple[int, int] | None) -> str:
    return ".".join(map(str, release or ()))


def row(change: Change) -> str:
    only = " only" if change.last == change.since else f" to {spelled(change.last)}" if change.last else ""
    return f"| {spelled(change.since)}{only} | {change.what} | {change.source} |"


def literals(path: Path) -> list[str]:
    """Releases that a module spells out."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Tuple)
        and [type(each) for each in node.elts] == [ast.Constant, ast.Constant]
        and (values := [each.value for each in node.elts if isinstance(each, ast.Constant)])[0] == 1
        and isinstance(values[1], int)
        and OLDEST[1] <= values[1] < 100
    ]


def test_no_other_module_spells_a_release_out() -> None:
    found = {str(path.relative_to(CORE)) for path in CORE.rglob("*.py") if literals(path)}
    assert found == {"golang/releases.py", *MAY_NAME}


def test_every_change_is_in_the_table_and_in_use() -> None:
    named = {name: value for name, value in vars(releases).items() if isinstance(value, Change)}
    assert set(map(id, named.values())) | set(map(id, releases.REGISTER_ABI.values())) == set(map(id, CHANGES))
    used = {
        node.id
        for path in CORE.rglob("*.py")
        if path.name != "releases.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name)
    }
    assert {*named, "REGISTER_ABI", "MODULEDATA_ENDS", "PCLNTAB_MAGIC"} <= used


def test_the_page_has_the_table() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| 1.")]
    assert rows == [row(change) for change in CHANGES]


def test_the_page_points_to_modules_that_are_there() -> None:
    named = re.findall(r"`((?:core|golang|plan|binary|capture|bpf|plugins|tests)/[\w/.]*)`", PAGE.read_text())
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists() and not (CORE / path).exists()] == []


def test_what_is_supported_is_what_is_tested_and_what_the_readme_says() -> None:
    assert [tuple(map(int, version.split(".")[:2])) for version in VERSIONS] == [
        (1, minor) for minor in range(OLDEST[1], NEWEST[1] + 1)
    ]
    assert f"Programs built with Go {spelled(OLDEST)} to {spelled(NEWEST)} " in (ROOT / "README.md").read_text()


def test_shapes_are_newest_first_and_begin_where_magics_do() -> None:
    since = [release for release, _ in MODULEDATA_ENDS]
    assert since == sorted(since, reverse=True)
    assert set(PCLNTAB_MAGIC.values()) <= set(since)
    assert since[-1] == min(PCLNTAB_MAGIC.values()) == OLDEST


def test_a_change_holds_from_its_release_to_its_last() -> None:
    for change in CHANGES:
        assert OLDEST < change.since <= (change.last or NEWEST)
        assert [change.holds((1, change.since[1] + step)) for step in (-1, 0)] == [False, True]
        assert change.holds((1, change.since[1] + 1)) is (change.last is None)
