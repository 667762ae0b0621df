"""`python -m bswirl.owner PROJECT`: serves one project until it is stopped or idle."""

from __future__ import annotations

import logging
import logging.handlers
import os
import signal
import sys
from pathlib import Path

from bswirl import __version__
from bswirl.display import safe_text
from bswirl.errors import BswirlError, ExitCode, InputError, UsageError
from bswirl.owner.endpoint import refuse_network_file_system, shared_group
from bswirl.project import Project
from bswirl.runs.locks import FileLock, lock_holder, this_process

IDLE_VARIABLE = "BSWIRL_OWNER_IDLE"
IDLE_SECONDS = 30.0
LOG_BYTES = 2 << 20
SWITCH_SECONDS = 0.0005  # a read must not wait long for the interpreter while a journal is parsed
SHARED_UMASK = 0o007  # what the owner makes is its group's to go on with
LOCK_PATIENCE_SECONDS = 0.5  # clients probe the lock by taking it for an instant

_log = logging.getLogger("bswirl.owner")


def main(arguments: list[str]) -> int:
    """Runs the owner and returns its exit code; why it could not start stands on stderr, in one line."""
    try:
        return _own(arguments)
    except BswirlError as error:
        return _refuse(str(error), error.exit_code)
    except OSError as error:
        _log.exception("the owner could not start")
        place = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{place}{error.strerror or error}", ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - whoever started it gets one line
        _log.exception("the owner failed")
        return _refuse(f"the owner failed: {type(error).__name__}: {error}", ExitCode.FAILED)


def _own(arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise UsageError("usage: python -m bswirl.owner PROJECT")
    idle = _idle_seconds()
    project = Project.open(Path(arguments[0]))
    refuse_network_file_system(project)
    project.state_folder.mkdir(exist_ok=True)
    if shared_group(project) is not None:
        os.umask(SHARED_UMASK)
    project.runs_folder.mkdir(exist_ok=True)
    lock = FileLock(project.owner_lock)
    if not lock.acquire(this_process(), patience=LOCK_PATIENCE_SECONDS):
        holder = lock_holder(project.owner_lock) or {}
        raise InputError(
            f"another owner (pid {holder.get('pid', 'unknown')}) serves {project.root}",
            "it answers every client; `bswirl owner stop` ends it",
        )
    try:
        _log_to(project)
        return _serve(project, idle)
    finally:
        lock.release()


def _serve(project: Project, idle: float) -> int:
    from bswirl.owner.server import Owner

    sys.setswitchinterval(SWITCH_SECONDS)
    owner = Owner(project)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: owner.request_stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    owner.serve(idle)
    if owner.failure is not None:
        raise BswirlError(owner.failure, "check the disk's free space; the next command starts a new owner")
    return int(ExitCode.DONE)


def _idle_seconds() -> float:
    text = os.environ.get(IDLE_VARIABLE, "")
    try:
        return float(text) if text else IDLE_SECONDS
    except ValueError as error:
        raise UsageError(f"{IDLE_VARIABLE}={text} is no number", "give it in seconds") from error


def _log_to(project: Project) -> None:
    handler = logging.handlers.RotatingFileHandler(
        project.owner_log, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    _log.info("bswirl %s, pid %d", __version__, os.getpid())


def _refuse(words: str, code: ExitCode) -> int:
    sys.stderr.write(f"bswirl: {safe_text(words, one_line=True)}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
