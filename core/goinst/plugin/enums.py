"""Numbers that the C text of a plugin and its decoders share: each stands once, in an enum."""

from __future__ import annotations

from goinst.errors import PluginError
from goinst.plugin.protocol import Protocol

__all__ = ["macros_of"]


def macros_of(protocol: Protocol) -> dict[str, str]:
    """The macros of a protocol's enums: ``PLUGIN_MEMBER``. PluginError when two of them have one name."""
    macros: dict[str, str] = {}
    for enum in protocol.enums:
        for name, member in enum.__members__.items():
            macro = f"{protocol.name.upper()}_{name}"
            if macro in macros:
                raise PluginError(protocol.name, f"two of its enums have a member {name}: {macro} would be both")
            macros[macro] = str(int(member))
    return macros
