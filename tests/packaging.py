"""Programs whose packages have other import paths than their own: GOPATH's ``vendor/``, import maps, forks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gobuild import cached

__all__ = ["MODULE", "forked", "mapped", "run_go", "toolchain", "vendored"]

MODULE = "example.org/app"
_TIMEOUT = 900.0


def vendored(source: Path, *, go: str = "", moves: Mapping[str, str] | None = None) -> Path:
    """Return the program of the module ``example.org/app`` in ``source``, built in a GOPATH with its ``vendor`` folder.

    ``moves`` are packages that are forks, by the paths that they move to, below the module.
    """

    def run(output: Path) -> None:
        work = output.with_suffix(".work")
        app = _vendor(source, work / "src" / MODULE, moves or {})
        for name in ("go.mod", "go.sum", "vendor/modules.txt"):
            (app / name).unlink()
        run_go(app, go, "build", "-o", str(output), ".", GO111MODULE="off", GOPATH=str(work))
        shutil.rmtree(work)

    return cached(source.name, ["vendored", go, str(sorted((moves or {}).items())), *_content(source)], run)


def forked(source: Path, moves: Mapping[str, str], *, go: str = "") -> Path:
    """Return the program with copies of modules below its own path, in place of those."""

    def run(output: Path) -> None:
        app = _vendor(source, output.with_suffix(".work"), moves)
        shutil.rmtree(app / "vendor")
        run_go(app, go, "build", "-mod=mod", "-o", str(output), ".")
        shutil.rmtree(app)

    return cached(source.name, ["forked", go, str(sorted(moves.items())), *_content(source)], run)


def mapped(source: Path, moves: Mapping[str, str], *, go: str = "") -> Path:
    """Return the program as a build system makes it that compiles packages under other paths than they are imported by
    (``importmap``): the go command's own build, with other arguments for the compiler and the linker."""

    def run(output: Path) -> None:
        pairs = [f"{path}={other}" for path, other in moves.items()]
        tool = " ".join([sys.executable, str(Path(__file__).resolve()), *pairs])
        run_go(source, go, "build", f"-toolexec={tool}", "-o", str(output), ".")

    return cached(source.name, ["mapped", go, str(sorted(moves.items())), *_content(source)], run)


def _vendor(source: Path, app: Path, moves: Mapping[str, str]) -> Path:
    """Copy a module with its vendor folder; those of the modules in it that ``moves`` names become packages of it."""
    shutil.rmtree(app, ignore_errors=True)
    shutil.copytree(source, app)
    run_go(app, "", "mod", "vendor")
    for path, other in moves.items():
        (app / other).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(app / "vendor" / path, app / other)
    for file in app.rglob("*.go"):
        text = file.read_text()
        for path, other in moves.items():
            text = re.sub(rf'"{re.escape(path)}(?=[/"])', f'"{MODULE}/{other}', text)
        file.write_text(re.sub(r'^(package \w+) // import ".*"', r"\1", text, flags=re.MULTILINE))
    return app


def toolchain(go: str) -> str:
    """Return the go command of a release, fetched where it is not there: without modules, go runs no other one."""
    if not go:
        return "go"
    settings = {**os.environ, "GOENV": "off", "GOFLAGS": "", "GOTOOLCHAIN": f"go{go}"}
    shown = subprocess.run(["go", "env", "GOROOT"], env=settings, capture_output=True, text=True, check=True)
    return f"{shown.stdout.strip()}/bin/go"


def run_go(folder: Path, go: str, *arguments: str, **settings: str) -> None:
    """Run the go command in a folder; RuntimeError has its words when it fails."""
    environment = {"GOENV": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    done = subprocess.run(
        [toolchain(go), *arguments], cwd=folder,
        env={**os.environ, **environment, **settings}, capture_output=True, text=True,
        timeout=_TIMEOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"go {' '.join(arguments)} in {folder} failed:\n{done.stderr[-4000:]}")


def _content(source: Path) -> list[str]:
    return [path.read_text() for path in sorted(source.iterdir())]


def _tool(arguments: list[str]) -> int:
    """Run a tool of Go's as ``-toolexec`` does, with the packages that pairs in front name under their other paths."""
    moves = dict(argument.split("=", 1) for argument in arguments if "=" in argument and not argument.startswith("-"))
    at = next(number for number, argument in enumerate(arguments) if argument.startswith("/"))
    tool, *rest = arguments[at:]
    moves = {path: other for path, other in moves.items() if f"{path}={other}" in arguments[:at]}
    if rest == ["-V=full"]:  # what the go command knows the tool's output by
        shown = subprocess.run([tool, *rest], capture_output=True, text=True, check=True)
        print(shown.stdout.strip(), *sorted(moves.items()))
        return 0

    def moved(path: str) -> str:
        return next(
            (other + path[len(old) :] for old, other in moves.items() if f"{path}/".startswith(f"{old}/")), path
        )

    for number, argument in enumerate(rest[:-1]):
        if argument == "-p":
            rest[number + 1] = moved(rest[number + 1])
        elif argument == "-importcfg":
            file = Path(rest[number + 1])
            lines = []
            for line in file.read_text().splitlines():
                kind, _, pair = line.partition(" ")
                path, _, value = pair.partition("=")
                if kind == "packagefile" and moved(path) != path:
                    lines += (
                        [f"importmap {path}={moved(path)}"] if tool.endswith("/compile") else []
                    )  # the linker has none
                    line = f"packagefile {moved(path)}={value}"
                lines.append(line)
            file.write_text("\n".join(lines) + "\n")
    return subprocess.run([tool, *rest], check=False).returncode


if __name__ == "__main__":
    sys.exit(_tool(sys.argv[1:]))
