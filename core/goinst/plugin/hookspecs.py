"""The hooks that a plugin module may implement beside its PROTOCOL (pluggy; ``from goinst import hookimpl``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from goinst.plugin.exporter import Exporter
from goinst.plugin.process import TracedProcess
from goinst.plugin.summary import Summary

if TYPE_CHECKING:
    from goinst.spans.span import Span

__all__ = ["GROUP", "HookSpec", "hookimpl", "hookspec"]

GROUP = "goinst"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class HookSpec:
    """What a plugin may do at run time. Order and wrappers are pluggy's. A hook that raises, or returns what it must
    not, is switched off with its plugin's others; spans and other plugins' hooks go on."""

    @hookspec
    def goinst_spans(self, spans: Sequence[Span]) -> None:
        """Look at a batch of spans after decoding and before export: rename, enrich, redact in place, or set
        ``span.dropped`` to leave one out (it is counted). Called for every batch: be quick."""

    @hookspec
    def goinst_exporters(self) -> Mapping[str, Callable[[str], Exporter]] | None:
        """Outputs by name: what makes an Exporter of the PLACE in ``--output NAME:PLACE`` (an empty text without one).
        The first line of its docstring is its help. Called when somebody asks for an output that goinst does not have,
        or lists them, also of plugins that a run does not use."""

    @hookspec
    def goinst_resource(self, process: TracedProcess) -> Mapping[str, Any] | None:
        """Attributes of a process, for the Resource of all its spans and recordings. Called once for a process, while
        records wait: be quick. Of two plugins that give the same one, that counts which is called first."""

    @hookspec
    def goinst_summary(self, summary: Summary) -> None:
        """The run, or the replay, has ended: what it amounted to. The outputs are closed."""
