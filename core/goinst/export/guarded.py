"""An exporter that a plugin brought: whatever it does, it ends no more than its own output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from goinst.errors import GoinstError, UsageError
from goinst.export.base import OutputEnded, OutputFailed
from goinst.plugin.exporter import Exporter, Offer
from goinst.spans.span import Span

__all__ = ["GuardedExporter"]


class GuardedExporter(Exporter):
    """Makes one of an offer and a place, and stands in front of it. UsageError when that cannot be."""

    def __init__(self, offer: Offer, place: str) -> None:
        super().__init__()
        self.name = offer.name
        self._whole = f"{offer.name}:{place}" if place else offer.name
        self._plugin = offer.plugin
        self._ended = self._closed = False
        try:
            made = offer.make(place)
        except GoinstError as error:
            raise UsageError(f"--output {self._whole}: {error}") from error
        except (ValueError, OSError) as error:
            raise UsageError(f"--output {self._whole}: {_plain(error)}") from error
        except Exception as error:
            raise UsageError(f"--output {self._whole}: plugin {offer.plugin} raised {_words(error)}") from error
        if not isinstance(made, Exporter) or not hasattr(made, "losses"):
            lacks = "whose __init__ does not call super().__init__()" if isinstance(made, Exporter) else "no Exporter"
            raise UsageError(f"--output {self._whole}: plugin {offer.plugin} made a {type(made).__name__}, {lacks}")
        self._made = made
        self.wants_spans, self.wants_partial = bool(made.wants_spans), bool(made.wants_partial)
        self.caveat = str(made.caveat)

    @property
    def place(self) -> str:
        """As it was asked for."""
        return self._whole

    def export(self, spans: Sequence[Span]) -> None:
        """Hand them on; the list is its own."""
        self._do(self._made.export, list(spans))

    def count(self, n: int) -> None:
        """Hand it on."""
        self._do(self._made.count, n)

    def flush(self) -> None:
        """Hand it on."""
        self._do(self._made.flush)

    def close(self) -> None:
        """Close it once, whatever became of it."""
        if self._closed:
            return
        self._closed = True
        if not self._ended:
            self._do(self._made.close)
        else:
            with suppress(Exception):
                self._made.close()

    def _do(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
            self._look()
        except OutputEnded:
            self._ended = True
            raise
        except Exception as error:
            self._ended = True
            raise OutputFailed(f"plugin {self._plugin}: its output {self.name} raised {_words(error)}") from error

    def _look(self) -> None:
        """See what it lost by now: counts by names, in this output's name."""
        losses = _counts(self._made.losses)
        prefix = f"{self.name}."
        self.losses.clear()
        for reason, count in losses.items():
            self.losses[reason if reason.startswith(prefix) else prefix + reason] += count
        self.undone.clear()
        self.undone.update(_counts(self._made.undone))


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    counts = dict(counts)  # another thread may be adding to it
    for name, count in counts.items():
        if not isinstance(name, str) or not isinstance(count, int) or count < 0:
            raise TypeError(f"losses and undone are numbers by names, and not {count!r} by {name!r}")
    return counts


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
