"""The hooks that a plugin module may implement beside its PROTOCOL (pluggy; ``from goinst import hookimpl``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from goinst.spans.span import Span

__all__ = ["GROUP", "HookSpec", "hookimpl", "hookspec"]

GROUP = "goinst"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class HookSpec:
    """What a plugin may do at run time. Order and wrappers are pluggy's. A hook that raises is switched off with its
    plugin's others; spans and other plugins' hooks go on."""

    @hookspec
    def goinst_spans(self, spans: Sequence[Span]) -> None:
        """Look at a batch of spans after decoding and before export: rename, enrich, redact in place, or set
        ``span.dropped`` to leave one out (it is counted). Called for every batch: be quick."""
