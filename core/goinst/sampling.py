"""Which traces are kept: ``--sample``, decided in the kernel where an operation begins, or for a recording here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goinst.errors import UsageError

__all__ = ["EVERYTHING", "Sampling", "kept", "parse_sampling"]

_RANDOM_BITS = 56  # W3C Trace Context level 2, section 5.1.4: the last 56 bits of a trace id are random
_USAGE = "write all, parent, 0.1 or ratio=0.1 (a share of the traces), or rate=100 (new traces a second)"


@dataclass(frozen=True, slots=True)
class Sampling:
    """``macros`` for bpf/operation.h; none when everything is kept. What a caller decided (the sampled flag of its
    traceparent) is respected there by all but ``all``. ``share`` of the traces, where that is all it says."""

    text: str
    share: float = 1.0
    macros: Mapping[str, int] = field(default_factory=dict)

    def divided(self, *, metrics: bool) -> tuple[Sampling, float]:
        """What the kernel shall decide, and the share to choose behind it: metrics are of all spans where they can."""
        return (EVERYTHING, self.share) if metrics and self.share < 1 else (self, 1.0)


EVERYTHING = Sampling("all")


def parse_sampling(text: str) -> Sampling:
    """``all``, ``parent``, ``ratio=R`` or ``R`` with 0 < R <= 1, ``rate=N`` with N >= 1; else UsageError."""
    name, equals, value = text.partition("=")
    if text == "all":
        return EVERYTHING
    if text == "parent":
        return Sampling(text, macros={"GOINST_SAMPLE": 1})
    try:
        if (not equals or name == "ratio") and 0 < (ratio := float(value if equals else text)) <= 1:
            return Sampling(text, ratio, {"GOINST_SAMPLE": 1, "GOINST_SAMPLE_RATIO": _threshold(ratio)})
        if equals and name == "rate" and 1 <= (rate := int(value)) < 1 << 32:
            return Sampling(text, macros={"GOINST_SAMPLE": 1, "GOINST_SAMPLE_RATE": rate})
    except ValueError:
        pass
    raise UsageError(f"--sample {text!r}: {_USAGE}")


def kept(trace_id: int, share: float) -> bool:
    """Whether a trace is in the share: the same rule as the kernel's."""
    return trace_id & ((1 << _RANDOM_BITS) - 1) >= _threshold(share)


def _threshold(share: float) -> int:
    # kept are the largest, as in OpenTelemetry's consistent probability sampling
    return round((1 - share) * (1 << _RANDOM_BITS))
