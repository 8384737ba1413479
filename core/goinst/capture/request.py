"""A capture as it is asked for, after parsing: by a SPEC on the command line, or by a plugin's Capture."""

from __future__ import annotations

from dataclasses import dataclass, field

from goinst.capture.language.parser import Item, Spec, parse_condition, parse_expression, parse_spec
from goinst.capture.language.syntax import Condition
from goinst.capture.wire.build import Limits
from goinst.errors import PluginError, UsageError
from goinst.plugin.protocol import Capture

__all__ = ["Aggregate", "Wanted", "from_capture", "from_spec"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A number or text of each call that is counted in the kernel: ``kind`` is ``hist`` or ``count``."""

    kind: str
    item: Item


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to take of each call of one function or line.

    ``items`` is None for all parameters. ``duration``: until its return; else only the call. ``rate``: events
    a second, 0: all. ``stack``: how many frames. ``aggregates`` instead of events.
    """

    target: str
    items: tuple[Item, ...] | None
    results: tuple[Item, ...] = ()
    declared: tuple[tuple[str, str], ...] = ()
    returned: tuple[tuple[str, str], ...] = ()
    condition: Condition | None = None
    limits: Limits = field(default_factory=Limits)
    duration: bool = False
    rate: int = 0
    stack: int = 0
    aggregates: tuple[Aggregate, ...] = ()
    text: str = ""


def from_spec(spec: Spec, **more: object) -> Wanted:
    """What a SPEC asks for, without what its target matches."""
    return Wanted(
        spec.target,
        spec.items,
        spec.results,
        spec.declared,
        spec.returned,
        spec.condition,
        text=spec.text,
        **more,  # type: ignore[arg-type]
    )


def from_capture(plugin: str, capture: Capture) -> Wanted:
    """What a plugin's Capture asks for. PluginError when it cannot be read."""
    try:
        items = tuple(Item(label, parse_expression(text)) for label, text in capture.fields.items())
        condition = parse_condition(capture.where) if capture.where else None
        inputs, _, outputs = capture.signature.partition("->")
        signature = parse_spec(f"f({inputs}) -> {outputs}" if outputs else f"f({inputs})")
    except UsageError as error:
        raise PluginError(plugin, f"capture of {capture.function}: {error}") from None
    return Wanted(
        capture.function if isinstance(capture.function, str) else capture.function[0],
        items,
        declared=signature.declared,
        returned=signature.returned,
        condition=condition,
        limits=Limits(capture.text, capture.items, capture.depth),
        duration=capture.duration,
        rate=capture.rate,
    )
