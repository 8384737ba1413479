"""Values of the model from the plain data that the cache keeps of them (``dataclasses.asdict``).

TypeError, ValueError or KeyError for data that is not theirs: the question is asked again then.
"""

from __future__ import annotations

from typing import Any

from goinst.binary.model import Argument, Location, Member, Piece, Shape, Variable

__all__ = ["argument_from", "names_from", "shape_from", "variable_from"]


def names_from(answer: Any) -> tuple[str, ...]:
    """Names."""
    if not isinstance(answer, list) or not all(isinstance(name, str) for name in answer):
        raise TypeError("not a list of names")
    return tuple(answer)


def argument_from(data: dict[str, Any]) -> Argument:
    """An argument."""
    words = {suffix: Location(**where) for suffix, where in data["words"].items()}
    return Argument(data["name"], data["type"], words, data["source"])


def variable_from(data: dict[str, Any]) -> Variable:
    """A variable."""
    return Variable(**{**data, "pieces": tuple(_piece(piece) for piece in data["pieces"])})


def _piece(data: dict[str, Any]) -> Piece:
    # tuples are lists when they come from the cache
    return Piece(**{**data, **{name: tuple(data[name]) for name in ("based", "index") if data[name] is not None}})


def shape_from(data: dict[str, Any] | None) -> Shape | None:
    """A type, or that there is none."""
    if data is None:
        return None
    fields = tuple(Member(**field) for field in data["fields"])
    return Shape(**{**data, "fields": fields, "values": dict(data["values"])})
