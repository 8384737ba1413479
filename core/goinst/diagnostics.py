"""What goinst says about itself: structlog lines on standard error, never on standard output.

JSON lines when standard error is not a terminal, readable text when it is. structlog takes longer to import
than all the rest of the start, so it is imported by the first line that is said, or by ``warm_up`` in the
background.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["Log", "configure", "get_logger"]


class Log:
    """Says events with fields: ``log.info("ready", probes=4)``.

    ``debug`` is heard only when ``verbose``. A standard error that nobody reads any more is no reason to
    fail.
    """

    def __init__(self, *, verbose: bool = False, stream: TextIO | None = None) -> None:
        self.verbose = verbose
        self._stream = stream
        self._logger: FilteringBoundLogger | None = None

    def debug(self, event: str, **fields: Any) -> None:
        """Of interest to those who look for a fault."""
        if self.verbose:
            self._say("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """As it should be."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something will be missing."""
        self._say("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something that was asked for cannot be done."""
        self._say("error", event, fields)

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        logger = self._bound()
        with suppress(OSError, ValueError):  # closed, or a broken pipe
            getattr(logger, level)(event, **fields)

    def _bound(self) -> FilteringBoundLogger:
        if self._logger is None:
            self._logger = _make(self._stream or sys.stderr or open(os.devnull, "w"))  # noqa: PTH123, SIM115
        return self._logger


_log = Log()


def configure(*, verbose: bool = False, stream: TextIO | None = None) -> Log:
    """Set what ``get_logger`` returns from now on."""
    global _log
    _log = Log(verbose=verbose, stream=stream)
    return _log


def get_logger() -> Log:
    """The log of this process."""
    return _log


def _make(stream: TextIO) -> FilteringBoundLogger:
    structlog = _import_structlog()
    processors: list[Any] = [structlog.processors.add_log_level]
    if stream.isatty():
        colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        processors.append(structlog.processors.TimeStamper("%H:%M:%S", utc=False))
        processors.append(structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=24))
    else:
        processors.append(structlog.processors.TimeStamper("iso", utc=True))
        processors.append(_in_order)
        processors.append(structlog.processors.JSONRenderer(serializer=_json))
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        cache_logger_on_first_use=True,
    )
    return logger


class _Later(ModuleType):
    """Stands for a module until something in it is used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _import_structlog() -> Any:
    """structlog without what it imports for features that are not used here, more than half of its time: rich, for
    tracebacks, is kept away meanwhile, and its asyncio is a promise."""
    absent: dict[str, Any] = {"rich": None, "asyncio": _Later("asyncio")}  # None: "import rich" raises ImportError
    mine = {name: stand_in for name, stand_in in absent.items() if name not in sys.modules}
    sys.modules.update(mine)
    try:
        import structlog
    finally:
        for name, stand_in in mine.items():
            if sys.modules.get(name, mine) is stand_in:
                del sys.modules[name]
    return structlog


def _in_order(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Time, level and event before the fields, as in the span lines."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    return {**first, **event}


def _json(event: dict[str, Any], **_: Any) -> str:
    import orjson

    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
