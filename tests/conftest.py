"""Puts this folder on the import path, so that tests share modules such as gobuild."""

from __future__ import annotations

from pathlib import Path

import pytest

from installing import install


@pytest.fixture(scope="session")
def hooks_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of goinst-hooks, installed apart: built once."""
    return install("goinst-hooks", tmp_path_factory.mktemp("hooks"))
