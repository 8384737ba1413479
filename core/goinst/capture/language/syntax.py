"""Go-like expressions over a function's variables, as syntax: what is asked for, not yet what it means."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Assert", "Call", "Compare", "Condition", "Deref", "Expression", "Index", "Literal", "Logic", "Name", "Not"]
__all__ += ["Select", "Slice", "names_in"]


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or what goinst itself knows: ``duration``, ``goid``, ``pid``."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """``base.field``"""

    base: Expression
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    """``base[key]``: an element of a slice, an array or a map."""

    base: Expression
    key: int | str


@dataclass(frozen=True, slots=True)
class Slice:
    """``base[:high]``: at most so many elements or bytes."""

    base: Expression
    high: int


@dataclass(frozen=True, slots=True)
class Assert:
    """``base.(Type)``: what an interface holds, if it holds that."""

    base: Expression
    type: str


@dataclass(frozen=True, slots=True)
class Deref:
    """``*base``"""

    base: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """``len(x)``, ``cap(x)``, ``str(address, length)`` and the like: functions of the language, never the program's."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: a number (a duration in ns), a text, ``true``, ``false`` or ``nil``."""

    value: int | str | bool | None


Expression = Name | Select | Index | Slice | Assert | Deref | Call | Literal


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``; a bare expression is ``!= 0``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    """``&&`` or ``||`` between two or more conditions."""

    operator: str
    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``!term``"""

    term: Condition


Condition = Compare | Logic | Not


def names_in(part: Expression | Condition) -> frozenset[str]:
    """The variables that it is about."""
    match part:
        case Name(name):
            return frozenset((name,))
        case Select(base) | Index(base) | Slice(base) | Assert(base) | Deref(base):
            return names_in(base)
        case Call(_, arguments):
            return frozenset[str]().union(*(names_in(each) for each in arguments))
        case Compare(_, left, right):
            return names_in(left) | names_in(right)
        case Logic(_, terms):
            return frozenset[str]().union(*(names_in(each) for each in terms))
        case Not(term):
            return names_in(term)
        case Literal():
            return frozenset()
