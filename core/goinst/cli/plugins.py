"""``goinst plugins``: what is installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from goinst.export.registry import Format
    from goinst.plugin.manager import InstalledPlugin
    from goinst.plugin.protocol import Option

__all__ = ["plugins_command"]


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def plugins_command(*, as_json: bool) -> None:
    """List the installed plugins, the distribution each comes from, its options and the outputs that it brings.

    A plugin that cannot be used is listed with the reason. Install one with pip into the environment of
    goinst; `goinst run --plugins NAME` uses it.
    """
    from goinst.export.registry import brought
    from goinst.plugin.manager import installed

    found = installed()
    outputs = brought()
    found = [replace(one, error=one.error or outputs.problems.get(one.name)) for one in found]
    if as_json:
        click.echo(json.dumps([_members(one, outputs.of(one.name)) for one in found], indent=2, default=str))
        return
    for plugin in found:
        click.echo(f"{plugin.name:<12} {plugin.distribution} {plugin.version}  ({plugin.module})")
        click.echo(f"  {plugin.error or plugin.summary}")
        for option in plugin.options:
            click.echo(f"  --set {plugin.name}.{option.name}={_value(option.default)}  {_help(option)}")
        for form in outputs.of(plugin.name):
            click.echo(f"  --output {form.name}[:PLACE]  {form.meaning}")
    for name, reason in outputs.taken.items():
        click.echo(f"--output {name} cannot be used: {reason}")
    if not found:
        click.echo("No plugin is installed; goinst's own come with its package: make venv.")


def _members(plugin: InstalledPlugin, outputs: Sequence[Format]) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "module": plugin.module,
        "summary": plugin.summary,
        "error": plugin.error,
        "options": [
            {
                "name": option.name,
                "default": option.default,
                "minimum": option.minimum,
                "maximum": option.maximum,
                "help": option.help,
            }
            for option in plugin.options
        ],
        "outputs": [{"name": form.name, "help": form.meaning} for form in outputs],
    }


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _help(option: Option) -> str:
    if option.minimum is None and option.maximum is None:
        return option.help
    low = "" if option.minimum is None else str(option.minimum)
    high = "" if option.maximum is None else str(option.maximum)
    return f"{option.help} ({low}..{high})"
