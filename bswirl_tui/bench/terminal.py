"""A pseudo-terminal with a clock: when what arrives, and how much."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bswirl.errors import BswirlError

COLUMNS, LINES = 120, 40
PATIENCE_SECONDS = 60.0
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[=>])")
_TAIL = 64  # bytes in which a mark that came in two pieces is found


class Terminal:
    """A program at a terminal of its own; times are seconds since it was started."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX")}
        variables |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
        self._started = time.perf_counter()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            with contextlib.suppress(OSError):
                os.execvpe(command[0], list(command), variables)  # noqa: S606
            os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._master)

    def now(self) -> float:
        return time.perf_counter() - self._started

    def read(self, until: float) -> bytes:
        """The next piece of output; empty where none comes in time. Raises BswirlError at its end."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - self.now()))
        if not ready:
            return b""
        try:
            return os.read(self._master, 1 << 16)
        except OSError:
            raise BswirlError("the program at the terminal ended") from None

    def wait_for(self, mark: re.Pattern[bytes], patience: float = PATIENCE_SECONDS) -> float:
        """When the output held the mark. Raises BswirlError where it never does."""
        tail = b""
        until = self.now() + patience
        while self.now() < until:
            tail += self.read(until)
            if mark.search(tail):
                return self.now()
            tail = tail[-(1 << 16) :]
        said = _SEQUENCE.sub(b"", tail)[-200:].decode("utf-8", "replace")
        raise BswirlError(f"the terminal never showed what was waited for; last: {said!r}")

    def wait_for_text(self) -> float:
        """When the first words stood on the screen: letters that are no control sequence."""
        tail = b""
        until = self.now() + PATIENCE_SECONDS
        while self.now() < until:
            tail += self.read(until)
            if re.search(rb"[A-Za-z]{3}", _SEQUENCE.sub(b"", tail)):
                return self.now()
        raise BswirlError("the terminal never showed a word")

    def quiet(self, seconds: float) -> None:
        """Reads until nothing has come for so long, or for a while at most."""
        end = self.now() + 20 * seconds
        while self.now() < end and self.read(self.now() + seconds):
            pass

    def drain(self, seconds: float) -> None:
        """Reads for so long."""
        end = self.now() + seconds
        while self.now() < end:
            self.read(end)

    def press(self, key: bytes, mark: re.Pattern[bytes], pause: float) -> tuple[float | None, int]:
        """Seconds from a key to the mark in the output (None: it did not come), and the bytes sent.

        Takes `pause` seconds in all; what is sent in them counts, whatever it was sent for.
        """
        began = self.now()
        os.write(self._master, key)
        arrived, sent, tail = None, 0, b""
        while self.now() < began + pause:
            piece = self.read(began + pause)
            sent += len(piece)
            tail = tail[-_TAIL:] + piece
            if arrived is None and mark.search(tail):
                arrived = self.now() - began
        return arrived, sent

    def send(self, key: bytes) -> None:
        os.write(self._master, key)

    def resident_bytes(self) -> int:
        """Memory that the program holds, without what it swapped out."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
        return next((int(row.split()[1]) * 1024 for row in lines if row.startswith("VmRSS:")), 0)

    def ended(self) -> int:
        """Waits for the program to end; its exit code."""
        with contextlib.suppress(BswirlError):
            while True:
                self.read(self.now() + PATIENCE_SECONDS)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)
