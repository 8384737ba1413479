"""Libraries that only some need: imported when they are, and named with the way to get them when they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from goinst.errors import UsageError

__all__ = ["need"]


def need(module: str, extra: str, what: str) -> Any:
    """Import a module of an extra; UsageError that says that ``what`` needs it, and the command to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            f"{what} needs {package}, which is not installed: pip install 'goinst[{extra}]'", detail=str(error)
        ) from error
