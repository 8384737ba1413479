"""goinst on a terminal that a test can look at: tmux."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

__all__ = ["Terminal"]


class Terminal:
    """goinst on an 80 x 24 terminal of tmux."""

    def __init__(self, *arguments: str) -> None:
        self._name = f"goinst-{uuid.uuid4().hex[:8]}"
        command = ["env", "NO_COLOR=1", "LANG=C.UTF-8", str(Path(sys.executable).with_name("goinst")), *arguments]
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", "80", "-y", "24", *command)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], capture_output=True, text=True, timeout=20)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def until(self, done: Callable[[str], bool], what: str, seconds: float = 20) -> str:
        """The screen, as soon as it is as wanted."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            screen = self._tmux("capture-pane", "-p", check=False)
            if done(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"never {what}:\n{screen}")

    def ended(self) -> bool:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if subprocess.run(["tmux", "-L", self._name, "has-session"], capture_output=True).returncode:
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        self._tmux("kill-server", check=False)
