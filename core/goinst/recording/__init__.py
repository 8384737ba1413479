"""Records on disk: written while a program is traced, read again at any time, on any machine."""

from __future__ import annotations

from goinst.recording.file import RotatingFile
from goinst.recording.reader import Recording, open_recordings
from goinst.recording.replay import Replay
from goinst.recording.writer import Recorder

__all__ = ["Recorder", "Recording", "Replay", "RotatingFile", "open_recordings"]
