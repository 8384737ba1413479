"""How many files this process may open: as many as it may allow itself."""

from __future__ import annotations

import resource
from contextlib import suppress

__all__ = ["raise_files", "restore_files"]

_before: tuple[int, int] | None = None


def raise_files() -> None:
    """Raise the soft limit to the hard one: a program with all plugins takes about a hundred descriptors."""
    global _before
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # as many as there were
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            _before = soft, hard


def restore_files() -> None:
    """In a child that becomes another program: what it would have had without goinst. A program that uses select(2)
    breaks where descriptors go beyond 1023, and the soft limit is what keeps them below."""
    if _before is not None:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, _before)
