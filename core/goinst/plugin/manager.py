"""Finding and loading plugins: one by one, by name, so that a broken one cannot take the others along."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions

from goinst.errors import PluginError, UsageError
from goinst.plugin.hooks import Hooks
from goinst.plugin.hookspecs import GROUP
from goinst.plugin.protocol import Option, Protocol
from goinst.plugin.signals import check_signals

__all__ = ["InstalledPlugin", "PluginSet", "installed"]


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """A plugin as `goinst plugins` shows it; ``error`` says in one line why it cannot be used."""

    name: str
    distribution: str
    version: str
    module: str
    summary: str | None
    options: tuple[Option, ...]
    error: str | None
    protocol: Protocol | None


@dataclass(frozen=True, slots=True)
class _Found:
    point: EntryPoint
    distribution: str
    version: str


def _find() -> dict[str, list[_Found]]:
    """Entry points by name. A name that two distributions use is kept twice: neither is silently dropped."""
    found: dict[str, list[_Found]] = {}
    seen: set[tuple[str, str, str]] = set()
    for distribution in distributions():
        try:
            points = distribution.entry_points.select(group=GROUP)
        except Exception:  # noqa: S112 - somebody else's broken metadata is no reason to fail
            continue
        for point in points:
            name = distribution.metadata["Name"] or "?"
            if (key := (point.name, point.value, name)) in seen:
                continue  # the same distribution, twice on the path
            seen.add(key)
            found.setdefault(point.name, []).append(_Found(point, name, distribution.version or "?"))
    return found


def _load(name: str, candidates: Sequence[_Found]) -> tuple[Protocol, object]:
    if len(candidates) > 1:
        owners = ", ".join(sorted(candidate.distribution for candidate in candidates))
        raise PluginError(name, f"{owners} all provide a plugin of this name; uninstall all but one")
    point = candidates[0].point
    try:
        module = point.load()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        words = " ".join(str(error).split())
        raise PluginError(name, f"cannot be imported from {point.value}: {type(error).__name__}: {words}") from error
    protocol = getattr(module, "PROTOCOL", None)
    if not isinstance(protocol, Protocol):
        raise PluginError(name, f"{point.value} has no PROTOCOL of type goinst.Protocol")
    if protocol.name != name:
        raise PluginError(name, f"{point.value} calls itself {protocol.name!r}; the entry point must agree")
    check_signals(protocol)
    return protocol, module


def installed() -> list[InstalledPlugin]:
    """Every installed plugin, broken ones included, by name."""
    result = []
    for name, candidates in sorted(_find().items()):
        protocol, error = None, None
        try:
            protocol, _ = _load(name, candidates)
        except PluginError as problem:
            error = str(problem)
        first = candidates[0]
        result.append(
            InstalledPlugin(
                name,
                first.distribution,
                first.version,
                first.point.value,
                protocol.summary if protocol else None,
                protocol.options if protocol else (),
                error,
                protocol,
            )
        )
    return result


class PluginSet:
    """The plugins of a run: ``protocols`` with base plugins first, ``failures``, and their hooks."""

    def __init__(self, protocols: Sequence[Protocol], failures: Sequence[PluginError], hooks: Hooks) -> None:
        self.protocols = tuple(protocols)
        self.failures = tuple(failures)
        self.hooks = hooks

    @property
    def tracing(self) -> tuple[Protocol, ...]:
        """Those that have anything to do with a binary: the others have hooks and nothing else."""
        return tuple(one for one in self.protocols if one.fragments or one.probes or one.records or one.captures)

    @classmethod
    def of(cls, *protocols: Protocol) -> PluginSet:
        """Protocols that were made here, without hooks."""
        return cls(protocols, [], Hooks())

    @classmethod
    def all(cls) -> PluginSet:
        """All that are installed."""
        return cls.load(sorted(_find()))

    @classmethod
    def load(cls, names: Iterable[str]) -> PluginSet:
        """Load plugins by name, and those they build on. UsageError when a name is not installed."""
        found = _find()
        loaded: dict[str, Protocol] = {}
        failures: list[PluginError] = []
        hooks = Hooks()

        def failed(name: str) -> bool:
            return any(failure.plugin == name for failure in failures)

        def visit(name: str, wanted_by: str | None, trail: tuple[str, ...]) -> None:
            if name in loaded or failed(name):
                return
            if name in trail:
                failures.append(PluginError(name, f"builds on itself: {' -> '.join([*trail, name])}"))
                return
            if name not in found:
                if wanted_by is not None:
                    failures.append(PluginError(wanted_by, f"builds on {name}, which is not installed"))
                    return
                near = difflib.get_close_matches(name, found, 1)
                hint = f"; did you mean {near[0]}?" if near else "."
                known = ", ".join(sorted(found))
                raise UsageError(f"no plugin is called {name!r}{hint} Installed: {known}")
            try:
                protocol, module = _load(name, found[name])
            except PluginError as error:
                failures.append(error)
                return
            for base in protocol.builds_on:
                visit(base, name, (*trail, name))
                if base not in loaded and not failed(name):
                    failures.append(PluginError(name, f"builds on {base}, which cannot be used"))
            if failed(name):
                return
            try:
                hooks.register(name, module)
            except PluginError as error:
                failures.append(error)
                return
            loaded[name] = protocol

        for name in names:
            visit(name, None, ())
        return cls(list(loaded.values()), failures, hooks)
