"""One attempt at a run: `python -m bswirl.worker FOLDER`. Needs the run's folder and nothing else.

It takes the folder's lock, does the work of the run's kind, and ends the journal with how that went.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bswirl import __version__
from bswirl.display import safe_text
from bswirl.errors import BswirlError, CancelledError, ExitCode, InputError
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder, now
from bswirl.runs.journal import read_journal
from bswirl.runs.locks import FileLock, lock_holder, this_process

WORK = {
    "generate": "bswirl.generation.work",
    "judge": "bswirl.judging.work",
    "train": "bswirl.training.work",
    "evaluate": "bswirl.evaluation.work",
}
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_LOCK_PATIENCE_SECONDS = 3.0  # others probe the lock by taking it for an instant
_RESERVE_BYTES = 1 << 16


def main(folder: str | os.PathLike[str]) -> int:
    """Works on the run in `folder` until it is done, fails or is cancelled. Returns the exit code.

    Never raises: where it cannot even begin, it says why on stderr and leaves the journal alone. Only for
    the main thread.
    """
    run = RunFolder(Path(folder).expanduser().resolve())
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)  # who sees the lock may signal before we can listen
    try:
        with _locked(run), _opened(run) as context:
            context.stop_on_signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            return _attempt(context)
    except BswirlError as error:
        return _refuse(str(error), error.exit_code)
    except OSError as error:
        return _refuse(str(_full_disk(error, run) or error), ExitCode.FAILED)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


@contextlib.contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    config = folder.read_config()
    if config["kind"] not in WORK:
        raise InputError(
            f"{folder.config_file}: runs of kind {config['kind']!r} have no work", "update bswirl"
        )
    lock = FileLock(folder.lock_file)
    if not lock.acquire(this_process(), patience=_LOCK_PATIENCE_SECONDS):
        pid = (lock_holder(folder.lock_file) or {}).get("pid", "unknown")
        run_id = config.get("run_id") or folder.path
        raise BswirlError(f"run {run_id} is already being worked on by pid {pid}", "wait for it or cancel it")
    try:
        yield
    finally:
        lock.release()


def _opened(folder: RunFolder) -> RunContext:
    """The context of the next attempt. A cancel marker from before this process is an old one."""
    with contextlib.suppress(FileNotFoundError):
        if folder.cancel_file.stat().st_mtime < _process_started_at():
            folder.cancel_file.unlink()
    return RunContext(folder, _next_attempt(folder))


def _next_attempt(folder: RunFolder) -> int:
    try:
        return 1 + sum(1 for row, _ in read_journal(folder.journal_file) if row.get("t") == "start")
    except FileNotFoundError:
        return 1


def _process_started_at() -> float:
    """When this process began, in seconds since the epoch; now where the system does not say."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - (uptime - started / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return time.time()


def _attempt(context: RunContext) -> int:
    """Does the work between a start row and an end row."""
    _reserve(context.folder)
    context.emit(
        {
            "t": "start",
            "attempt": context.attempt,
            **this_process(),
            "at": now(),
            "code_version": __version__,
        }
    )
    context.log(
        f"{context.config['kind']} run {context.run_id}, attempt {context.attempt}, pid {os.getpid()}"
    )
    try:
        context.check_cancelled()
        work = importlib.import_module(WORK[context.config["kind"]])
        summary: dict[str, Any] = work.run(context)
    except BaseException as error:  # noqa: BLE001 - whatever it was, the journal must say so
        return _fail(context, error)
    return _end(context, "done", ExitCode.DONE, summary=summary)


def _fail(context: RunContext, error: BaseException) -> int:
    """Ends the attempt with what went wrong."""
    if isinstance(error, CancelledError | KeyboardInterrupt):
        context.log("cancelled")
        return _end(context, "cancelled", ExitCode.CANCELLED)
    error = _full_disk(error, context.folder) or error
    if isinstance(error, BswirlError):
        context.log(f"failed: {error}")
        return _end(context, "failed", error.exit_code, error=str(error))
    context.log("".join(traceback.format_exception(error)))
    if "out of memory" in str(error).lower() or isinstance(error, MemoryError):
        words = "out of memory — use a smaller batch, or another device"
    else:
        words = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:500]}".rstrip(": ")
    return _end(context, "failed", ExitCode.FAILED, error=words)


def _end(
    context: RunContext, status: str, code: ExitCode, *, error: str | None = None, summary: Any = None
) -> int:
    context.folder.reserve_file.unlink(missing_ok=True)
    row = {
        "t": "end",
        "status": status,
        "error": error,
        "exit_code": int(code),
        "summary": summary or {},
        "at": now(),
    }
    try:
        context.emit(row)
    except OSError as failure:
        return _refuse(str(_full_disk(failure, context.folder) or failure), ExitCode.FAILED)
    if status == "done":
        context.log("done")
    return int(code)


def _reserve(folder: RunFolder) -> None:
    """Sets a little disk space aside that `_end` gives back before it writes."""
    with contextlib.suppress(OSError), folder.reserve_file.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)


def _full_disk(error: BaseException, folder: RunFolder) -> BswirlError | None:
    """What to say where a full disk is the reason; libraries wrap the system's error in their own."""
    if getattr(error, "errno", None) in _NO_SPACE or "No space left on device" in str(error):
        return BswirlError(
            f"no space left on the disk of {folder.path}", "free some space, then resume the run"
        )
    return None


def _refuse(words: str, code: ExitCode) -> int:
    sys.stderr.write(f"bswirl: {safe_text(words, one_line=True)}\n")
    return int(code)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(_refuse("usage: python -m bswirl.worker FOLDER", ExitCode.USAGE))
    sys.exit(main(sys.argv[1]))
