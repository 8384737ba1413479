"""The plugins' options: what the user gave, checked against what they declare."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from goinst.errors import UsageError
from goinst.plugin.protocol import Option, Protocol

__all__ = ["check_options"]


def check_options(
    protocols: Sequence[Protocol], given: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """Every option of every plugin, given or default. UsageError for an unknown name or a value out of range."""
    by_name = {protocol.name: protocol for protocol in protocols}
    for plugin in given:
        if plugin not in by_name:
            raise UsageError(
                f"an option is set for plugin {plugin!r}, which is not on; plugins that are: {', '.join(by_name)}"
            )
    result: dict[str, dict[str, object]] = {}
    for name, protocol in by_name.items():
        known = {option.name: option for option in protocol.options}
        values: dict[str, object] = {option.name: option.default for option in protocol.options}
        for key, value in given.get(name, {}).items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1) or sorted(known)
                raise UsageError(
                    f"plugin {name} has no option {key!r}; try {name}.{near[0]}" if near else
                    f"plugin {name} has no options"
                )  # fmt: skip
            values[key] = _checked(name, known[key], value)
        result[name] = values
    return result


def _checked(plugin: str, option: Option, value: object) -> object:
    if isinstance(option.default, bool):
        fits = isinstance(value, bool)
    elif isinstance(option.default, int):
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        return str(value)
    low, high = option.minimum, option.maximum
    if fits and isinstance(value, int) and not isinstance(option.default, bool):
        fits = (low is None or value >= low) and (high is None or value <= high)
    if not fits:
        kind = "true or false" if isinstance(option.default, bool) else "a whole number"
        limits = f" from {low} to {high}" if low is not None and high is not None else ""
        raise UsageError(f"{plugin}.{option.name}={value!r}: it takes {kind}{limits}")
    return value
