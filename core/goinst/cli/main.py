"""The command ``goinst``: its sub-commands, and errors as one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from goinst import __version__
from goinst.diagnostics import say_error
from goinst.errors import GoinstError
from goinst.export.base import OutputClosed
from goinst.text import printable

__all__ = ["cli", "execute", "main"]

# name -> its module, imported when it is called; the function has the name of the module
_COMMANDS = (
    "run",
    "trace",
    "record",
    "replay",
    "export",
    "top",
    "report",
    "inspect",
    "doctor",
    "plugins",
    "demo",
    "completion",
)
_INTERRUPTED = 130


class _Commands(click.Group):
    """Sub-commands that are imported when they are needed: `goinst run` should be ready soon."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"goinst.cli.{cmd_name}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would exit with 1
            raise OutputClosed("standard output") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="goinst %(version)s")
def cli() -> None:
    """See inside running Go programs: no restart, no recompilation, nothing added to them.

    goinst puts eBPF uprobes on functions of a Go program that is running, and prints a span for each
    operation that a plugin knows (an HTTP request, a JSON-RPC call).

    \b
    Start here:
      goinst doctor                can this machine do it, and what to do if not
      goinst demo                  see it work on a bundled server
      sudo goinst run --port 8080  trace whoever listens on port 8080
      goinst inspect ./server      what would be seen in this program, and what not

    Exit codes: 0 ended as asked, 1 a fault, 2 usage, 3 this machine cannot do it (a full disk, too), 4 nothing to
    instrument.
    """


def execute(arguments: Sequence[str]) -> int:
    """Run one command line; return the exit code. Every error is one line on standard error."""
    verbose = _is_verbose(arguments)
    try:
        code = cli.main(
            args=list(arguments) or ["--help"], prog_name="goinst", standalone_mode=False, auto_envvar_prefix="GOINST"
        )
    except OutputClosed:
        return 0  # the reader has had enough: `goinst run … | head`
    except GoinstError as error:
        _complain(str(error), error.detail if verbose else "")
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see {context.command_path} --help" if context is not None else ""
        _complain(error.format_message().rstrip(".") + hint)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except (OSError, MemoryError, RuntimeError) as error:
        return _machine_or_fault(error, verbose=verbose)
    except Exception as error:
        return _fault(error, verbose=verbose)
    return code if isinstance(code, int) else 0


def _machine_or_fault(error: Exception, *, verbose: bool) -> int:
    """Where neither descriptors nor memory nor threads can be had, anything may fail."""
    from goinst.kernel.refusal import shortage

    short = shortage(error)
    if short is None:
        return _fault(error, verbose=verbose)
    _complain(str(short), traceback.format_exc() if verbose else "")
    return short.exit_code


def _fault(error: Exception, *, verbose: bool) -> int:
    said = f"{type(error).__name__}: {error}"
    if verbose:
        _complain(f"internal error: {said}", traceback.format_exc())
    else:
        _complain(f"internal error: {said}; run again with --verbose for the traceback")
    return 1


def main() -> None:
    """The console script."""
    code = execute(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # nobody reads: keep the interpreter from saying so when it flushes again
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _is_verbose(arguments: Sequence[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--verbose" in own or "-v" in own


def _complain(message: str, detail: str = "") -> None:
    lines = [f"goinst: {' '.join(message.split())}", *detail.rstrip().splitlines()]
    say_error("\n".join(map(printable, lines)))


if __name__ == "__main__":
    main()
