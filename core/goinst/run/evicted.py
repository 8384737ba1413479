"""Operations that were put out of the kernel's map while they were under way, to make room for others.

The map is an LRU map: it puts out what was not looked at for long, and says so to nobody. But each operation that has
begun ends, is replaced, becomes part of another one, or is still in the map when the probes are gone: what is missing
in that sum was put out. Its end finds no beginning then, if it comes, as the end of one that began before goinst does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from goinst.plan import source

__all__ = ["UNSEEN", "count_evicted"]

UNSEEN = "began_unseen"
"""What plugins count for an end without a beginning."""

# (plugin, reason) of those ways in which an operation goes without a span that users are told of
_GONE = {("core", reason) for reason in ("end_unseen", "sampled_out")}


def count_evicted(
    losses: Counter[tuple[str, str]], counters: Sequence[source.Counter], values: Sequence[int], still_open: int
) -> None:
    """Add ``core.evicted`` to the losses, and take so many off what plugins count as ``began_unseen``, where that is
    what became of them. ``values`` are those of the counters when no program runs any more, ``still_open`` is how many
    operations the map has then that are under way."""
    under_way: Counter[str] = Counter()  # by plugin: begun and not ended, for whatever reason
    evicted = -still_open
    for counter, value in zip(counters, values, strict=True):
        if counter.kind == "begun":
            under_way[counter.plugin] += value
            evicted += value
        elif counter.kind == "span":
            under_way[counter.plugin] -= value
            evicted -= value
        elif counter.kind == "gone" or (counter.plugin, counter.name) in _GONE:
            evicted -= value
    if evicted <= 0:
        return
    losses["core", "evicted"] += evicted
    for plugin, count in under_way.items():
        found = min(losses[plugin, UNSEEN], count, evicted)
        if found > 0:
            losses[plugin, UNSEEN] -= found
            evicted -= found
    for key in [key for key, count in losses.items() if not count]:
        del losses[key]
