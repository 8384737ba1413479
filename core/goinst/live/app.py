"""The live view on a terminal, by textual."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from goinst.live.model import Model, Row
from goinst.live.screen import SORTS, View, draw, sorted_rows

__all__ = ["LiveApp"]


class LiveApp(App[None]):
    """Shows a model that somebody else fills. ``work`` runs in a thread as long as the view; ``stop`` ends it. What
    ``work`` raises is in ``failure`` when the view has ended, as it does then."""

    CSS = "Screen { overflow: hidden; } #filter { dock: bottom; height: 1; border: none; padding: 0 1; }"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None  # else the filter would get every key
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", priority=False),
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup", "move(-10)"),
        Binding("pagedown", "move(10)"),
        Binding("enter", "open"),
        Binding("escape,backspace", "back"),
        Binding("s", "sort"),
        Binding("p,space", "pause"),
        Binding("c", "clear"),
        Binding("slash", "filter"),
    ]

    def __init__(
        self,
        model: Model,
        work: Callable[[], Any],
        stop: Callable[[], None],
        message: Callable[[], str],
        every: float = 0.5,
    ) -> None:
        super().__init__(ansi_color=True)
        self._model = model
        self._work = work
        self._stop = stop
        self._message = message
        self._every = every
        self._view = View(ascii="UTF" not in os.environ.get("LC_ALL", os.environ.get("LANG", "UTF")).upper())
        self._rows: list[Row] = []
        self._over = False
        self._thread = threading.Thread(target=self._run, name="goinst-top", daemon=True)
        self.failure: BaseException | None = None

    def compose(self) -> ComposeResult:
        """The page, and a line for the filter that is seen only while it is typed."""
        yield Static(id="page", markup=False)
        yield Input(id="filter", placeholder="filter: part of a service or route; Enter", compact=True)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#filter").display = False
        self._thread.start()
        self.set_interval(self._every, self._refresh)
        self._refresh()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.failure = error
        self._over = True

    def _refresh(self) -> None:
        if self.failure is not None:
            self.exit()
            return
        if not self._view.paused:
            self._rows = sorted_rows(self._model, self._view)
        self._view.message = "ended" if self._over else self._message()
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def _draw(self) -> None:
        view, size = self._view, self.size
        lines, selected = draw(self._model, self._rows, view, size.width, size.height)
        text = Text(no_wrap=True, overflow="crop", end="")
        for number, line in enumerate(lines):
            style = "reverse" if number == selected else "bold" if number in (0, 3) else ""
            text.append(line + ("\n" if number < len(lines) - 1 else ""), style=style)
        self.query_one("#page", Static).update(text)

    def action_move(self, by: int) -> None:
        """Select another route."""
        keys = [row.key for row in self._rows]
        if keys and not self._view.inside:
            at = keys.index(self._view.chosen) if self._view.chosen in keys else 0
            self._view.chosen = keys[min(max(at + by, 0), len(keys) - 1)]
            self._draw()

    def action_open(self) -> None:
        """Look into the selected route."""
        if self._rows:
            self._view.inside = True
            self._view.chosen = self._view.chosen or self._rows[0].key
        self._draw()

    async def action_back(self) -> None:
        """Out of the route; or the filter off."""
        if self._view.inside:
            self._view.inside = False
        else:
            self._view.filter = ""
        self._refresh()

    def action_sort(self) -> None:
        """The next order."""
        names = list(SORTS)
        self._view.sort = names[(names.index(self._view.sort) + 1) % len(names)]
        self._rows.sort(key=SORTS[self._view.sort])
        self._draw()

    def action_pause(self) -> None:
        """Hold the picture still; spans are counted meanwhile."""
        self._view.paused = not self._view.paused
        self._refresh()

    def action_clear(self) -> None:
        """Begin anew."""
        self._model.clear()
        self._refresh()

    def action_filter(self) -> None:
        """Type a filter."""
        box = self.query_one("#filter", Input)
        box.value = self._view.filter
        box.display = True
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The filter is typed."""
        self._view.filter, self._view.chosen = event.value.strip(), None
        event.input.display = False
        self.set_focus(None)
        self._refresh()

    async def action_quit(self) -> None:
        """End the view."""
        self.exit()

    def finish(self, patience: float) -> None:
        """When the view has ended: end the work, too."""
        self._stop()
        if self._thread.ident is not None:
            self._thread.join(patience)
