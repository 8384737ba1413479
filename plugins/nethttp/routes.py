"""Routes: from a nethttp_route record to http.route, and a guess at one where no router says what it is."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from goinst import DecodeContext, Span

__all__ = ["decode_route", "guess_route"]

_CHI = 1  # routes.bpf.c
_PARTS = 4
_IDENTIFIER = re.compile(
    r"[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?=[^/]*[0-9])[0-9a-fA-F]{8,}|[^/]{33,}|[^/]*(?:%|@)[^/]*"
)
_SEGMENTS = 8


def decode_route(values: Any, span: Span, _: DecodeContext) -> None:
    """Set the template that a router matched; it names the span. Comes behind the request's own record."""
    parts = [
        values.part0[: values.length0],
        values.part1[: values.length1],
        values.part2[: values.length2],
        values.part3[: values.length3],
    ]
    texts = [part.decode("utf-8", "replace") for part in parts[: min(values.count, _PARTS)]]
    route = _joined(texts) if values.router == _CHI else texts[0] if texts else ""
    if not route:
        return
    if values.count > _PARTS or max(map(len, parts)) == len(values.part0):
        span.truncated.append("http.route")
    attributes = span.attributes
    attributes["http.route"] = route
    attributes.pop("goinst.http.route.guess", None)
    span.name = f"{span.name.partition(' ')[0]} {route}"


def _joined(patterns: list[str]) -> str:
    """As chi's own Context.RoutePattern: a mounted router's wildcard is where the next one's pattern goes."""
    route = "".join(patterns)
    while "/*/" in route:
        route = route.replace("/*/", "/")
    return route.removesuffix("//").removesuffix("/") or "/"


@lru_cache(4096)
def guess_route(path: str) -> str:
    """The path with what looks like an identifier replaced by {id}, and cut after some segments: few different ones,
    however many different paths a server is asked for. A guess, and called one where it goes."""
    segments = path.split("/")
    guessed = [("{id}" if _IDENTIFIER.fullmatch(segment) else segment) for segment in segments[: _SEGMENTS + 1]]
    return "/".join(guessed) + ("/..." if len(segments) > _SEGMENTS + 1 else "")
