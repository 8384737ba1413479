"""Signals of a plugin: what its programs and decoders say, and what its probes wait for."""

from __future__ import annotations

from goinst.errors import PluginError
from goinst.plugin.protocol import PIPED_STDIN, Protocol

__all__ = ["check_signals"]


def check_signals(protocol: Protocol) -> None:
    """PluginError when a probe waits for a signal that is not declared, or nobody waits for one that is."""
    declared = set(protocol.signals)
    waited_for = set()
    for probe in protocol.probes:
        for member, name in (("attach_on", probe.attach_on), ("until", probe.until)):
            if not name or (name == PIPED_STDIN and member == "attach_on"):
                continue
            if name not in declared:
                raise PluginError(
                    protocol.name,
                    f"probe {probe.program}: {member}={name!r} is not among its declared signals {sorted(declared)}",
                )
            waited_for.add(name)
    for name in protocol.signals:
        if name not in waited_for:
            raise PluginError(protocol.name, f"no probe waits for its signal {name!r}, by attach_on or until")
