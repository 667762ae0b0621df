"""What a worker's work gets to see: its run's folder, a journal to write to, and whether it should stop."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from bswirl.display import safe_text
from bswirl.errors import CancelledError, InputError
from bswirl.runs.folder import RunFolder, now
from bswirl.runs.journal import JournalWriter, Row, read_journal
from bswirl.runs.locks import FileLock, device_lock_file, lock_holder, this_process
from bswirl.runs.progress import ProgressMeter

_POLL_SECONDS = 1.0


class RunContext:
    """One attempt at a run. Usable from several threads; a context manager that closes the journal.

    `settings` and `config` are what the run was started with and never change.
    """

    def __init__(self, folder: RunFolder, attempt: int = 1) -> None:
        """Raises InputError where the folder's config is missing or broken."""
        self.folder = folder
        self.attempt = attempt
        self.config: dict[str, Any] = folder.read_config()
        self.settings: dict[str, Any] = self.config["settings"]
        self._journal = JournalWriter(folder.journal_file)
        self._writing = threading.Lock()
        self._meter = ProgressMeter(self.emit)
        self._told_to_stop = False
        self._polled_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._journal.close()

    @property
    def run_id(self) -> int:
        """The run's number; 0 while it has none."""
        return self.config.get("run_id") or 0

    @property
    def max_cost(self) -> float | None:
        """What the run may cost in dollars, over all its attempts; None: any amount.

        Raises InputError where the limit that was set for resuming cannot be read.
        """
        file = self.folder.max_cost_file
        try:
            return float(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            limit: float | None = self.settings.get("max_cost")
            return limit
        except (OSError, ValueError) as error:
            raise InputError(
                f"{file}: no amount in dollars", f"`bswirl runs resume {self.run_id} --max-cost X` sets it"
            ) from error

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go; made on first use."""
        self.folder.checkpoints.mkdir(exist_ok=True)
        return self.folder.checkpoints

    @property
    def adapter(self) -> Path:
        """Where a training run's result goes. Write it beside and rename it: whole or absent."""
        return self.folder.adapter

    def input_rows(self) -> Iterator[dict[str, Any]]:
        """The frozen input. Raises InputError where it was changed."""
        return self.folder.input_rows()

    def journal_rows(self) -> Iterator[Row]:
        """Every row written so far, by this attempt and those before it."""
        for row, _ in read_journal(self.folder.journal_file):
            yield row

    def emit(self, *rows: Row) -> None:
        """Appends rows to the journal, in order and durably. Raises OSError where the disk is full."""
        if rows:
            with self._writing:
                self._journal.append(rows)

    def progress(self, done: int, total: int, unit: str = "") -> None:
        """Says how far the run is; call it as often as you like."""
        self._meter.update(done, total, unit)

    def log(self, text: str) -> None:
        """A line with the time, in the run's log and on stderr (once where these are the same file)."""
        line = f"{now()} {safe_text(text)}\n"
        try:
            with self.folder.log_file.open("a", encoding="utf-8") as log:
                log.write(line)
            if not _is_stderr(self.folder.log_file):
                sys.stderr.write(line)
                sys.stderr.flush()
        except OSError:
            pass  # a full disk or a closed terminal must not end the work

    def warn(self, text: str) -> None:
        """A log line that also shows beside the run."""
        self.log(f"warning: {text}")
        self.emit({"t": "warning", "text": text})

    def stop(self) -> None:
        """Makes `cancelled` true from now on."""
        self._told_to_stop = True

    def stop_on_signals(self) -> None:
        """Takes SIGTERM and SIGINT as a wish to stop. Call it in the main thread."""

        def told(_signal: int, _frame: FrameType | None) -> None:
            self.stop()

        signal.signal(signal.SIGTERM, told)
        signal.signal(signal.SIGINT, told)

    def cancelled(self) -> bool:
        """Whether the user wants the run to end; cheap enough for an inner loop."""
        if not self._told_to_stop:
            at = time.monotonic()
            if at - self._polled_at >= _POLL_SECONDS:
                self._polled_at = at
                self._told_to_stop = self.folder.cancel_file.exists()
        return self._told_to_stop

    def check_cancelled(self) -> None:
        """Raises CancelledError where the user wants the run to end."""
        if self.cancelled():
            raise CancelledError("cancelled", f"`bswirl runs resume {self.run_id}` goes on from here")

    @contextmanager
    def device_lock(self, name: str) -> Iterator[None]:
        """Holds a device such as `cuda:0` for this run alone; the CPU is shared and needs no lock.

        While another run has it, the journal says so (`waiting` with the holder, and once more with holder
        null when the wait is over). Raises CancelledError where the user gives up waiting.
        """
        if name.partition(":")[0] == "cpu":
            yield
            return
        lock = FileLock(device_lock_file(name))
        project = self.config.get("project") or str(self.folder.path.parent.parent)
        holder = {**this_process(), "run": self.run_id, "project": project}
        waited = False
        while not lock.acquire(holder, patience=_POLL_SECONDS / 2):
            self.check_cancelled()
            if not waited:
                self._tell_waiting(name, lock_holder(lock.path) or {})
                waited = True
        try:
            if waited:
                self.emit({"t": "waiting", "device": name, "holder": None})
                self.log(f"device {name} is free now")
            yield
        finally:
            lock.release()

    def _tell_waiting(self, device: str, holder: dict[str, Any]) -> None:
        words = f"run {holder.get('run', '?')} of {holder.get('project', 'another project')}"
        self.log(f"device {device} is in use by {words}; waiting")
        self.emit({"t": "waiting", "device": device, "holder": words})


def _is_stderr(path: Path) -> bool:
    """Whether stderr already goes into that file (the launcher sets it up so)."""
    try:
        return path.samefile(f"/proc/self/fd/{sys.stderr.fileno()}")
    except (OSError, ValueError):
        return False
