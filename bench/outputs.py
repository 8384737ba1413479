"""What each output costs: a recording is replayed into it, and nothing else is running.

    goinst record --port 8080 --max-spans 1000000 FILE      # anything will do
    .venv/bin/python bench/outputs.py FILE [SPANS]

Spans a second of one CPU: reading and decoding, the output alone, and the largest resident memory, each in a process of
its own; ``metrics`` beside others, and alone, when records are counted and not decoded.
"""

from __future__ import annotations

import gc
import io
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from goinst import Span
from goinst.export import open_exporters
from goinst.metrics import MetricStore
from goinst.plugin.manager import PluginSet, installed
from goinst.recording import Replay, open_recordings

OUTPUTS = ("json", "msgpack", "otlp", "metrics", "alone")


def taker(output: str) -> Callable[[Sequence[Span]], Any]:
    """What takes the spans; OTLP is encoded and not sent."""
    if output == "otlp":
        from goinst.export.protobuf import SpanEncoder

        return SpanEncoder({}, "bench").request
    if output == "metrics":
        return MetricStore().add
    (exporter,) = open_exporters([f"{output}:/dev/null"], stdout=io.BytesIO(), is_terminal=False)
    return exporter.export


def measure(path: str, output: str, most: int) -> None:
    """Print a line."""
    if output == "alone":
        count(path, most)
        return
    plugins = PluginSet.load(one.name for one in installed() if not one.error)
    take = taker(output)
    gc.set_threshold(50_000)  # as in a run
    began, own, spans = time.process_time(), 0.0, 0
    for batch in Replay(open_recordings([path]), plugins.protocols, print):
        at = time.process_time()
        take(batch.spans)
        own += time.process_time() - at
        spans += len(batch.spans)
        if spans >= most:
            break
    decoding = time.process_time() - began - own
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = f"{spans / decoding:>9,.0f}/s decoded  {spans / own:>9,.0f}/s put out"
    print(f"{output:<8} {spans:>9,} spans  {rates}  {memory:.0f} MiB", flush=True)


def count(path: str, most: int) -> None:
    """The same for metrics without spans."""
    plugins = PluginSet.load(one.name for one in installed() if not one.error)
    replay = Replay(open_recordings([path]), plugins.protocols, print)
    replay.store = MetricStore()
    gc.set_threshold(50_000)
    spans = 0
    reading = time.process_time()
    for recording in open_recordings([path]):
        for _ in recording.frames():
            pass
    began = time.process_time()
    for batch in replay:
        spans += batch.tallied.total()
        if spans >= most:
            break
    took = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = f"{spans / took:>9,.0f}/s in all  {spans / (took - (began - reading)):>9,.0f}/s without reading"
    print(f"{'alone':<8} {spans:>9,} spans  {rates}  {memory:.0f} MiB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        measure(sys.argv[1], sys.argv[3], int(sys.argv[2]))
    else:
        limit = sys.argv[2] if len(sys.argv) > 2 else str(1 << 62)
        for name in OUTPUTS:
            subprocess.run([sys.executable, __file__, sys.argv[1], limit, name], check=True)
