"""The app inside tmux: the session lives on when the line of whoever looks at it drops."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.tui.terminal import PATIENCE_SECONDS, Pty, command_for, variables_for

TMUX = shutil.which("tmux")


class Tmux:
    """A tmux server of its own with one session, in which the app runs on that project."""

    def __init__(self, project: Path, size: tuple[int, int] = (100, 30)) -> None:
        assert TMUX is not None
        self._size = size
        self._variables = variables_for(project)
        self._variables.pop("TMUX", None)
        self._base = [TMUX, "-S", str(project.parent / "tmux"), "-f", os.devnull]
        command = command_for(project, ("-m", "bswirl.cli"), ("--no-tour",))
        columns, rows = map(str, size)
        self._tell("new-session", "-d", "-s", "audit", "-x", columns, "-y", rows, *command)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.lives:
            self._tell("kill-server")

    def _tell(self, *words: str) -> str:
        told = [*self._base, *words]
        return subprocess.run(told, env=self._variables, check=True, capture_output=True, text=True).stdout

    def attached(self) -> Pty:
        """Somebody's terminal, showing the session; closing it is a line that drops."""
        return Pty([*self._base, "attach-session", "-t", "audit"], self._variables, self._size)

    @property
    def lives(self) -> bool:
        """Whether the app runs: the session ends with it."""
        asked = subprocess.run(
            [*self._base, "has-session", "-t", "audit"], env=self._variables, check=False, capture_output=True
        )
        return asked.returncode == 0

    def shown(self) -> str:
        """What the session shows, whether anybody looks or not."""
        return self._tell("capture-pane", "-p", "-t", "audit")

    def ended(self) -> None:
        """Waits for the app to end."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.lives:
            assert time.monotonic() < end, self.shown()
            time.sleep(0.1)
