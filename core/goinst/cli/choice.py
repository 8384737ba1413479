"""Which plugins a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from goinst.errors import MachineError

if TYPE_CHECKING:
    from goinst.plugin.manager import PluginSet

__all__ = ["default_plugins", "load_plugins", "split_names"]


def split_names(texts: Sequence[str]) -> tuple[str, ...]:
    """``("a,b", "c")`` as ``("a", "b", "c")``, each once, in the order given."""
    names = (name.strip() for text in texts for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def default_plugins() -> tuple[str, ...]:
    """The plugins that goinst's own distribution brings: what is traced when nobody says otherwise."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        points = distribution("goinst").entry_points.select(group="goinst")
    except PackageNotFoundError as error:
        raise MachineError("goinst is not installed, so its plugins cannot be found; make venv") from error
    return tuple(sorted({point.name for point in points}))


def load_plugins(names: Sequence[str]) -> PluginSet:
    """Load the named plugins, or the defaults. UsageError for a name that is not installed.

    Those that cannot be loaded are in ``failures``, each a PluginError.
    """
    from goinst.plugin.manager import PluginSet

    if names:
        return PluginSet.load(names)
    found = default_plugins()
    on_request = {protocol.name for protocol in PluginSet.load(found).protocols if protocol.on_request}
    return PluginSet.load(name for name in found if name not in on_request)
