"""The live view as lines of text: pure, so that it can be looked at without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from goinst.export.console import duration
from goinst.export.timestamps import local_clock
from goinst.live.model import Key, Model, Row
from goinst.spans.span import Span
from goinst.text import printable

__all__ = ["SORTS", "View", "draw", "sorted_rows"]

SORTS: dict[str, Callable[[Row], Any]] = {
    "rate": lambda row: (-row.rate, -sum(row.history), row.key),
    "open": lambda row: (-row.open, -row.rate, row.key),
    "errors": lambda row: (-row.errors, -row.rate, row.key),
    "p99": lambda row: (-row.p99, row.key),
    "total": lambda row: (-row.total, row.key),
    "name": lambda row: row.key,
}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII = " .:-=+*#@"
_LEAST = 64


@dataclass(slots=True)
class View:
    """What the user looks at: ``chosen`` is the selected route (None: the first), ``inside`` whether it is open."""

    sort: str = "rate"
    filter: str = ""
    paused: bool = False
    chosen: Key | None = None
    inside: bool = False
    message: str = ""
    ascii: bool = False


def sorted_rows(model: Model, view: View) -> list[Row]:
    """The rows that the filter lets through, in order."""
    wanted = view.filter.lower()
    rows = [row for row in model.rows() if wanted in " ".join(row.key).lower()]
    return sorted(rows, key=SORTS[view.sort])


def draw(model: Model, rows: Sequence[Row], view: View, width: int, height: int) -> tuple[list[str], int]:
    """The lines of a screen of this size, and which of them is selected (-1: none)."""
    asked, width = width, max(width, _LEAST)
    state = "PAUSED" if view.paused else local_clock(model.now)[:8] if model.now else "waiting"
    rate = sum(row.rate for row in rows)
    head = f" goinst top  {state}  {rate:,.1f} spans/s  in flight {model.in_flight}  routes {len(rows)}"
    if model.lost:
        head += f"  lost {model.lost:,}"
    more = f" sort: {view.sort}" + (f"  filter: {view.filter}" if view.filter else "")
    if view.message:
        more += f"  {view.message}"
    lines = [_fit(head, width), _fit(more, width), ""]
    selected = -1
    if view.inside and view.chosen is not None:
        lines += _inside(model, rows, view, width, height - len(lines) - 1)
        foot = " Esc back  p pause  q quit"
    else:
        body, selected = _table(rows, view, width, height - len(lines) - 1)
        if selected >= 0:
            selected += len(lines)
        lines += body
        foot = " ↑↓ select  Enter open  s sort  / filter  p pause  c clear  q quit"
    lines = lines[: height - 1]
    lines += [""] * (height - 1 - len(lines))
    return [_fit(line, asked) for line in (*lines, foot)], selected


def _table(rows: Sequence[Row], view: View, width: int, height: int) -> tuple[list[str], int]:
    # marker 1, numbers 8+5+6+3*7, the rest is for service, name and the sparkline
    free = width - 1 - 8 - 5 - 6 - 21
    spark = 0 if free < 36 else 8 if free < 46 else 13
    service = min(max([7, *(len(row.key[0]) for row in rows)]), (free - spark) // 3)
    name = free - spark - service - 2 - (1 if spark else 0)
    lines = [
        f" {'SERVICE':<{service}} {'ROUTE OR METHOD':<{name}}"
        f" {'RATE/S':>8}{'OPEN':>5}{'ERR%':>6}{'P50':>7}{'P95':>7}{'P99':>7}"
        + ((" LAST MINUTE" if spark > 8 else " MINUTE") if spark else "")
    ]
    room = max(height - 1, 1)
    at = next((number for number, row in enumerate(rows) if row.key == view.chosen), 0)
    first = max(0, min(at - room // 2, len(rows) - room))
    for number, row in enumerate(rows[first : first + room], first):
        p50, p95, p99 = map(duration, (row.p50, row.p95, row.p99)) if any(row.history) else ("-", "-", "-")
        chosen = number == at
        lines.append(
            f"{'>' if chosen else ' '}{_cell(_tail(row.key[0], service), service)} {_cell(_label(row.key), name)}"
            f" {row.rate:>8,.1f}{row.open:>5}{row.errors * 100:>6.1f}{p50:>7}{p95:>7}{p99:>7}"
            + (f" {_spark(row.history, spark - 1, ascii_only=view.ascii)}" if spark else "")
        )
    if not rows:
        lines.append(" nothing yet: spans appear here as soon as a traced program does something")
    return lines, at - first + 1 if rows else -1


def _inside(model: Model, rows: Sequence[Row], view: View, width: int, height: int) -> list[str]:
    assert view.chosen is not None
    service, kind, name = view.chosen
    lines = [_fit(f" {printable(name)}  ({kind} of {printable(service)})", width)]
    row = next((row for row in rows if row.key == view.chosen), None)
    if row is not None:
        lines.append(
            _fit(
                f" {row.rate:,.1f}/s  open {row.open}  errors {row.errors:.1%}  p50 {duration(row.p50)}"
                f"  p95 {duration(row.p95)}  p99 {duration(row.p99)}  total {row.total:,}",
                width,
            )
        )
        lines.append(" " + _spark(row.history, min(60, width - 2), ascii_only=view.ascii))
    recent, slowest = model.details(view.chosen)
    room = max((height - len(lines) - 4) // 2, 1)
    for title, spans in (("SLOWEST", slowest), ("LATEST", recent)):
        lines += ["", f" {title:<12} {'DURATION':>9}  STATUS  TRACE"]
        lines += [_span_line(span, width) for span in spans[:room]]
    return lines


def _span_line(span: Span, width: int) -> str:
    attributes = span.attributes
    code = attributes.get("http.response.status_code", attributes.get("rpc.response.status_code", ""))
    what = attributes.get("url.path") or attributes.get("url.full") or ""
    status = "error" if span.status == "error" else "ok"
    said = " ".join(str(part) for part in (code, what, span.status_message) if part not in ("", None))
    return _fit(
        f" {local_clock(span.start_ns)} {duration(span.duration_ns):>9}  {status:<6}  {span.trace_id:032x}"
        f"  {printable(said)}",
        width,
    )


def _label(key: Key) -> str:
    return key[2] if key[1] == "server" else f"→ {key[2]}" if key[1] == "client" else f"{key[2]} ({key[1]})"


def _tail(text: str, width: int) -> str:
    """The end of a module path says more than its beginning."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def _cell(text: str, width: int) -> str:
    return _fit(printable(text), width).ljust(width)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _spark(history: Sequence[int], width: int, *, ascii_only: bool) -> str:
    size = max(1, -(-len(history) // width))
    sums = [sum(history[at : at + size]) for at in range(0, len(history), size)]
    top, blocks = max(sums, default=0), _ASCII if ascii_only else _BLOCKS
    return "".join(blocks[-(-value * (len(blocks) - 1) // top)] if top else blocks[0] for value in sums)
