"""What of net/http's records decides in which series of the metrics a request is counted (see ``Series``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goinst import Series

__all__ = ["CALL", "ERROR", "LINE", "NOTHING", "REQUEST", "ROUTE", "STREAM"]

_BLOCK_CUT = 8  # decode.py
_METHOD = 8  # the longest method that is looked at
_SHORTEST = len("GET / HTTP/1.1\r\n")
_SPACE, _LINE_FEED, _RETURN = 0x20, 0x0A, 0x0D
# eight bytes as a number: the version, and the bit by which 1.0 differs
_HTTP_1, _ONE = int.from_bytes(b"HTTP/1.1", "little"), 1 << 56
_SIZES = {"http.request.body.size": "content_length", "http.response.body.size": "written"}


def _request_line(columns: Mapping[str, Any]) -> tuple[Any, Any]:
    """Method and minor version of header blocks, where the block is one header and begins with its request line: no
    line but the last is empty, and the line's only spaces and its version stand where the lengths say."""
    import numpy as np

    count, width = columns["block"].shape
    if width < _SHORTEST:
        return np.zeros((count, 1), np.uint8), np.zeros(count, bool)
    block = np.ascontiguousarray(columns["block"])
    text = block.reshape(-1)
    rows = np.arange(count) * width
    length = columns["block_length"].astype(np.int64)
    method = columns["method_length"].astype(np.int64)
    version = method + 2 + columns["uri_length"]
    plain = (method > 0) & (method <= _METHOD) & (version + 10 <= length)
    # what lies beyond is not plain already
    method, version = np.where(plain, method, 0), np.where(plain, version, 1)

    feeds = text == _LINE_FEED
    after = np.flatnonzero(feeds[2:] & (feeds[1:-1] | feeds[:-2])) + 2  # line feeds behind an empty line
    row, column = np.divmod(after, width)
    inside = column < length[row]
    row, column = row[inside], column[inside]
    empty = np.bincount(row, minlength=count)
    last = np.zeros(count, np.int64)
    last[row] = column
    ends = (empty == 1) & (last == length - 1) & feeds[rows + np.maximum(length - 3, 0)]
    plain &= np.where((columns["flags"] & _BLOCK_CUT) != 0, empty == 0, ends)

    line = int(version.max())
    row, column = np.divmod(np.flatnonzero(block[:, :line] == _SPACE), line)
    plain &= np.bincount(row[column < version[row]], minlength=count) == 2
    plain &= (text[rows + method] == _SPACE) & (text[rows + version - 1] == _SPACE)
    # eight bytes from each on, wherever it lies
    words = np.ndarray((len(text) - 7,), "<u8", text, 0, (1,))
    first = np.array([(1 << 8 * size) - 1 for size in range(_METHOD + 1)], "<u8")
    name = words[rows + np.minimum(version, width - 8)]
    plain &= (name | _ONE) == _HTTP_1
    feed = rows + np.minimum(version + 8, width - 2)
    plain &= (text[feed] == _RETURN) & (text[feed + 1] == _LINE_FEED)

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
