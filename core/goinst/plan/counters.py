"""What the core's own headers (bpf/) and generated code count, in words."""

from __future__ import annotations

__all__ = ["CORE_GONE", "CORE_LOSSES", "CORE_NOTES"]

CORE_LOSSES = {
    "operation_map_full": "no room for another operation (--max-operations)",
    "goroutine_unknown": "the probe site does not tell which goroutine runs",
    "nesting_too_deep": "more than 4 operations one inside the other on a goroutine",
    "end_unseen": "an operation whose end was not seen, because of a panic or for another reason: no span",
    "ring_full": "the ring buffer was full (--ring-megabytes)",
    "ring_busy": "the kernel refused the ring buffer's lock, although there was room: a larger one is no help",
    "evicted": "put out while under way, to make room for other operations (--max-operations)",
    "no_operation": "a fact had no operation to belong to",
    "tail_call_failed": "a tail-called program is missing",
    "context_no_room": "no room in the target's buffer for a traceparent: that request went without",
    "context_unsure": "no traceparent was written, because it was not certain that none is there, or where it goes",
    "context_not_written": "the kernel could not write into the target's buffer: that request went without traceparent",
}
# what they count that is no loss
CORE_NOTES = {
    "context_written": "a traceparent was written into a request (--propagate)",
    "context_dry_run": "a traceparent would have been written into a request (--propagate=dry-run)",
    "context_present": "a request had a traceparent already",
    "context_malformed": "a traceparent that came in was malformed, and ignored",
    "parent_unknown": "a call by a goroutine that takes work from others, such as a pool's worker: it has no parent",
    "sampled_out": "operations that --sample left out",
}
# operations that went without a span, and that nobody misses: what is shown to nobody, and has to be known to tell what
# was put out of the map (run/evicted.py)
CORE_GONE = {
    "absorbed": "became part of another operation",
    "left_out_unseen": "left out by --sample, and its end was not seen",
    "not_asked_for": "ended, and the plugin wants no span of it",
}
