"""``goinst doctor``: can this machine do it?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from goinst.cli.checks import run_checks
from goinst.export.console import wants_colour

__all__ = ["doctor_command"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor_command(*, as_json: bool) -> int:
    """Check whether this machine can trace, and say what to do where it cannot.

    Exit code 0 when tracing can work (a warning costs comfort, not spans), 3 when it cannot.
    """
    colour = wants_colour(sys.stdout.isatty())
    checks = []
    for check in run_checks():
        checks.append(check)
        if as_json:
            continue
        word = f"{check.verdict:<4}"
        word = click.style(word, fg=_COLOURS[check.verdict], bold=True) if colour else word
        click.echo(f"{word}  {check.name:<18} {check.found}", color=colour)
        if check.advice:
            click.echo(f"      {'':<18} -> {check.advice}")
    failed = [check.name for check in checks if check.verdict == "fail"]
    if as_json:
        click.echo(json.dumps({"can_trace": not failed, "checks": [asdict(check) for check in checks]}, indent=2))
    elif failed:
        click.echo(f"\nTracing cannot work here: {', '.join(failed)}.")
    else:
        click.echo("\nTracing can work here: goinst demo shows it.")
    return 3 if failed else 0
