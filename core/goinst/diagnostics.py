"""What goinst says about itself: structlog lines on standard error, never on standard output.

JSON lines when standard error is not a terminal, readable text when it is. A standard error that nobody reads holds
nothing up: a line is tried for a second, the next ones no longer. structlog takes longer to import than all the rest of
the start, so it is imported by the first line that is said.
"""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

from goinst.stream import Stream, UnwrittenError
from goinst.text import printable

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["Log", "configure", "get_logger", "say_error"]

_WAIT = 1.0


class Log:
    """Says events with fields: ``log.info("ready", probes=4)``.

    ``debug`` is heard only when ``verbose``. A standard error that nobody reads any more is no reason to
    fail.
    """

    def __init__(self, *, verbose: bool = False, stream: TextIO | None = None) -> None:
        self.verbose = verbose
        self._stream = stream
        self._steady: _Steady | None = None
        self._logger: FilteringBoundLogger | None = None

    def debug(self, event: str, **fields: Any) -> None:
        """Of interest to those who look for a fault."""
        if self.verbose:
            self._say("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """As it should be."""
        self._say("info", event, fields)

    def report(self, event: str, lines: Callable[[], Iterable[str]], **fields: Any) -> None:
        """As it should be, and more than a line: on a terminal ``lines`` say it instead of the fields."""
        if _is_terminal(self._stream or sys.stderr):
            fields = {"lines": tuple(lines())}
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
            if self._steady is not None and (lost := self._steady.take_lost()):
                logger.warning("lines of this log were lost", lines=lost, reason="nobody read standard error")

    def _bound(self) -> FilteringBoundLogger:
        if self._logger is None:
            stream: Any = self._stream or sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
            terminal = _is_terminal(stream)
            with suppress(OSError, ValueError, AttributeError):  # in memory
                stream = self._steady = _Steady(stream)
            self._logger = _make(stream, terminal=terminal)
        return self._logger


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # none, or closed
        return False


class _Steady:
    """A text stream's descriptor, written so that it cannot block: what is not taken within a second is lost, and from
    then on what is not taken at once."""

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self._stream = Stream(stream.fileno())
        self.descriptor = self._stream.descriptor
        self._text: list[str] = []
        self._rest = b""  # of a line whose beginning was taken
        self._behind = False
        self._lost = 0

    def write(self, text: str) -> int:
        """Until ``flush``."""
        self._text.append(text)
        return len(text)

    def flush(self) -> None:
        """Write what was given; OSError when that is impossible."""
        line, self._text = "".join(self._text).encode("utf-8", "backslashreplace"), []
        data, self._rest = self._rest + line, b""
        try:
            self._stream.write(data, self)
        except UnwrittenError as unwritten:
            if unwritten.error is not None:
                raise unwritten.error from None
            self._behind = True
            taken = unwritten.written
            if taken:  # the rest of a line that was begun goes first next time
                end = data.find(b"\n", taken) + 1 or len(data)
                self._rest, taken = data[taken:end], end
            elif len(data) > len(line):
                self._rest = data[: len(data) - len(line)]
                taken = len(self._rest)
            self._lost += data.count(b"\n", taken)
        else:
            self._behind = False

    def deadline(self, since: float) -> float:
        """As Waits has it."""
        return 0.0 if self._behind else since + _WAIT

    def fileno(self) -> int:
        """As Waits has it."""
        return -1

    def take_lost(self) -> int:
        """How many lines were lost, when some can be written again."""
        if self._behind:
            return 0
        lost, self._lost = self._lost, 0
        return lost


def say_error(text: str) -> None:
    """Text for standard error, whatever it is; for who has no log yet, or no more."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        stream: Any = sys.stderr
        with suppress(OSError, ValueError, AttributeError):
            stream = _Steady(sys.stderr)
        stream.write(text if text.endswith("\n") else f"{text}\n")
        stream.flush()


_log = Log()


def configure(*, verbose: bool = False, stream: TextIO | None = None) -> Log:
    """Set what ``get_logger`` returns from now on."""
    global _log
    _log = Log(verbose=verbose, stream=stream)
    return _log


def get_logger() -> Log:
    """The log of this process."""
    return _log


def _make(stream: Any, *, terminal: bool) -> FilteringBoundLogger:
    structlog = _import_structlog()
    processors: list[Any] = [structlog.processors.add_log_level]
    if terminal:
        processors.append(_Sentences(stream))
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


class _Sentences:
    """The last of structlog's processors, for terminals: ``12:00:01 warning: what: why; lost: what is missing
    (plugin x)``, in lines that fit."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, _logger: Any, level: str, event: dict[str, Any]) -> str:
        name, _ = event.pop("event"), event.pop("level", "")
        clock, detail = time.strftime("%H:%M:%S"), str(event.pop("detail", "")).rstrip()
        sentences = [str(line) for line in event.pop("lines", ())] or [_sentence(name, level, event)]
        lines: list[str] = []
        for sentence in sentences:
            indent = " " * (len(clock) + 1)
            more = indent + " " * (len(sentence) - len(sentence.lstrip()) + 2)
            lines += textwrap.wrap(
                printable(sentence), self._width(), initial_indent=indent, subsequent_indent=more,
                break_long_words=False, break_on_hyphens=False, drop_whitespace=True,
            )  # fmt: skip
        lines += [printable(line) for line in detail.splitlines()]
        first = lines[0][len(clock) + 1 :]
        if self._colours:
            clock, first = f"\x1b[2m{clock}\x1b[0m", f"{_STYLES.get(level, '')}{first}\x1b[0m"
        return "\n".join([f"{clock} {first}", *lines[1:]])

    def _width(self) -> int:
        try:
            return max(os.get_terminal_size(self._stream.descriptor).columns, 40)
        except (AttributeError, OSError):
            return 100


_STYLES = {"warning": "\x1b[33m", "error": "\x1b[31m", "debug": "\x1b[2m"}


def _sentence(name: str, level: str, fields: dict[str, Any]) -> str:
    text = name if level == "info" else f"{level}: {name}"
    if reason := fields.pop("reason", ""):
        text += f": {reason}"
    if lost := fields.pop("lost", ""):
        text += f"; lost: {lost}"
    rest = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in fields.items())
    return f"{text} ({rest})" if rest else text


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else str(value)


def _in_order(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Time, level and event before the fields, as in the span lines."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    return {**first, **event}


def _json(event: dict[str, Any], **_: Any) -> str:
    import orjson

    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
