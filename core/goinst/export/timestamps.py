"""Points in time as text."""

from __future__ import annotations

import time

__all__ = ["local_clock", "rfc3339"]

_SECOND = 1_000_000_000
_MAX_SECONDS = 253_402_300_799  # the end of the year 9999: the last that RFC 3339 can write

# Spans come nearly in order: the second of one is nearly always that of the one before.
_utc: tuple[int, str] = (-1, "")
_local: tuple[int, str] = (-1, "")


def rfc3339(ns: int) -> str:
    """Unix time in nanoseconds as ``2024-05-06T07:08:09.123456789Z``."""
    global _utc
    seconds, rest = divmod(ns, _SECOND)
    cached, text = _utc
    if seconds != cached:
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(min(max(seconds, 0), _MAX_SECONDS)))
        _utc = (seconds, text)
    return f"{text}{rest:09d}Z"


def local_clock(ns: int) -> str:
    """Unix time in nanoseconds as the wall clock's ``07:08:09.123``."""
    global _local
    seconds, rest = divmod(ns, _SECOND)
    cached, text = _local
    if seconds != cached:
        text = time.strftime("%H:%M:%S", time.localtime(min(max(seconds, 0), _MAX_SECONDS)))
        _local = (seconds, text)
    return f"{text}.{rest // 1_000_000:03d}"
