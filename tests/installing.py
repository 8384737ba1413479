"""Distributions of third parties, as their users have them: built as a wheel, installed into a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["THIRD_PARTY", "install"]

THIRD_PARTY = Path(__file__).parent / "thirdparty"


def install(name: str, work: Path) -> Path:
    """A folder with the contents of the wheel of ``tests/thirdparty/NAME``, nothing else, and not on goinst's path."""
    source = work / "source"
    shutil.copytree(
        THIRD_PARTY / name, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "sample")
    )
    _python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(work / "dist"), str(source))
    (wheel,) = (work / "dist").glob("*.whl")
    _python("-m", "pip", "install", "--no-deps", "--no-index", "--target", str(work / "site"), str(wheel))
    return work / "site"


def _python(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
