"""What a run was asked to do: the command line and the configuration file, merged into one frozen value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from goinst.errors import UsageError
from goinst.settings import (
    ARGUMENTS,
    FLAG,
    NAMES,
    NUMBER,
    NUMBERS,
    OPTIONAL_TEXT,
    PLUGIN_OPTIONS,
    PROPAGATION,
    SECONDS,
    SWITCH,
    TEXT,
    TEXTS,
    Setting,
    setting,
)

__all__ = ["SETTINGS", "RunConfig", "load_config", "merge", "nearest", "reloaded"]

_TARGETS = ("pids", "exes", "ports", "command")


@dataclass(frozen=True)
class RunConfig:
    """Everything ``goinst run`` needs to know, and all its settings: the keys of its file, its options and variables.

    ``plugins`` empty means the defaults; ``outputs`` empty means console on a terminal and json otherwise,
    unless there is another place to go (``prometheus``: an address; ``otlp``: an
    endpoint, or empty for what the environment says).
    ``duration`` is in seconds, ``ring_megabytes`` in MiB (a power of two). ``plugin_options`` maps a plugin
    to its options as given: text, numbers or booleans, not yet checked against what the plugin declares.
    ``library``: what is traced in the processes, instead of the executables: a shared library by name, or, as
    ``usdt:PROVIDER:NAME`` (several, with blanks between), whatever has such a probe. ``native``: whether what is no Go
    program is traced, too, or everything looked at as if it were none. ``named`` are plugins that somebody asked for.
    In a help text ``{formats}`` stands for the formats that there are.
    """

    ports: tuple[int, ...] = setting(
        (), NUMBERS, "port", metavar="N", help="Who listens on this TCP port.", bounds=(1, 65535), reloadable=True
    )
    pids: tuple[int, ...] = setting(
        (), NUMBERS, "pid", metavar="N", help="This process.", bounds=(1, 2**22), reloadable=True
    )
    exes: tuple[str, ...] = setting(
        (),
        TEXTS,
        "exe",
        metavar="GLOB",
        help="Every process whose executable's path or name matches; new ones are picked up.",
        reloadable=True,
    )
    command: tuple[str, ...] = setting((), ARGUMENTS, "command")
    plugins: tuple[str, ...] = setting(
        (), NAMES, "plugins", metavar="A,B", help="What to look for.  [default: all that come with goinst]"
    )
    outputs: tuple[str, ...] = setting(
        (),
        TEXTS,
        "output",
        metavar="FORMAT[:PLACE]",
        help="Where spans go: {formats}.  [default: console on a terminal, else json]",
    )
    prometheus: str = setting(
        "",
        TEXT,
        "prometheus",
        metavar="ADDRESS",
        help="Serve metrics here, as 127.0.0.1:9464; no spans go anywhere unless --output is given.",
    )
    otlp: str | None = setting(
        None,
        OPTIONAL_TEXT,
        "otlp",
        metavar="[ENDPOINT]",
        help="Send spans and metrics to an OpenTelemetry Collector; without ENDPOINT as OTEL_* variables say.",
    )
    where: str = setting(
        "",
        TEXT,
        "where",
        metavar="EXPR",
        help="Only these spans: 'http.response.status_code >= 500 or duration > 250ms'.",
        reloadable=True,
    )
    wait: bool = setting(False, FLAG, "wait", help="Wait for targets that are not there yet.")
    service_name: str = setting(
        "", TEXT, "service-name", metavar="NAME", help="Of processes that have no OTEL_SERVICE_NAME of their own."
    )
    duration: float | None = setting(None, SECONDS, "duration", metavar="S", help="End after so many seconds.")
    partial_after: float | None = setting(
        None,
        SECONDS,
        "partial-after",
        metavar="S",
        help="Report what is still open after so many seconds, and again each time.  [default: only at its end]",
    )
    max_spans: int | None = setting(
        None, NUMBER, "max-spans", metavar="N", help="End after so many spans.", bounds=(1, 2**62)
    )
    plugin_options: Mapping[str, Mapping[str, object]] = setting(
        {},
        PLUGIN_OPTIONS,
        "set",
        metavar="PLUGIN.OPTION=VALUE",
        help="An option of a plugin (`goinst plugins` lists them).",
        parameter="settings",
    )
    redact: bool = setting(True, SWITCH, "redact", help="Hide query values and credentials.  [default: hide]")
    stats: bool = setting(False, FLAG, "stats", help="Say more in the summary: where losses happened.")
    ring_megabytes: int = setting(
        16,
        NUMBER,
        "ring-megabytes",
        metavar="N",
        help="Ring buffer between kernel and goinst.  [default: 16]",
        bounds=(1, 1024),
    )
    max_operations: int = setting(
        16384,
        NUMBER,
        "max-operations",
        metavar="N",
        help="Operations under way at once.  [default: 16384]",
        bounds=(64, 2**22),
    )
    lineage: bool = setting(
        True,
        SWITCH,
        "lineage",
        help="Follow the goroutines that a handler starts, so that their calls are its children.  [default: follow]",
    )
    propagate: Literal["", "write", "dry-run"] = setting(
        "",
        PROPAGATION,
        "propagate",
        help="Write a traceparent header into the requests that the programs send, where they have none, so that traces"
        " go on in what they call. This writes into their memory; dry-run writes nothing and says what it would."
        "  [default: only read]",
    )
    sample: str = setting(
        "all",
        TEXT,
        "sample",
        metavar="HOW",
        help="Which traces to keep: all, parent (what the caller sampled), 0.1 (a share of them), rate=100 (new ones a"
        " second); the last two keep to what a caller decided.  [default: all]",
    )
    cache: bool = setting(True, SWITCH, "cache", help="Keep analysed binaries and compiled programs.  [default: keep]")
    verbose: bool = setting(False, FLAG, "verbose", help="Say more on standard error.", short="-v")
    named: tuple[str, ...] = ()
    library: str = ""
    native: Literal["no", "auto", "always"] = "no"

    @property
    def has_target(self) -> bool:
        """True when something says what to trace."""
        return bool(self.pids or self.exes or self.ports or self.command or self.library)


SETTINGS: Mapping[str, Setting] = {
    member.name: found for member in fields(RunConfig) if (found := Setting.of(member.name, member.metadata))
}
"""The settings by their members, in the order in which help and documentation tell them."""

_KEYS = {key: each for each in SETTINGS.values() for key in each.keys}


def reloaded(config: RunConfig, new: RunConfig) -> RunConfig:
    """What becomes of a run when its file has changed while probes are live: what may change, does."""
    return replace(config, **{each.member: getattr(new, each.member) for each in SETTINGS.values() if each.reloadable})


def nearest(word: str, valid: Iterable[str]) -> str:
    """``did you mean X?`` and the valid names, for an error message."""
    names = sorted(valid)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}valid: {', '.join(names) or 'none'}"


def load_config(path: str) -> dict[str, Any]:
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
    values: dict[str, Any] = {}
    for key, value in document.items():
        name = str(key).replace("_", "-")
        if name not in _KEYS:
            raise UsageError(f"--config {path}: unknown option {str(key)!r}; {nearest(name, _KEYS)}")
        if value is None:
            continue
        one = _KEYS[name]
        if one.member in values:
            raise UsageError(f"--config {path}: {name!r} says again what another line has said")
        values[one.member] = one.read(f"--config {path}: {name}", name, value)
    return values


def merge(file: Mapping[str, Any], given: Mapping[str, Any]) -> RunConfig:
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
    return _checked(RunConfig(**values))


def _checked(config: RunConfig) -> RunConfig:
    for each in SETTINGS.values():
        value = getattr(config, each.member)
        if each.bounds is not None and value is not None:
            for number in value if isinstance(value, tuple) else (value,):
                _within(each.name, number, *each.bounds)
    if config.duration is not None and not 0 < config.duration <= 10**9:
        raise UsageError(f"duration: a number of seconds above 0 expected, not {config.duration:g}")
    if config.partial_after is not None and not 0.1 <= config.partial_after <= 10**9:
        raise UsageError(f"partial-after: 0.1 seconds or more expected, not {config.partial_after:g}")
    if config.ring_megabytes & (config.ring_megabytes - 1):
        raise UsageError(f"ring-megabytes: a power of two expected (1, 2, 4 … 1024), not {config.ring_megabytes}")
    return config


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name}: a whole number from {low} to {high} expected, not {value}")
