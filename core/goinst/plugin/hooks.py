"""The hooks of a run's plugins. pluggy calls them, in its own order; one that fails takes nobody along."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from goinst.errors import PluginError
from goinst.plugin.exporter import Offer
from goinst.plugin.hookspecs import GROUP, HookSpec
from goinst.plugin.process import MOST_ATTRIBUTES, TracedProcess, attribute_value

if TYPE_CHECKING:
    from goinst.plugin.summary import Summary
    from goinst.spans.span import Span

__all__ = ["Failed", "Hooks"]

Failed = Callable[[PluginError], None]
"""Is told of a plugin's hooks that have been switched off, or of something that they gave and was refused."""


class Hooks:
    """What plugins' modules have marked with ``hookimpl``.

    Each way to call them takes ``failed``, which is told of every plugin whose hooks failed in that call: they are
    switched off from the next one on.
    """

    def __init__(self) -> None:
        self._manager = self._empty()
        self._raised: dict[str, str] = {}
        self._refused: dict[tuple[str, str], str] = {}  # by plugin and attribute
        self._said: set[tuple[str, str]] = set()

    @staticmethod
    def _empty() -> pluggy.PluginManager:
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(HookSpec)
        return manager

    def register(self, name: str, module: object) -> None:
        """Take the hooks of a plugin's module. PluginError when they do not fit the specification."""
        trial = self._empty()
        try:
            trial.register(module, name)
            trial.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(name, "its hooks do not fit: " + " ".join(str(error).split())) from error
        stand_in = ModuleType(name)
        for attribute in dir(module):
            options = trial.parse_hookimpl_opts(module, attribute)
            if options is not None:
                function = getattr(module, attribute)
                hook = options.get("specname") or attribute
                setattr(stand_in, attribute, self._guarded(name, hook, function, dict(options)))
        self._manager.register(stand_in, name)

    @property
    def want_spans(self) -> bool:
        """Whether any looks at spans."""
        return bool(self._manager.hook.goinst_spans.get_hookimpls())

    def spans(self, spans: list[Span], failed: Failed) -> None:
        """Let them see a batch."""
        self._call("goinst_spans", failed, spans=spans)

    def exporters(self, failed: Failed) -> list[Offer]:
        """The outputs that they bring, by plugin in the order of the calls."""
        return [offer for offers in self._call("goinst_exporters", failed) for offer in offers]

    def resource(self, process: TracedProcess, failed: Failed, refused: Failed) -> dict[str, Any]:
        """What they say of a process. ``refused`` is told once of each attribute that cannot be one."""
        if not self._manager.hook.goinst_resource.get_hookimpls():
            return {}
        found: dict[str, Any] = {}
        for attributes in reversed(self._call("goinst_resource", failed, process=process)):
            found |= attributes
        for (plugin, name), reason in self._refused.items():
            if (plugin, name) not in self._said:
                self._said.add((plugin, name))
                refused(PluginError(plugin, f"its hook goinst_resource gives {name}: {reason}; left out"))
        self._refused.clear()
        return found

    def summary(self, summary: Summary, failed: Failed) -> None:
        """Tell them that the run has ended."""
        self._call("goinst_summary", failed, summary=summary)

    def _call(self, hook: str, failed: Failed, **arguments: Any) -> list[Any]:
        results: list[Any] = getattr(self._manager.hook, hook)(**arguments)
        raised, self._raised = self._raised, {}
        for name in raised:
            self._manager.unregister(name=name)
        for name, words in raised.items():
            failed(PluginError(name, f"{words}; switched off"))
        return results

    def _guarded(self, name: str, hook: str, function: Callable[..., Any], options: dict[str, Any]) -> Any:
        """The function, marked as it is, that raises nothing, and returns what the hook returns or None; pluggy knows
        its arguments by ``__wrapped__``."""

        def failed(error: Exception) -> None:
            words = f"returned {error}" if isinstance(error, _NonsenseError) else f"raised {_words(error)}"
            self._raised.setdefault(name, f"its hook {hook} {words}")

        def check(value: Any) -> Any:
            if hook == "goinst_exporters":
                return _offers(name, value)
            return self._attributes(name, value) if hook == "goinst_resource" else None

        if options.get("wrapper") or options.get("hookwrapper"):
            return _wrapper(function, failed, _each(check) if hook in _RETURNING else None)

        @functools.wraps(function)
        def call(*arguments: Any, **more: Any) -> Any:
            try:
                value = function(*arguments, **more)
                return None if value is None else check(value)
            except Exception as error:
                failed(error)
                return None

        return call

    def _attributes(self, name: str, value: Any) -> dict[str, Any]:
        """Those that a resource can have; the others are remembered as refused."""
        if not isinstance(value, Mapping):
            raise _NonsenseError(f"{_kind(value)}, and no mapping of attributes")
        if len(value) > MOST_ATTRIBUTES:
            raise _NonsenseError(f"{len(value)} attributes, and {MOST_ATTRIBUTES} are the most")
        good = {}
        for attribute, one in value.items():
            try:
                good[attribute] = attribute_value(attribute, one)
            except ValueError as error:
                self._refused[name, repr(attribute)[:80]] = str(error)
        if sum(plugin == name for plugin, _ in self._said | self._refused.keys()) > MOST_ATTRIBUTES:
            raise _NonsenseError(f"more than {MOST_ATTRIBUTES} attributes that cannot be any")
        return good


_RETURNING = ("goinst_exporters", "goinst_resource")


class _NonsenseError(Exception):
    """A hook returned what it must not: the words say what."""


def _offers(plugin: str, value: Any) -> tuple[Offer, ...]:
    if isinstance(value, tuple) and all(isinstance(one, Offer) for one in value):
        return value  # by a wrapper, which had it of us
    if not isinstance(value, Mapping):
        raise _NonsenseError(f"{_kind(value)}, and no mapping of names to what makes exporters")
    offers = []
    for name, make in value.items():
        if not (isinstance(name, str) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            raise _NonsenseError(f"{name!r}, and an output's name is letters, digits, - and _")
        if not callable(make):
            raise _NonsenseError(f"{_kind(make)} for {name!r}, and nothing that makes an exporter")
        meaning = (inspect.getdoc(make) or "").strip().partition("\n")[0].rstrip(".")
        offers.append(Offer(name, plugin, meaning or f"by the plugin {plugin}", make))
    return tuple(offers)


def _each(check: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def checked(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _NonsenseError(f"{_kind(value)}, and not the list that it was sent at its yield")
        return [check(one) for one in value]

    return checked


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _wrapper(
    function: Callable[..., Any], failed: Callable[[Exception], None], check: Callable[[Any], Any] | None
) -> Callable[..., Any]:
    """A hook around the others, of either kind: the new one is sent their results and returns its own, the old one
    gets a pluggy.Result, which it may set. Theirs count when it fails, and where results mean nothing (no ``check``).
    """

    @functools.wraps(function)
    def around(*arguments: Any, **more: Any) -> Generator[None, Any, Any]:
        try:
            outer: Any = function(*arguments, **more)
            next(outer)
        except StopIteration:
            outer = None
            failed(RuntimeError("a wrapper that does not yield"))
        except Exception as error:
            outer = None
            failed(error)
        result = yield
        if outer is None:
            return result
        old = isinstance(result, pluggy.Result)
        theirs = result.get_result() if old else result
        try:
            outer.send(result if old else list(theirs))
            outer.close()
            failed(RuntimeError("a wrapper that yields twice"))
        except StopIteration as returned:
            try:
                own = result.get_result() if old else returned.value
                own = check(own) if check is not None else theirs
            except Exception as error:
                failed(error)
            else:
                if not old:
                    return own
                result.force_result(own)
                return result
        except Exception as error:
            failed(error)
        if not old:
            return theirs
        result.force_result(theirs)
        return result

    return around
