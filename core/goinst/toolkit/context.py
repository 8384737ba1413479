"""Trace contexts: the one that came in with a request, and what became of the one that a request was to carry."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["TraceParent", "context_words", "parse_traceparent"]

_TRACE_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
# bpf/propagate.h, GOINST_CONTEXT_*
_WORDS = ("", "written", "dry-run", "present", "no room", "unsure", "not written")


class TraceParent(NamedTuple):
    """The caller's trace (128 bits), its span (64 bits), neither of them 0, and whether it is sampled."""

    trace_id: int
    span_id: int
    sampled: bool


def parse_traceparent(value: bytes | str) -> TraceParent | None:
    """What a ``traceparent`` says (W3C Trace Context, section 3.2); None for a malformed one, which is to be as if it
    were not there. As strict as goinst_operation_adopt_text (bpf/operation.h): version 00 has 55 characters, later ones
    may say more behind a dash, ff is none; lower case; no white space."""
    found = _TRACE_PARENT.fullmatch(value if isinstance(value, str) else value.decode("latin-1"))
    if found is None or (found[5] and found[1] == "00"):
        return None
    trace, span = int(found[2], 16), int(found[3], 16)
    return TraceParent(trace, span, bool(int(found[4], 16) & 1)) if trace and span else None


def context_words(code: int) -> str:
    """The value of the attribute ``goinst.propagation`` for a code of bpf/propagate.h: ``written``; ``dry-run``, where
    it would have been; ``present``, where there was one; or why not: ``no room``, ``unsure``, ``not written``."""
    return _WORDS[code] if code < len(_WORDS) else "unsure"
