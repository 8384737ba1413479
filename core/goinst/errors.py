"""Everything goinst raises on purpose: one root, few leaves, each message says what, where and what next."""

from __future__ import annotations

__all__ = [
    "BinaryError",
    "BuildError",
    "GoinstError",
    "MachineError",
    "PluginError",
    "TargetError",
    "UsageError",
]


class GoinstError(Exception):
    """Root of all deliberate errors.

    ``exit_code`` is what the command line exits with: 2 usage, 3 this machine can't, 4 nothing to instrument.
    ``str(error)`` is one line; ``detail`` may hold more (a compiler or verifier log), shown by ``--verbose``.
    """

    exit_code = 1

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class UsageError(GoinstError):
    """The command line or the configuration file asks for something that makes no sense."""

    exit_code = 2


class MachineError(GoinstError):
    """This machine cannot do it: privilege, kernel, BCC."""

    exit_code = 3


class TargetError(GoinstError):
    """There is nothing to instrument: no such process, no match, all plugins switched off."""

    exit_code = 4


class BinaryError(TargetError):
    """The file is not a Go program that can be analysed."""


class PluginError(GoinstError):
    """A plugin is broken; it is named, switched off, and the rest goes on."""

    exit_code = 4

    def __init__(self, plugin: str, message: str, *, detail: str = "") -> None:
        super().__init__(f"plugin {plugin}: {message}", detail=detail)
        self.plugin = plugin


class BuildError(GoinstError):
    """BPF source did not compile or a program did not pass the verifier."""

    exit_code = 3
