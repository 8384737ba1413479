"""One cache for the session: a binary is analysed and compiled once, and nothing is left in the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """goinst's cache, empty at the start. Go's build cache stays where it is."""
    folder = tmp_path_factory.mktemp("cache")
    before = dict(os.environ)
    os.environ.setdefault("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    os.environ["XDG_CACHE_HOME"] = str(folder)
    yield folder
    os.environ.clear()
    os.environ.update(before)
