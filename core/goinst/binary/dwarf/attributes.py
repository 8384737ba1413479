"""Attributes of DWARF entries, as pyelftools has them."""

from __future__ import annotations

from typing import Any

__all__ = ["Unusable", "attribute"]


class Unusable(Exception):  # noqa: N818 - it is no error, only no answer
    """The entry is not what was looked for, or is broken."""


def attribute(entry: Any, name: str | int, default: Any = None) -> Any:
    """Return the value of an attribute, else ``default``; Unusable when there is none of either."""
    found = entry.attributes.get(name)
    if found is None:
        if default is None:
            raise Unusable
        return default
    return found.value
