"""The hooks of a run's plugins. pluggy calls them, in its own order; one that raises takes nobody along."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from goinst.errors import PluginError
from goinst.plugin.hookspecs import GROUP, HookSpec

if TYPE_CHECKING:
    from goinst.spans.span import Span

__all__ = ["Hooks"]

_Failed = Callable[[BaseException], None]


class Hooks:
    """What plugins' modules have marked with ``hookimpl``. True when there is any."""

    def __init__(self) -> None:
        self._manager = self._empty()
        self._raised: dict[str, str] = {}

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

    def __bool__(self) -> bool:
        return bool(self._manager.hook.goinst_spans.get_hookimpls())

    def spans(self, spans: list[Span]) -> list[PluginError]:
        """Let them see a batch. Those that raised are switched off from the next batch on; the errors name them."""
        self._manager.hook.goinst_spans(spans=spans)
        if not self._raised:
            return []
        raised, self._raised = self._raised, {}
        for name in raised:
            self._manager.unregister(name=name)
        return [PluginError(name, words) for name, words in raised.items()]

    def _guarded(self, name: str, hook: str, function: Callable[..., Any], options: dict[str, Any]) -> Any:
        """The function, marked as it is, that raises nothing; pluggy knows its arguments by ``__wrapped__``."""

        def failed(error: Exception) -> None:
            words = " ".join(f"{type(error).__name__}: {error}".split())
            self._raised.setdefault(name, f"its hook {hook} raised {words}; switched off")

        if options.get("wrapper") or options.get("hookwrapper"):
            return _wrapper(function, failed)

        @functools.wraps(function)
        def call(*arguments: Any, **more: Any) -> Any:
            try:
                return function(*arguments, **more)
            except Exception as error:
                failed(error)
                return None

        return call


def _wrapper(function: Callable[..., Any], failed: Callable[[Exception], None]) -> Callable[..., Any]:
    """A hook around the others, of either kind: the new one is sent their results and returns its own, the old one
    gets a pluggy.Result, which it may set. When it raises, theirs count."""

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
        try:
            outer.send(result)
            outer.close()
            failed(RuntimeError("a wrapper that yields twice"))
        except StopIteration as returned:
            return returned.value
        except Exception as error:
            failed(error)
        finally:
            if isinstance(result, pluggy.Result) and isinstance(result.exception, Exception):
                failed(result.exception)
                result.force_result([])
        return result

    return around
