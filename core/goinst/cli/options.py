"""The options that every command which traces has, and what they come to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from goinst.cli.choice import load_plugins, split_names
from goinst.config import SETTINGS, RunConfig, load_config, merge
from goinst.diagnostics import Log, configure
from goinst.errors import UsageError
from goinst.export.filters import filters
from goinst.export.registry import OWN, Format, formats
from goinst.sampling import parse_sampling
from goinst.settings import Setting

if TYPE_CHECKING:
    from goinst.plugin.manager import PluginSet

__all__ = [
    "SettingOption", "help_of", "reader", "setting_option", "settings_of", "tracing_options", "understand",
]  # fmt: skip

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NO_TARGET = (
    "nothing says what to trace: give --port N, --pid N, --exe NAME, or `-- COMMAND ARGS`"
    " (goinst run --help has examples)"
)
_CONFIG = click.option(
    "--config", metavar="FILE", help="A YAML file with these options by name; the command line wins."
)
_BEFORE_CONFIG = "redact"


class SettingOption(click.Option):
    """An option of a setting: its variable is called as the option is (GOINST_RUN_PORT), or as its parameter."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Its text; None or empty where it is not set."""
        name = self.opts[-1].lstrip("-").upper().replace("-", "_")
        named = os.environ.get(f"{ctx.auto_envvar_prefix}_{name}") if ctx.auto_envvar_prefix else None
        return named or super().resolve_envvar_value(ctx)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """With the outputs that plugins bring: those are loaded only when somebody reads it."""
        if self.help and (own := _words_of(OWN.values())) in self.help:
            self.help = self.help.replace(own, _words_of(formats().values()))
        return super().get_help_record(ctx)


def setting_option(member: str, **otherwise: Any) -> Callable[[_Command], _Command]:
    """The option of a setting; ``otherwise`` is what a command says in another way."""
    one = SETTINGS[member]
    chosen: dict[str, Any] = {"help": help_of(one), "metavar": one.metavar, **one.kind.option}
    if one.kind.choices:
        chosen["type"] = click.Choice(one.kind.choices)
    return click.option(*one.flags, one.parameter, cls=SettingOption, **{**chosen, **otherwise})


def help_of(one: Setting) -> str:
    """What is said of a setting."""
    return one.help.replace("{formats}", _words_of(OWN.values()))


def _words_of(formats: Iterable[Format]) -> str:
    return ", ".join(f"{form.name} ({form.meaning})" for form in formats)


def tracing_options(command: _Command) -> _Command:
    """Add the options; the command hands what it gets to ``understand``."""
    for one in reversed(list(SETTINGS.values())):
        if one.member == _BEFORE_CONFIG:
            command = _CONFIG(command)
        if one.flags:
            command = setting_option(one.member)(command)
    return command


def understand(
    plugins: tuple[str, ...], settings: tuple[str, ...], config: str | None, given: dict[str, Any]
) -> tuple[RunConfig, PluginSet, Log]:
    """The configuration, the plugins of the run, and the log. UsageError when they make no sense."""
    values = {name: value for name, value in given.items() if value not in (None, ())}
    if plugins:
        values["plugins"] = split_names(plugins)
        if not values["plugins"]:
            raise UsageError("--plugins: a name is missing, as in --plugins A,B")
    if settings:
        values["plugin_options"] = settings_of(settings)
    options = merge(load_config(config) if config else {}, values)
    log = configure(verbose=options.verbose)
    filters(
        options.where, parse_sampling(options.sample).share
    )  # what is wrong with it is said before anything is loaded
    if not options.has_target:
        raise UsageError(_NO_TARGET)
    chosen = load_plugins(options.plugins)
    broken = {failure.plugin for failure in chosen.failures}  # nobody can check the options of these
    options = replace(
        options,
        named=options.plugins,
        plugins=tuple(protocol.name for protocol in chosen.protocols),
        plugin_options={name: own for name, own in options.plugin_options.items() if name not in broken},
    )
    return options, chosen, log


def settings_of(texts: tuple[str, ...]) -> Mapping[str, Mapping[str, object]]:
    """``PLUGIN.OPTION=VALUE`` texts by plugin and option."""
    found: Mapping[str, Mapping[str, object]] = SETTINGS["plugin_options"].kind.read("--set", list(texts))
    return found


def reader(config: str | None, given: dict[str, Any]) -> Callable[[], RunConfig] | None:
    """Reads the configuration file again, with the same command line; None when there is no file."""
    if config is None:
        return None
    values = {name: value for name, value in given.items() if value not in (None, ())}
    return lambda: merge(load_config(config), values)
