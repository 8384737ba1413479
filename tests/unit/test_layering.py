"""The seams of docs/ARCHITECTURE.md, checked on the sources themselves: who imports whom, and who names whom."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE, PLUGINS = ROOT / "core" / "goinst", ROOT / "plugins"
PLUGIN_NAMES = sorted(path.name for path in PLUGINS.iterdir() if (path / "decode.py").exists())
LONGEST = 50
# Longer functions: how many lines of code they have, at most, and what keeps them in one piece.
LONGER = {
    "goinst.plan.plan.make_plan": (70, "one pass over the plugins: what each becomes depends on those before it"),
    "goinst.plan.records_c.operation_text": (54, "one C text"),
    "goinst.plugins.nethttp.decode.decode_request": (59, "attributes in the order of the record's columns"),
}

GROUND = (
    "errors", "text", "limits", "patience", "stream", "diagnostics", "extras", "cache", "sampling", "conditions",
    "settings", "config",
)  # fmt: skip
# The rooms of the house, from the ground up: what each may import of those before it. Data goes up, and no room knows
# one that comes later.
ROOMS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "text": (),
    "limits": (),
    "patience": (),
    "stream": ("patience",),
    "diagnostics": ("stream", "text"),
    "extras": ("errors",),
    "cache": (),
    "sampling": ("errors",),
    "conditions": (),
    "settings": ("errors",),
    "config": ("errors", "settings"),
    "spans": (),
    "plugin": ("errors", "spans"),
    "toolkit": ("plugin",),
    "binary": ("errors", "cache"),
    "golang": ("errors", "cache", "binary"),
    "native": ("errors", "cache", "binary", "golang"),
    "capture": ("errors", "text", "conditions", "plugin", "binary", "golang"),
    "plan": ("errors", "sampling", "plugin", "binary", "golang", "capture"),
    "kernel": ("errors", "cache"),
    "records": ("errors", "spans", "plugin"),
    "metrics": ("spans", "plugin", "records"),
    "export": (*GROUND, "spans", "plugin", "capture", "records", "metrics"),
    "recording": (
        "errors", "extras", "cache", "spans", "plugin", "native", "capture", "plan", "records", "metrics",
    ),
    "report": ("spans",),
    "live": ("text", "spans", "plugin", "records", "export"),
    "processes": ("errors", "limits"),
    "run": (
        *GROUND, "spans", "plugin", "binary", "golang", "native", "capture", "plan", "kernel", "records", "metrics",
        "export", "processes",
    ),
    "demo": ("errors",),
    "cli": (
        *GROUND, "spans", "plugin", "binary", "golang", "native", "capture", "plan", "kernel", "records", "metrics",
        "export", "recording", "report", "live", "processes", "run", "demo",
    ),
}  # fmt: skip

# Names of plugins that core may say, and why.
MAY_NAME = {
    "toolkit/http.py": "a package of golang.org/x/net has the name of one",
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


def room_of(module: str) -> str:
    """The room of a module; empty for goinst itself, which is what plugins see."""
    return module.split(".")[1] if "." in module else ""


def imported(path: Path, module: str) -> set[str]:
    """The modules of goinst that one imports, also for typing only."""
    known = {name for name, _ in CORE_MODULES}
    found = set()
    for name in imports(path, module):
        while name not in known and "." in name:
            name = name.rpartition(".")[0]
        if within(name, "goinst") and name != module:
            found.add(name)
    return found


def test_rooms_are_in_order_and_are_all_there_are() -> None:
    order = list(ROOMS)
    for room, others in ROOMS.items():
        assert [other for other in others if order.index(other) >= order.index(room)] == []
    assert {room_of(module) for module, _ in CORE_MODULES} == {*ROOMS, ""}
    assert len(CORE_MODULES) > 200


@pytest.mark.parametrize(("module", "path"), CORE_MODULES, ids=[module for module, _ in CORE_MODULES])
def test_core_imports_only_what_lies_below(module: str, path: Path) -> None:
    room = room_of(module)
    allowed = [*ROOMS[room], room] if room else ["errors", "spans", "plugin", "toolkit"]
    wrong = sorted(name for name in imported(path, module) if name != "goinst" and room_of(name) not in allowed)
    assert wrong == [], f"{module} must not import these; see docs/ARCHITECTURE.md"


def test_nothing_goes_in_circles() -> None:
    """Also not where a name is needed for typing only: what two modules need of each other belongs below both."""
    needs = {module: imported(path, module) - {"goinst"} for module, path in CORE_MODULES + PLUGIN_MODULES}
    while leaves := [module for module, others in needs.items() if not others & needs.keys()]:
        for module in leaves:
            del needs[module]
    assert needs == {}


@pytest.mark.parametrize(("module", "path"), CORE_MODULES, ids=[module for module, _ in CORE_MODULES])
def test_bcc_and_pluggy_stay_where_they_are(module: str, path: Path) -> None:
    names = {name.partition(".")[0] for name in imports(path, module)}
    assert "bcc" not in names or module == "goinst.kernel.compiler_bcc"
    assert "pluggy" not in names or module in ("goinst.plugin.hookspecs", "goinst.plugin.hooks")


def test_the_compile_child_imports_bcc() -> None:
    # so that the test above is about something
    assert {"bcc.BPF"} <= imports(CORE / "kernel" / "compiler_bcc.py", "goinst.kernel.compiler_bcc")


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
        assert public in goinst.__all__ or within(name, "goinst.toolkit"), (
            f"{module} imports {name}; a plugin imports `from goinst import …`, goinst.toolkit and itself"
        )


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


def lengths(source: str) -> Iterator[tuple[str, int]]:
    """The functions of a module, each with the lines of code of its body: no signature, docstring, comment or blank
    line. One that is inside another has lines of its own, and is part of the other as well."""
    nothing = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
    }  # fmt: skip
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in nothing:
            code.update(range(token.start[0], token.end[0] + 1))

    def within_of(node: ast.AST, path: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        for inner in ast.iter_child_nodes(node):
            if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from within_of(inner, path)
                continue
            own = (*path, inner.name)
            if not isinstance(inner, ast.ClassDef):
                body = inner.body[1 if ast.get_docstring(inner) else 0 :]
                spans = (range(part.lineno, (part.end_lineno or part.lineno) + 1) for part in body)
                yield ".".join(own), len(code & {line for span in spans for line in span})
            yield from within_of(inner, own)

    yield from within_of(ast.parse(source), ())


@pytest.mark.parametrize(("module", "path"), CORE_MODULES + PLUGIN_MODULES, ids=no_path)
def test_functions_are_short(module: str, path: Path) -> None:
    for name, lines in lengths(path.read_text()):
        whole = f"{module}.{name}"
        limit, _ = LONGER.get(whole, (LONGEST, ""))
        assert lines <= limit, f"{whole} has {lines} lines of code: look for a second thing that it does"
        assert whole not in LONGER or lines > LONGEST, f"{whole} is short enough again: take it off the list"


def test_the_list_of_long_functions_is_true() -> None:
    known = dict(CORE_MODULES + PLUGIN_MODULES)
    for whole, (lines, why) in LONGER.items():
        module = max((name for name in known if whole.startswith(f"{name}.")), key=len, default="")
        assert module, f"{whole} is gone: take it off the list"
        now = dict(lengths(known[module].read_text())).get(whole[len(module) + 1 :], 0)
        assert lines - 5 < now, f"{whole} has {now} lines now: say so in the list"
        assert why


def test_lines_of_code_are_counted_as_said() -> None:
    text = '''
def outer(
    a: int,
) -> int:
    """Two
    lines."""
    # nothing

    def inner() -> int:
        return a

    return (
        inner()
    )
class Some:
    async def method(self) -> str:
        return """
            three"""
'''
    assert list(lengths(text)) == [("outer", 5), ("outer.inner", 1), ("Some.method", 2)]


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


# what rooms show each other: a type there is what strict mypy checks on both sides
SEAMS = (
    "binary.facts", "spans.span", "spans.memory", "toolkit.address", "toolkit.context", "toolkit.redact",
    "kernel.compiler",
    "kernel.loader", "capture.expand", "records.correlate", "records.observer", "export.base", "export.pipeline",
    "run.session",
)  # fmt: skip


@pytest.mark.parametrize("module", SEAMS)
def test_seams_are_typed(module: str) -> None:
    """No public function takes or gives Any, nor a container of it."""
    tree = ast.parse((CORE / f"{module.replace('.', '/')}.py").read_text())
    public = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert public
    for node in public:
        arguments = [each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg) and each.annotation]
        for annotation in (*arguments, *([node.returns] if node.returns else [])):
            names = {getattr(name, "id", "") for name in ast.walk(annotation)}
            assert "Any" not in names, f"{module}.{node.name}: {ast.unparse(annotation)}"
