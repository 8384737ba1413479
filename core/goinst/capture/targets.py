"""Which functions of a binary a SPEC means, and why there is none."""

from __future__ import annotations

import difflib
import re

from goinst.binary.facts import Facts
from goinst.errors import BinaryError, UsageError

__all__ = ["MOST", "find_functions"]

MOST = 100
"""How many functions one SPEC may mean."""
_NEAR = 3


def find_functions(facts: Facts, target: str, *, regex: bool = False, most: int = MOST) -> tuple[str, ...]:
    """The functions that ``target`` names, by symbol.

    A full symbol (``net/http.(*conn).serve``); the end of one behind a slash (``http.(*conn).serve``) or, of package
    main, behind the dot (``ping``); with ``*`` for anything; or a regular expression. BinaryError says that there is
    none, or more than ``most``, and what else there is.
    """
    if target.startswith("usdt:"):
        return _marks(facts, target, most)
    if regex or _wild(target):
        try:
            patterns = (target,) if regex else (f"^{_pattern(target)}", f"/{_pattern(target)}")
            found: tuple[str, ...] = ()
            for pattern in patterns:  # in full, else by the last part of the package's path
                found = found or tuple(dict.fromkeys(each.name for each in facts.matching(pattern)))
        except re.error as error:
            raise UsageError(f"{target!r}: is no regular expression: {error}") from None
        if not found:
            raise BinaryError(f"no function matches {target}; `goinst trace -l '*'` lists all")
        return _few(target, found, most)
    for name in (target, f"main.{target}"):
        if facts.function(name) is not None:
            return (name,)
        if generic := facts.bodies(name):
            return _few(target, generic, most)
    found = tuple(dict.fromkeys(each.name for each in facts.matching(rf"(?:^|/){re.escape(target)}(?:\[.*\])?$")))
    if len(found) == 1:
        return found
    if found:
        raise BinaryError(f"{target}: can be {', '.join(found[:_NEAR])}; write the full package path")
    raise BinaryError(_why_not(facts, target))


def _few(target: str, found: tuple[str, ...], most: int) -> tuple[str, ...]:
    if len(found) > most:
        raise BinaryError(f"{target}: {len(found)} functions match, more than {most}; narrow it down (-l lists them)")
    return found


def _marks(facts: Facts, target: str, most: int) -> tuple[str, ...]:
    """USDT probes; one whose places have their arguments in different ways has several symbols."""
    probes = facts.usdt()
    pattern = re.compile(_pattern(target) if _wild(target) else rf"{re.escape(target)}$")
    found = tuple(probe.symbol for probe in probes if pattern.match(probe.symbol.partition("#")[0]))
    if len(found) > most:
        raise BinaryError(f"{target}: {len(found)} probes match, more than {most}; narrow it down (-l lists them)")
    if not found:
        near = difflib.get_close_matches(target, [probe.symbol for probe in probes], _NEAR, 0.3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; it has {len(probes)} others"
        raise BinaryError(f"no probe {target} in the file{hint}")
    return found


def _wild(target: str) -> bool:
    return "*" in target.replace("(*", "")


def _pattern(target: str) -> str:
    text = re.escape(target).replace(r"\(\*", "\0").replace(r"\*", ".*").replace("\0", r"\(\*")
    return f"(?:{text})$"


def _why_not(facts: Facts, target: str) -> str:
    if reason := facts.why_not(target):
        near = difflib.get_close_matches(target, [each.name for each in facts.matching(".")], _NEAR, 0.6)
        return f"{reason}; did you mean {' or '.join(near)}?" if near and reason.startswith("no function") else reason
    for name in (target, f"main.{target}"):
        callers = facts.inlined(name)
        if callers:
            more = f" and {len(callers) - _NEAR} more" if len(callers) > _NEAR else ""
            return (
                f"{name} has no body of its own: the compiler inlined it in {', '.join(callers[:_NEAR])}{more};"
                " trace it there with --inlined, or build with -gcflags=-l"
            )
        if hint := facts.hint(name):
            return f"no function {target} in the binary: {hint}"
    tail = re.split(r"[./]", target)[-1].strip("()*")
    names = [each.name for each in facts.matching(re.escape(tail))] if tail else []
    near = difflib.get_close_matches(target, dict.fromkeys(names), _NEAR, 0.3)
    if not near:
        every = [each.name for each in facts.matching(r"^main\.")]
        near = difflib.get_close_matches(target, dict.fromkeys(every), _NEAR, 0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `goinst trace -l '*'` lists what there is"
    return f"no function {target} in the binary{hint}"
