"""Captured headers: from a nethttp_headers record to http.request.header.* and http.response.header.* attributes."""

from __future__ import annotations

from functools import lru_cache

from goinst.plugins.nethttp.records import Headers, Limit

from goinst import DecodeContext, Span, redact_header

__all__ = ["decode_headers"]


def decode_headers(values: Headers, span: Span, context: DecodeContext) -> None:
    """Set those headers that the option names, secrets in them only without redaction."""
    wanted = _names(str(context.options["capture_headers"]))
    where = "http.response.header" if values.response else "http.request.header"
    data = values.data[: values.length]
    at, missing = 0, set(wanted)
    while at + 2 <= len(data):
        end = at + 2 + data[at]
        name, value = data[at + 2 : end].decode("latin-1").lower(), data[end : end + data[at + 1]]
        at = end + data[at + 1]
        if name not in missing:
            continue
        missing.discard(name)
        text = value.decode("utf-8", "replace")
        shown = redact_header(name, text) if context.redact else text
        span.attributes[f"{where}.{name}"] = [shown]
        if len(value) == Limit.VALUE and shown != "REDACTED":
            span.truncated.append(f"{where}.{name}")
    if values.cut and missing:
        span.truncated.append(where)


@lru_cache(16)
def _names(option: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in option.split(",") if name.strip())
