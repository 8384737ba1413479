"""What goinst says about itself: structlog lines on standard error, never on standard output.

JSON lines when standard error is not a terminal, readable text when it is. structlog takes longer to import
than all the rest of the start, so it is imported by the first line that is said, or by ``warm_up`` in the
background.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
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
        self._lock = threading.Lock()

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

    def warm_up(self) -> None:
        """Import structlog in a thread, while the caller waits for the kernel or a compiler."""
        threading.Thread(target=_import_structlog, name="goinst-log", daemon=True).start()

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        logger = self._bound()
        with suppress(OSError, ValueError):  # closed, or a broken pipe
            getattr(logger, level)(event, **fields)

    def _bound(self) -> FilteringBoundLogger:
        with self._lock:
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


def _import_structlog() -> Any:
    """structlog without rich, which its development renderer imports (60 ms) for tracebacks that we never
    show.
    """
    mine = "rich" not in sys.modules
    if mine:
        sys.modules["rich"] = None  # type: ignore[assignment]  # "import rich" raises ImportError meanwhile
    try:
        import structlog
    finally:
        if mine:
            sys.modules.pop("rich", None)
    return structlog


def _in_order(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Time, level and event before the fields, as in the span lines."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    return {**first, **event}


def _json(event: dict[str, Any], **_: Any) -> str:
    import orjson

    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
