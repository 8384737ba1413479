"""How long goinst takes to be ready, and to be gone."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from process import serving, start_and_wait

__all__ = ["Start", "measure_start"]

_GOINST = Path(sys.executable).with_name("goinst")


@dataclass
class Start:
    """Seconds: exec to ready with an empty cache, the same again, SIGINT to exit (the slower of the two)."""

    cold: float
    cached: float
    cleanup: float


def measure_start(binary: Path) -> Start:
    """Trace a server that runs ``binary``, twice with the same cache, which is empty at first."""
    with serving(binary) as (pid, _), tempfile.TemporaryDirectory(prefix="goinst-bench-") as cache:
        command = [str(_GOINST), "run", "--pid", str(pid), "--plugins", "nethttp,jsonrpc", "--output", "none"]
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        cold = start_and_wait(command, '"ready"', env=environment)
        first = cold.end(signal.SIGINT)
        cached = start_and_wait(command, '"ready"', env=environment)
        second = cached.end(signal.SIGINT)
    return Start(cold.seconds, cached.seconds, max(first, second))
