"""What of net/http's records decides in which series of the metrics a request is counted (see ``Series``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goinst import Series

__all__ = ["CALL", "ERROR", "LINE", "NOTHING", "REQUEST", "ROUTE", "STREAM"]

_METHOD = 8  # the longest method that is looked at
_VERSION = len(" HTTP/1.1")
_SPACE = 0x20
# eight bytes as a number: the version, and the bit by which 1.0 differs
_HTTP_1, _ONE = int.from_bytes(b"HTTP/1.1", "little"), 1 << 56
_SIZES = {"http.request.body.size": "content_length", "http.response.body.size": "written"}


def _request_line(columns: Mapping[str, Any]) -> tuple[Any, Any]:
    """Method and minor version of header blocks, where they stand as the lengths say; where there is no block, the
    nethttp_line decides."""
    import numpy as np

    count, width = columns["block"].shape
    if width < _METHOD + _VERSION:
        return np.zeros((count, 1), np.uint8), np.zeros(count, bool)
    text = np.ascontiguousarray(columns["block"]).reshape(-1)
    rows = np.arange(count) * width
    length = columns["block_length"].astype(np.int64)
    method = columns["method_length"].astype(np.int64)
    version = method + 2 + columns["uri_length"]
    plain = (method > 0) & (method <= _METHOD) & (version + _VERSION - 1 <= length)
    # what lies beyond is not plain already
    method, version = np.where(plain, method, 0), np.where(plain, version, 1)
    # eight bytes from each on, wherever it lies
    words = np.ndarray((len(text) - 7,), "<u8", text, 0, (1,))
    first = np.array([(1 << 8 * size) - 1 for size in range(_METHOD + 1)], "<u8")
    name = words[rows + np.minimum(version, width - 8)]
    plain &= (text[rows + method] == _SPACE) & (text[rows + version - 1] == _SPACE) & ((name | _ONE) == _HTTP_1)
    key = np.empty((count, 2), "<u8")
    key[:, 0] = words[rows] & first[method]
    key[:, 1] = name
    return key.view(np.uint8), plain


REQUEST = Series(("status", "flags", "ending", "method_length", "pattern"), _SIZES, derive=_request_line, name=False)
STREAM = Series(("status", "flags", "ending", "method", "pattern"), _SIZES, name=False)
CALL = Series(
    ("status", "major", "minor", "method", "scheme", "host"),
    {"http.request.body.size": "content_length", "http.response.body.size": "response_length"},
    name=False,
)
ERROR = Series(("errno", "kind", "text"))
LINE = Series(("minor", "method"))
ROUTE = Series(("router", "count", *((f"part{number}", f"length{number}") for number in range(4))))
NOTHING = Series(())
