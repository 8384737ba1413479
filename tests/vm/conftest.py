"""What the guests need: goinst with what it needs, and every program of every plugin, compiled once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import msgpack
import pytest
from kernel_vm import missing

from programs import compiled

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.vm)
            item.add_marker(pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """goinst and what it needs, as the guest's Python finds it."""
    folder = tmp_path_factory.mktemp("site")
    # newer ones want a processor that the emulation does not have, see kernel_vm
    wanted = [str(ROOT), "opentelemetry-sdk", "numpy<2.4"]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", folder, *wanted], check=True)
    return folder


@pytest.fixture(scope="session")
def every_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file with what `programs.compiled` gives: [name, programs and rows of the plan, object]."""
    path = tmp_path_factory.mktemp("programs") / "programs"
    bundles = [
        [one.name, [asdict(p) for p in one.plan.programs], one.plan.rows, one.built.pack()] for one in compiled()
    ]
    path.write_bytes(msgpack.packb(bundles))
    return path
