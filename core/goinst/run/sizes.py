"""How large the maps of an executable are: a node with many programs does not pay for each as for one."""

from __future__ import annotations

from collections.abc import Sequence

from goinst.config import RunConfig

__all__ = ["sizes"]

_SMALLEST = 1 << 20
_SHARE = 4  # of what is left of all rings' memory, one executable gets at most so much: a quarter
_ALL = 64 << 20
_FEWEST = 1024


def sizes(config: RunConfig, rings: Sequence[int]) -> tuple[int, int]:
    """Bytes of the next ring, beside ``rings`` that are there, and how many operations are kept.

    The first gets what was asked for (``--ring-megabytes``, ``--max-operations``); each further one at most a quarter
    of what is left of 64 MiB (or of four of those that were asked for), down to 1 MiB; operations shrink alike.
    """
    largest = config.ring_megabytes << 20
    left = max(_ALL, _SHARE * largest) - sum(rings)
    ring = largest
    while ring > _SMALLEST and ring * _SHARE > left:
        ring //= 2
    operations = config.max_operations * ring // largest
    return ring, max(operations, min(_FEWEST, config.max_operations))
