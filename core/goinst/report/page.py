"""The page: a template that draws the figures it is given. Nothing of it comes from the network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson

__all__ = ["write_page"]

_PLACE = b"/*FIGURES*/null"


def write_page(figures: Mapping[str, Any]) -> bytes:
    """The whole HTML document. Figures are data to it, whatever they say: no text of theirs becomes markup."""
    template = files("goinst.report").joinpath("page.html").read_bytes()
    data = orjson.dumps(_clean(figures))
    # the only things that end or change a script element (HTML, section 4.12.1.3)
    data = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    before, place, after = template.partition(_PLACE)
    assert place, "the template has a place for the figures"
    return before + data + after


def _clean(value: Any) -> Any:
    """Without lone surrogates, which JSON cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_clean(str(name))): _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value if value is None or isinstance(value, int | float | bool) else str(value)
