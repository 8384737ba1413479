"""``goinst completion``: the shell's TAB key."""

from __future__ import annotations

import click

__all__ = ["completion_command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
      bash:  goinst completion bash > ~/.local/share/bash-completion/completions/goinst
      zsh:   goinst completion zsh > ~/.zfunc/_goinst      (with fpath+=~/.zfunc)
      fish:  goinst completion fish > ~/.config/fish/completions/goinst.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "goinst", "_GOINST_COMPLETE").source())
