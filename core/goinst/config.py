"""What a run was asked to do: the command line and the configuration file, merged into one frozen value."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from goinst.errors import UsageError

__all__ = ["RunConfig", "load_config", "merge", "nearest", "parse_setting"]

_TARGETS = ("pids", "exes", "ports", "command")


@dataclass(frozen=True)
class RunConfig:
    """Everything ``goinst run`` needs to know.

    ``plugins`` empty means the defaults; ``outputs`` empty means console on a terminal and json otherwise,
    unless there is another place to go (``prometheus``: an address; ``otlp``: an
    endpoint, or empty for what the environment says).
    ``duration`` is in seconds, ``ring_megabytes`` in MiB (a power of two). ``plugin_options`` maps a plugin
    to its options as given: text, numbers or booleans, not yet checked against what the plugin declares.
    ``library``: what is traced in the processes, instead of the executables: a shared library by name, or, as
    ``usdt:PROVIDER:NAME`` (several, with blanks between), whatever has such a probe. ``native``: whether what is no Go
    program is traced, too, or everything looked at as if it were none. ``named`` are plugins that somebody asked for.
    """

    plugins: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    exes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    command: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    prometheus: str = ""
    otlp: str | None = None
    where: str = ""
    wait: bool = False
    service_name: str = ""
    duration: float | None = None
    max_spans: int | None = None
    redact: bool = True
    plugin_options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    verbose: bool = False
    stats: bool = False
    ring_megabytes: int = 16
    max_operations: int = 16384
    cache: bool = True
    lineage: bool = True
    partial_after: float | None = None
    propagate: Literal["", "write", "dry-run"] = ""
    sample: str = "all"
    library: str = ""
    native: Literal["no", "auto", "always"] = "no"

    @property
    def has_target(self) -> bool:
        """True when something says what to trace."""
        return bool(self.pids or self.exes or self.ports or self.command or self.library)


def nearest(word: str, valid: Iterable[str]) -> str:
    """``did you mean X?`` and the valid names, for an error message."""
    names = sorted(valid)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}valid: {', '.join(names) or 'none'}"


def parse_setting(text: str) -> tuple[str, str, object]:
    """``plugin.option=value`` in three parts; whole numbers and true/false become int and bool."""
    name, equals, value = text.partition("=")
    plugin, dot, option = name.strip().partition(".")
    if not (equals and dot and plugin and option):
        raise UsageError(f"--set {text!r}: write it as PLUGIN.OPTION=VALUE")
    return plugin, option, _scalar(value.strip())


def _scalar(text: str) -> object:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    digits = text[1:] if text[:1] == "-" else text
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        return int(text)
    return text


class _Reader:
    """Checks one value of the file; ``where`` begins every complaint."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, wanted: str, value: object) -> UsageError:
        return UsageError(f"{self.where}: {wanted} expected, not {value!r}")

    def flag(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.fail("true or false", value)
        return value

    def inverse(self, value: object) -> bool:
        return not self.flag(value)

    def integer(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail("a whole number", value)
        return value

    def seconds(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail("a number", value)
        return float(value)

    def integers(self, value: object) -> tuple[int, ...]:
        return tuple(self.integer(item) for item in (value if isinstance(value, list) else [value]))

    def texts(self, value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) and item for item in items):
            raise self.fail("text or a list of texts", value)
        return tuple(items)

    def text(self, value: object) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)  # a port, a share
        if not isinstance(value, str):
            raise self.fail("text", value)
        return value

    def text_or_true(self, value: object) -> str | None:
        if isinstance(value, bool):
            return "" if value else None
        return self.text(value)

    def propagation(self, value: object) -> str:
        if value == "dry-run":
            return "dry-run"
        return "write" if value == "write" or self.flag(value) else ""

    def names(self, value: object) -> tuple[str, ...]:
        parts = (part.strip() for text in self.texts(value) for part in text.split(","))
        return tuple(dict.fromkeys(part for part in parts if part))

    def argv(self, value: object) -> tuple[str, ...]:
        if isinstance(value, list):
            return tuple(str(item) for item in value)
        try:
            return tuple(shlex.split(" ".join(self.texts(value))))
        except ValueError as error:
            raise UsageError(f"{self.where}: {error}") from error

    def settings(self, value: object) -> dict[str, dict[str, object]]:
        if isinstance(value, list):
            result: dict[str, dict[str, object]] = {}
            for text in self.texts(value):
                plugin, option, setting = parse_setting(text)
                result.setdefault(plugin, {})[option] = setting
            return result
        if not isinstance(value, dict) or not all(isinstance(options, dict) for options in value.values()):
            raise self.fail("plugin: {option: value}", value)
        for options in value.values():
            for setting in options.values():
                if not isinstance(setting, str | int | bool):
                    raise self.fail("text, a whole number or true/false", setting)
        return {str(name): {str(key): item for key, item in options.items()} for name, options in value.items()}


# name in the file -> (member of RunConfig, how it is read)
_KEYS: dict[str, tuple[str, Callable[[_Reader, Any], object]]] = {
    "plugins": ("plugins", _Reader.names),
    "pid": ("pids", _Reader.integers),
    "exe": ("exes", _Reader.texts),
    "port": ("ports", _Reader.integers),
    "command": ("command", _Reader.argv),
    "output": ("outputs", _Reader.texts),
    "where": ("where", _Reader.text),
    "wait": ("wait", _Reader.flag),
    "otlp": ("otlp", _Reader.text_or_true),
    "service-name": ("service_name", _Reader.text),
    "prometheus": ("prometheus", _Reader.text),
    "duration": ("duration", _Reader.seconds),
    "max-spans": ("max_spans", _Reader.integer),
    "redact": ("redact", _Reader.flag),
    "no-redact": ("redact", _Reader.inverse),
    "set": ("plugin_options", _Reader.settings),
    "verbose": ("verbose", _Reader.flag),
    "stats": ("stats", _Reader.flag),
    "ring-megabytes": ("ring_megabytes", _Reader.integer),
    "partial-after": ("partial_after", _Reader.seconds),
    "max-operations": ("max_operations", _Reader.integer),
    "cache": ("cache", _Reader.flag),
    "no-cache": ("cache", _Reader.inverse),
    "propagate": ("propagate", _Reader.propagation),
    "sample": ("sample", _Reader.text),
    "lineage": ("lineage", _Reader.flag),
    "no-lineage": ("lineage", _Reader.inverse),
}


def load_config(path: str) -> dict[str, object]:
    """Read a YAML file with the options' names (``max-spans`` or ``max_spans``) into RunConfig's members.

    Anything wrong with it is a UsageError that names the file and the key.
    """
    import yaml  # 30 ms, for those who have a file

    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            document = yaml.safe_load(file)
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML text"
        raise UsageError(f"--config {path}: {problem}{place}", detail=str(error)) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"--config {path}: a mapping of option names to values expected")
    values: dict[str, object] = {}
    for key, value in document.items():
        name = str(key).replace("_", "-")
        if name not in _KEYS:
            raise UsageError(f"--config {path}: unknown option {str(key)!r}; {nearest(name, _KEYS)}")
        if value is None:
            continue
        member, read = _KEYS[name]
        if member in values:
            raise UsageError(f"--config {path}: {name!r} says again what another line has said")
        values[member] = read(_Reader(f"--config {path}: {name}"), value)
    return values


def merge(file: Mapping[str, object], given: Mapping[str, object]) -> RunConfig:
    """One RunConfig of the file's values and the command line's, which win.

    ``given`` holds only what was really given (no None). A target on the command line replaces the file's
    targets altogether; plugin options are merged one by one.
    """
    values = dict(file)
    if any(given.get(name) for name in _TARGETS):
        for name in _TARGETS:
            values.pop(name, None)
    options: dict[str, dict[str, object]] = {}
    for source in (file, given):
        settings = source.get("plugin_options")
        if isinstance(settings, Mapping):
            for plugin, chosen in settings.items():
                options.setdefault(plugin, {}).update(chosen)
    values.update(given)
    values["plugin_options"] = options
    return _checked(RunConfig(**values))  # type: ignore[arg-type]  # members and types are those of _KEYS


def _checked(config: RunConfig) -> RunConfig:
    for pid in config.pids:
        _within("pid", pid, 1, 2**22)
    for port in config.ports:
        _within("port", port, 1, 65535)
    if config.duration is not None and not 0 < config.duration <= 10**9:
        raise UsageError(f"duration: a number of seconds above 0 expected, not {config.duration:g}")
    if config.partial_after is not None and not 0.1 <= config.partial_after <= 10**9:
        raise UsageError(f"partial-after: 0.1 seconds or more expected, not {config.partial_after:g}")
    if config.max_spans is not None:
        _within("max-spans", config.max_spans, 1, 2**62)
    _within("ring-megabytes", config.ring_megabytes, 1, 1024)
    if config.ring_megabytes & (config.ring_megabytes - 1):
        raise UsageError(f"ring-megabytes: a power of two expected (1, 2, 4 … 1024), not {config.ring_megabytes}")
    _within("max-operations", config.max_operations, 64, 2**22)
    return config


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name}: a whole number from {low} to {high} expected, not {value}")
