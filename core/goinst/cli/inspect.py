"""``goinst inspect``: what would be seen in a program, and why."""

from __future__ import annotations

import click

from goinst.cli.choice import load_plugins, split_names
from goinst.cli.options import setting_option
from goinst.diagnostics import configure
from goinst.errors import UsageError

__all__ = ["inspect_command"]


@click.command("inspect")
@click.argument("binary", required=False)
@click.option("--pid", type=int, metavar="N", help="The executable of this process, instead of a file.")
@setting_option("plugins", help="Only these.  [default: all that come with goinst]")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--propagate", is_flag=True, help="Also where `goinst run --propagate` would write, and whether it may.")
@setting_option("cache", default=True, help="Keep what the analysis found.  [default: keep]")
@setting_option("verbose", default=False, help="Say more when something fails.")
def inspect_command(
    *,
    binary: str | None,
    pid: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
    propagate: bool,
    cache: bool,
    verbose: bool,
) -> None:
    """Say what goinst knows about a Go program: its version and ABI, where each probe of each plugin goes and
    why, where each offset comes from, and what will be missing.

    Reading a file needs no root and runs nothing.

    \b
    Examples:
      goinst inspect ./server
      sudo goinst inspect --pid 4711 --json
    """
    if (binary is None) == (pid is None):
        raise UsageError("inspect: give either the path of a Go program or --pid N")
    log = configure(verbose=verbose)
    chosen = load_plugins(split_names(plugins))
    for failure in chosen.failures:
        log.error("plugin switched off", plugin=failure.plugin, reason=str(failure))

    from goinst.cache import Cache
    from goinst.cli.planned import as_members, as_text
    from goinst.golang.facts import GoFacts
    from goinst.kernel.syscalls import probe_features
    from goinst.plan.plan import make_plan
    from goinst.plan.settings import PlanSettings
    from goinst.processes.process import require_process
    from goinst.run.permissions import why_not

    path = require_process(pid).binary if pid is not None else str(binary)
    facts = GoFacts.open(path, cache=Cache.default() if cache else None)
    plan = make_plan(facts, chosen.protocols, settings=PlanSettings(propagate="dry-run" if propagate else ""))
    facts.save()
    refused = why_not(probe_features()["write_user"]) if propagate else ""
    if as_json:
        import json

        allowed = {"propagation": {"allowed": not refused, "reason": refused}} if propagate else {}
        click.echo(json.dumps(as_members(plan) | allowed, indent=2))
    else:
        click.echo(as_text(plan), nl=False)
        if propagate:
            click.echo(f"\nwriting trace contexts: {refused or 'this kernel allows it'}")
