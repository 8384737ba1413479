"""Builds the programs of tests/native with the system's compilers, and remembers the results as gobuild does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import gobuild

__all__ = ["SOURCES", "build", "missing"]

SOURCES = Path(__file__).parent / "native"
_COMPILERS = {".c": "gcc", ".cc": "g++", ".rs": "rustc"}


def missing(source: str) -> str:
    """The compiler that ``source`` needs, when it is not installed; else nothing."""
    compiler = _COMPILERS[Path(source).suffix]
    return "" if shutil.which(compiler) else compiler


def build(source: str, *flags: str) -> Path:
    """Return the program (or, with ``-shared``, the library) made of one file of tests/native."""
    path = SOURCES / source
    compiler = _COMPILERS[path.suffix]

    def run(output: Path) -> None:
        command = [compiler, str(path), "-o", str(output), *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=output.parent)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")

    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    return gobuild.cached(path.stem, [compiler, version, *flags, path.read_text()], run)
