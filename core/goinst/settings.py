"""A setting: one declaration, of which its key in a file, its option, its variable and its documentation come."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

from goinst.errors import UsageError

__all__ = [
    "ARGUMENTS", "FLAG", "NAMES", "NUMBER", "NUMBERS", "OPTIONAL_TEXT", "PLUGIN_OPTIONS", "PROPAGATION", "SECONDS",
    "SWITCH", "TEXT", "TEXTS", "Kind", "Setting", "parse_setting", "setting",
]  # fmt: skip

_T = TypeVar("_T")
_D = TypeVar("_D")
_METADATA = "goinst.setting"


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
    """Checks one value of a file; ``where`` begins every complaint, a UsageError."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, wanted: str, value: object) -> UsageError:
        return UsageError(f"{self.where}: {wanted} expected, not {value!r}")

    def flag(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.fail("true or false", value)
        return value

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

    def propagation(self, value: object) -> Literal["", "write", "dry-run"]:
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

    def plugin_options(self, value: object) -> Mapping[str, Mapping[str, object]]:
        if isinstance(value, list):
            result: dict[str, dict[str, object]] = {}
            for text in self.texts(value):
                plugin, option, chosen = parse_setting(text)
                result.setdefault(plugin, {})[option] = chosen
            return result
        if not isinstance(value, dict) or not all(isinstance(options, dict) for options in value.values()):
            raise self.fail("plugin: {option: value}", value)
        for options in value.values():
            for chosen in options.values():
                if not isinstance(chosen, str | int | bool):
                    raise self.fail("text, a whole number or true/false", chosen)
        return {str(name): {str(key): item for key, item in options.items()} for name, options in value.items()}


@dataclass(frozen=True, slots=True)
class Kind(Generic[_T]):
    """How the values of a setting are written.

    ``reads`` takes one of a file. ``option`` is what click wants to know of the option, ``choices`` the words that it
    takes. ``switch``: there is a ``--no-`` option, and a ``no-`` key, too. ``words`` say in the documentation what
    is written in a file.
    """

    reads: Callable[[_Reader, object], _T]
    words: str
    option: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    switch: bool = False

    def read(self, where: str, value: object) -> _T:
        """A value as a file has it. UsageError begins with ``where``."""
        return self.reads(_Reader(where), value)


NUMBER = Kind(_Reader.integer, "a whole number", {"type": int})
NUMBERS = Kind(_Reader.integers, "a whole number, or a list", {"type": int, "multiple": True})
SECONDS = Kind(_Reader.seconds, "a number of seconds", {"type": float})
TEXT = Kind(_Reader.text, "text")
OPTIONAL_TEXT = Kind(_Reader.text_or_true, "true, or text", {"is_flag": False, "flag_value": ""})
TEXTS = Kind(_Reader.texts, "text, or a list", {"multiple": True})
NAMES = Kind(_Reader.names, "names, with commas or as a list", {"multiple": True})
FLAG = Kind(_Reader.flag, "true or false", {"is_flag": True, "default": None})
SWITCH = Kind(_Reader.flag, "true or false", {"default": None}, switch=True)
ARGUMENTS = Kind(_Reader.argv, "text as for a shell, or a list")
PLUGIN_OPTIONS = Kind(_Reader.plugin_options, "`plugin: {option: value}`, or a list of texts", {"multiple": True})
PROPAGATION = Kind(
    _Reader.propagation, "true, `write` or `dry-run`", {"is_flag": False, "flag_value": "write"}, ("write", "dry-run")
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    ``name`` is that of its key, and of its option, which has two dashes in front; ``short`` is another option,
    ``parameter`` the name that click hands the value over by. Without ``help`` there is no option. ``bounds``: the
    smallest and the largest number. ``reloadable``: it may change while probes are live.
    """

    member: str
    name: str
    kind: Kind[Any]
    default: object
    help: str = ""
    metavar: str | None = None
    short: str = ""
    parameter: str = ""
    bounds: tuple[int, int] | None = None
    reloadable: bool = False

    @property
    def keys(self) -> Mapping[str, bool]:
        """The keys in a file, and whether they say the contrary."""
        return {self.name: False, f"no-{self.name}": True} if self.kind.switch else {self.name: False}

    @property
    def flags(self) -> tuple[str, ...]:
        """The option as it is typed; empty when there is none."""
        if not self.help:
            return ()
        long = f"--{self.name}/--no-{self.name}" if self.kind.switch else f"--{self.name}"
        return (self.short, long) if self.short else (long,)

    def read(self, where: str, key: str, value: object) -> object:
        """The value of one of its keys. UsageError begins with ``where``."""
        found = self.kind.read(where, value)
        return not found if self.keys[key] else found

    @classmethod
    def of(cls, member: str, metadata: Mapping[str, Any]) -> Setting | None:
        """What was declared of a member of a dataclass; None when it is no setting."""
        if _METADATA not in metadata:
            return None
        return cls(member, **{"parameter": member, **metadata[_METADATA]})


def setting(default: _D, kind: Kind[_T], name: str, **more: Any) -> _D | _T:
    """A member of a dataclass that is a setting; ``more`` are members of Setting."""
    metadata = {_METADATA: {"name": name, "kind": kind, "default": default, **more}}
    if isinstance(default, dict):
        return cast(_D, field(default_factory=lambda: type(default)(default), metadata=metadata))
    return field(default=default, metadata=metadata)
