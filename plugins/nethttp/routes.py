"""Routes: from a nethttp_route record to http.route, and a guess at one where no router says what it is."""

from __future__ import annotations

import re
from functools import lru_cache

from goinst.plugins.nethttp.records import Route, Router

from goinst import DecodeContext, Span

__all__ = ["decode_route", "guess_route", "without_expressions"]

_IDENTIFIER = re.compile(
    r"[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?=[^/]*[0-9])[0-9a-fA-F]{8,}|[^/]{33,}|[^/]*(?:%|@)[^/]*"
)
_SEGMENTS = 8


def decode_route(values: Route, span: Span, _: DecodeContext) -> None:
    """Set the template that a router matched; it names the span. Comes behind the request's own record."""
    parts = [
        values.part0[: values.length0],
        values.part1[: values.length1],
        values.part2[: values.length2],
        values.part3[: values.length3],
    ]
    whole = len(values.part0)
    if values.router == Router.GORILLA_ROUTER:
        route = b"".join(parts).decode("utf-8", "replace")
        cut = values.count >= len(parts)
        name = without_expressions(route)
    else:
        texts = [part.decode("utf-8", "replace") for part in parts[: values.count]]
        route = name = _joined(texts) if values.router == Router.CHI_ROUTER else texts[0] if texts else ""
        cut = values.count > len(parts) or max(map(len, parts)) == whole
    if not route:
        return
    whole = not cut and "url.path" not in span.truncated
    before = _before(route, str(span.attributes.get("url.path", ""))) if whole else ""
    route, name = before + route, before + name
    if cut:
        span.truncated.append("http.route")
    attributes = span.attributes
    attributes["http.route"] = route
    attributes.pop("goinst.http.route.guess", None)
    span.name = f"{span.name.partition(' ')[0]} {name}"


def _before(template: str, path: str) -> str:
    """What of the path stands before the part that a router saw: http.StripPrefix (net/http/server.go) took it away.
    Empty where the template is for all of the path, or may be for parts of several lengths."""
    segments, wanted = path.split("/"), template.split("/")
    missing = len(segments) - len(wanted)
    if missing <= 0 or "*" in template or template != without_expressions(template):
        return ""
    behind = zip(wanted[1:], segments[missing + 1 :], strict=True)
    fits = all(part == there or part[:1] in ("{", ":") for part, there in behind)
    return "/".join(segments[: missing + 1]) if fits else ""


@lru_cache(1024)
def without_expressions(template: str) -> str:
    """``/{id:[0-9]{3}}/x`` as ``/{id}/x``: gorilla/mux's variables are in braces, and so may be parts of the regular
    expressions in them (regexp.go, braceIndices)."""
    name: list[str] = []
    depth, skipping = 0, False
    for char in template:
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            skipping = skipping and depth > 0
        elif char == ":" and depth == 1:
            skipping = True
        if not skipping:
            name.append(char)
    return "".join(name)


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
