"""A new configuration while probes are live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goinst.config import RunConfig
from goinst.errors import UsageError
from goinst.export.filters import filters

__all__ = ["Reload"]


class Reload:
    """Reads the configuration again when somebody wants it. ``read`` None: there is nothing to read."""

    def __init__(self, read: Callable[[], RunConfig] | None, log: Any) -> None:
        self._read = read
        self._log = log
        self._wanted = False

    @property
    def want(self) -> Callable[[], None] | None:
        """To be called, also from a signal handler; None when there is nothing to read."""
        return self._want if self._read else None

    def _want(self) -> None:
        self._wanted = True

    def take(self) -> RunConfig | None:
        """The new configuration, if one is wanted and makes sense. What does not is one line, and all stays as it
        was."""
        if not self._wanted or self._read is None:
            return None
        self._wanted = False
        try:
            new = self._read()
            filters(new.where, 1)
        except UsageError as error:
            self._log.error("configuration not taken: all stays as it was", reason=str(error))
            return None
        self._log.info("configuration taken", where=new.where)
        return new
