"""A traced process as plugins see it, and what they may say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["MOST_ATTRIBUTES", "TracedProcess", "attribute_value"]

MOST_ATTRIBUTES = 64
_LONGEST_NAME, _LONGEST_TEXT, _MOST_ITEMS = 255, 4096, 64
# what goinst has seen itself
_SEEN = frozenset(
    (
        "process.pid", "process.executable.path", "process.executable.name", "process.runtime.name",
        "process.runtime.version", "container.id", "k8s.pod.uid",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TracedProcess:
    """A process whose spans will come: ``attributes`` is what goinst knows of it, by OpenTelemetry's names, read only;
    ``module`` the path of its main module, empty where there is none. It may have ended already, and another may have
    its pid: what is read of /proc/PID is to be checked."""

    pid: int
    module: str
    attributes: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))


def attribute_value(name: object, value: object) -> Any:
    """A value that a resource can have, of one that a plugin gave: text is made such as can be encoded, a list a tuple.
    ValueError with the reason when it cannot have that."""
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a name is printable text of 1 to {_LONGEST_NAME} characters")
    if name in _SEEN:
        raise ValueError("goinst has seen for itself what that is")
    if isinstance(value, list | tuple):
        if len(value) > _MOST_ITEMS:
            raise ValueError(f"{len(value)} items are more than {_MOST_ITEMS}")
        if len({type(item) for item in value}) > 1 or any(isinstance(item, list | tuple) for item in value):
            raise ValueError("the items of a list are of one type, and no lists")
        return tuple(attribute_value(name, item) for item in value)
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise ValueError(f"a text of {len(value)} characters is longer than {_LONGEST_TEXT}")
        return value.encode("utf-8", "replace").decode()
    if name == "service.name":
        raise ValueError("it is a text")
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"a text, a number of 64 bits, a bool or a list of such is wanted, no {type(value).__name__}")
