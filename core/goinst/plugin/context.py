"""What became of a trace context that a request was to carry."""

from __future__ import annotations

__all__ = ["context_words"]

# bpf/propagate.h, GOINST_CONTEXT_*
_WORDS = ("", "written", "dry-run", "present", "no room", "unsure", "not written")


def context_words(code: int) -> str:
    """The value of the attribute ``goinst.propagation`` for a code of bpf/propagate.h: ``written``; ``dry-run``, where
    it would have been; ``present``, where there was one; or why not: ``no room``, ``unsure``, ``not written``."""
    return _WORDS[code] if code < len(_WORDS) else "unsure"
