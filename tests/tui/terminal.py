"""The app in a real pseudo-terminal, as a process of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0
SURROUNDINGS = {"NO_COLOR", "TMUX", "STY"}  # of whoever runs the tests


class Pty:
    """A process at the far end of a pseudo-terminal; the tests are the person in front of it."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], size: tuple[int, int]) -> None:
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, variables)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._status: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def wait_for(self, words: bytes) -> None:
        """Reads until the terminal was sent these bytes."""
        end = time.monotonic() + PATIENCE_SECONDS
        while words not in self.output:
            assert time.monotonic() < end, self.output[-2000:]
            self.read(0.1)

    def read(self, seconds: float) -> bytes:
        """What comes within that time."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return b""
        self.output += data
        return data

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def close(self) -> None:
        """The line drops."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def ended(self) -> int:
        """Waits for the process to end; its exit code."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._status is None:
            assert time.monotonic() < end, "the app did not end"
            if self.master >= 0:
                self.read(0.05)
            else:
                time.sleep(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


class Terminal(Pty):
    """`bswirl -p PROJECT` at a terminal."""

    def __init__(
        self,
        project: Path,
        size: tuple[int, int] = (100, 30),
        runner: Sequence[str] = ("-m", "bswirl.cli"),
        options: Sequence[str] = ("--no-tour", "--fresh"),
        **environment: str,
    ) -> None:
        super().__init__(command_for(project, runner, options), variables_for(project) | environment, size)


def command_for(project: Path, runner: Sequence[str], options: Sequence[str]) -> list[str]:
    """What opens the app on that project."""
    return [sys.executable, *runner, "-p", str(project), *options]


def variables_for(project: Path) -> dict[str, str]:
    """The environment for it: this source, and a memory beside the project."""
    keep = {name: value for name, value in os.environ.items() if name not in SURROUNDINGS}
    keep |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    return keep | {"XDG_STATE_HOME": str(project.parent / "state")}
