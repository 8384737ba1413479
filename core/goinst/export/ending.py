"""Why a run, or a replay, came to its end: the word that its summary has under ``ended``."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Ending"]


class Ending(StrEnum):
    """Each is what JSON lines say; run.wording has sentences."""

    ENOUGH = "enough spans"
    CLOSED = "the output was closed"
    NO_OUTPUT = "no output is left"
    COMMAND = "the command ended"
    PROCESSES = "all processes ended"
    RECORDING = "the recording ended"
    DURATION = "duration"
    QUIT = "quit"
    SIGINT = "SIGINT"
    SIGTERM = "SIGTERM"
    SIGHUP = "SIGHUP"
