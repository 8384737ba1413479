"""The seams of docs/ARCHITECTURE.md, checked on the sources themselves: who imports whom, and who names whom."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE, PLUGINS = ROOT / "core" / "goinst", ROOT / "plugins"
PLUGIN_NAMES = sorted(path.name for path in PLUGINS.iterdir() if (path / "decode.py").exists())
LONGEST = 600
# longer ones, their length and what keeps them in one piece
LONGER: dict[str, tuple[int, str]] = {}

# What each part of the core may import of goinst beside itself. Data goes down from the binary to the output, so
# no part knows one that comes later; the longest matching name counts.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "goinst": (
        "goinst.errors", "goinst.events.memory", "goinst.events.span",
        "goinst.plugin.context", "goinst.plugin.declare", "goinst.plugin.secrets", "goinst.plugin.spec",
    ),
    "goinst.errors": (),
    "goinst.config": ("goinst.errors",),
    "goinst.diagnostics": ("goinst.stream", "goinst.text"),
    "goinst.extras": ("goinst.errors",),
    "goinst.limits": (),
    "goinst.text": (),
    "goinst.patience": (),
    "goinst.stream": ("goinst.patience",),
    "goinst.golang": ("goinst.errors",),
    "goinst.native": ("goinst.errors", "goinst.golang"),
    "goinst.capture": ("goinst.errors", "goinst.golang.model", "goinst.plugin.declare", "goinst.text"),
    "goinst.target": ("goinst.errors", "goinst.limits"),
    "goinst.plugin": ("goinst.errors", "goinst.events.span"),
    "goinst.plugin.declare": ("goinst.events.span",),
    "goinst.plugin.packages": ("goinst.golang", "goinst.plugin.declare"),
    "goinst.events": ("goinst.errors", "goinst.plugin.declare"),
    "goinst.events.span": ("goinst.events.memory",),
    "goinst.events.memory": (),
    "goinst.export": (
        "goinst.__version__", "goinst.diagnostics", "goinst.errors", "goinst.config", "goinst.extras",
        "goinst.events.span", "goinst.events.tap", "goinst.metrics", "goinst.capture.values", "goinst.patience",
        "goinst.stream", "goinst.text",
    ),
    "goinst.live": (
        "goinst.events.span", "goinst.events.tap", "goinst.export.base", "goinst.export.console",
        "goinst.export.moment", "goinst.text",
    ),
    "goinst.sampling": ("goinst.errors",),
    "goinst.where": ("goinst.errors", "goinst.events.span", "goinst.sampling"),
    "goinst.report": ("goinst.events.span",),
    "goinst.metrics": ("goinst.events", "goinst.plugin.declare"),
    "goinst.recording": (
        "goinst.errors", "goinst.extras", "goinst.events", "goinst.metrics", "goinst.plugin.declare",
    ),
    "goinst.recording.captured": (
        "goinst.errors", "goinst.capture", "goinst.golang.cache", "goinst.native", "goinst.plugin.declare",
        "goinst.plugin.packages", "goinst.recording.frame",
    ),
    "goinst.engine": (
        "goinst.errors", "goinst.config", "goinst.golang", "goinst.native", "goinst.plugin", "goinst.events",
        "goinst.target", "goinst.export.base", "goinst.metrics", "goinst.sampling", "goinst.where", "goinst.capture",
        "goinst.limits", "goinst.patience",
    ),
    "goinst.demo": ("goinst.errors",),
    "goinst.cli": ("goinst",),
}  # fmt: skip

# Names of plugins that core may say, and why.
MAY_NAME = {
    "demo/run.py": "the demo shows the built-in plugins by the command that a user would type",
    "export/sender.py": "one of the two protocols of OTLP has the name of one",
    "demo/drive.py": "the member of a JSON-RPC message that the demo's client sends",
}


def modules(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        yield ".".join((package, *parts)), path


CORE_MODULES = list(modules(CORE, "goinst"))
CORE_FILES = [path for _, path in CORE_MODULES] + sorted((ROOT / "bpf").glob("*.h"))
PLUGIN_MODULES = list(modules(PLUGINS, "goinst.plugins"))


def imports(path: Path, module: str) -> set[str]:
    """Every module (or name in it) that is imported anywhere in the file, also for typing and inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides what is imported"
            assert node.module is not None
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name | ast.Attribute)
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) == "import_module"
        ):
            text = ast.unparse(node.args[0])
            found.update(re.findall(r"goinst(?:\.\w+)+", text))
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def no_path(value: object) -> str:
    """What a test is called by: the module, and not the path where it happens to be."""
    return value if isinstance(value, str) else "_"


def rule_for(module: str) -> str:
    return max((name for name in MAY_IMPORT if within(module, name)), key=len)


def test_every_part_of_the_core_has_a_rule() -> None:
    # "goinst" itself is only the file __init__.py: a new part must not slip in under it
    strays = [module for module, path in CORE_MODULES if rule_for(module) == "goinst" and module != "goinst"]
    assert strays == []
    assert len(CORE_MODULES) > 40


@pytest.mark.parametrize(("module", "path"), CORE_MODULES, ids=[module for module, _ in CORE_MODULES])
def test_core_imports_only_what_lies_below(module: str, path: Path) -> None:
    rule = rule_for(module)
    # a leaf that has a rule of its own is not part of its package for that rule
    itself = (rule,) if rule != "goinst" else ()
    allowed = (*MAY_IMPORT[rule], *itself)
    wrong = sorted(
        name
        for name in imports(path, module)
        if within(name, "goinst") and not any(within(name, package) for package in allowed)
    )
    assert wrong == [], f"{module} must not import these; see docs/ARCHITECTURE.md"


@pytest.mark.parametrize(("module", "path"), CORE_MODULES, ids=[module for module, _ in CORE_MODULES])
def test_bcc_and_pluggy_stay_where_they_are(module: str, path: Path) -> None:
    names = {name.partition(".")[0] for name in imports(path, module)}
    assert "bcc" not in names or module == "goinst.engine.compiler_child"
    assert "pluggy" not in names or module in ("goinst.plugin.spec", "goinst.plugin.hooks")


def test_the_compile_child_imports_bcc() -> None:
    # so that the test above is about something
    assert {"bcc.BPF"} <= imports(CORE / "engine" / "compiler_child.py", "goinst.engine.compiler_child")


@pytest.mark.parametrize(("module", "path"), PLUGIN_MODULES, ids=[module for module, _ in PLUGIN_MODULES])
def test_plugins_import_only_the_public_names(module: str, path: Path) -> None:
    import goinst

    own = ".".join(module.split(".")[:3])
    for name in imports(path, module):
        if not within(name, "goinst"):
            continue
        if own != "goinst.plugins" and within(name, own):
            continue
        _, _, public = name.partition(".")
        assert public in goinst.__all__, f"{module} imports {name}; a plugin imports `from goinst import …` and itself"


@pytest.mark.parametrize(("module", "path"), PLUGIN_MODULES, ids=[module for module, _ in PLUGIN_MODULES])
def test_plugins_need_nothing_that_goinst_does_not_depend_on(module: str, path: Path) -> None:
    declared = re.findall(r'^    "([A-Za-z][\w-]*)[><=]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert "jiter" in declared
    known = {name.lower().replace("-", "_") for name in declared} | sys.stdlib_module_names | {"goinst"}
    assert {name.partition(".")[0] for name in imports(path, module)} <= known


def test_there_are_plugins() -> None:
    assert {"jsonrpc", "nethttp"} <= set(PLUGIN_NAMES)


@pytest.mark.parametrize(
    "path", [path for _, path in CORE_MODULES] + sorted((ROOT / "bpf").glob("*.h")), ids=lambda p: p.name
)
def test_core_names_no_plugin(path: Path) -> None:
    # rpc.grpc.status_code and the like are attributes of OpenTelemetry's conventions
    text = re.sub(r"\brpc\.\w+\.", "rpc.", path.read_text())
    named = [name for name in PLUGIN_NAMES if re.search(rf"\b{name}\b", text)]
    if path.is_relative_to(CORE) and str(path.relative_to(CORE)) in MAY_NAME:
        assert named, f"{path} names no plugin any more: take it off the list"
    else:
        assert named == []


@pytest.mark.parametrize(
    ("module", "path"), CORE_MODULES + PLUGIN_MODULES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_one_noun_per_module(module: str, path: Path) -> None:
    lines = path.read_text().count("\n")
    limit, _ = LONGER.get(module, (LONGEST, ""))
    assert lines <= limit, f"{module} has {lines} lines: look for a second noun in it"
    assert module not in LONGER or lines > LONGEST, f"{module} is short enough again: take it off the list"


@pytest.mark.parametrize(
    ("module", "path"), CORE_MODULES + PLUGIN_MODULES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_modules_say_what_they_are_and_offer(module: str, path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{module} has no docstring"
    offered = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target) == "__all__"
    ]
    assert offered or len(tree.body) == 1, f"{module} has no __all__"
