"""Reaching the owner of a project, and starting it where none answers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from bswirl.client.spawn import owner_environment, spawn_module
from bswirl.errors import BswirlError, ExitCode, InputError, UsageError
from bswirl.project import Project
from bswirl.runs.locks import FileLock, is_local_process, lock_holder, this_process

START_SECONDS = 30.0
SILENT_OWNER_SECONDS = 10.0
_POLL_SECONDS = 0.02


class NoOwnerError(BswirlError):
    """No owner answers, and none was to be started."""


def reach_owner(project: Project, *, start: bool = True) -> socket.socket:
    """A connection to the project's owner, which is started where none answers.

    Raises NoOwnerError where there is none and `start` is false, and the owner's own error, as the kind it
    is, where it cannot start.
    """
    connection = _try_connect(project)
    if connection is not None:
        return connection
    if not start:
        raise NoOwnerError("no owner is running for this project", "any bswirl command on it starts one")
    lock = FileLock(project.start_lock)
    try:
        project.state_folder.mkdir(exist_ok=True)
        if not lock.acquire(this_process(), patience=2 * START_SECONDS):
            raise BswirlError(
                "another client has been starting this project's owner for a minute",
                f"see {project.owner_log}, then try again",
            )
        return _try_connect(project) or _start(project)
    except OSError as error:
        raise BswirlError(
            f"cannot start the owner: {project.state_folder}: {error.strerror or error}",
            "the project's folder must be writable, on a disk with free space",
        ) from error
    finally:
        lock.release()


def stop_owner(project: Project) -> bool:
    """Asks the owner by signal to end and waits until it has; False where none was running.

    Raises BswirlError where it does not end, or runs on another machine.
    """
    holder = lock_holder(project.owner_lock)
    if holder is None:
        return False
    if not is_local_process(holder):
        raise BswirlError(
            f"the project's owner runs on {holder.get('host', 'another machine')}", "stop it there"
        )
    try:
        os.kill(holder["pid"], signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise BswirlError(
            f"the project's owner (pid {holder['pid']}) is another user's", "ask them"
        ) from error
    wait_until_stopped(project)
    return True


def wait_until_stopped(project: Project) -> None:
    """Waits until the owner has let go of the project. Raises BswirlError where it does not."""
    deadline = time.monotonic() + START_SECONDS
    while (holder := lock_holder(project.owner_lock)) is not None:
        if time.monotonic() >= deadline:
            pid = holder.get("pid", "unknown")
            raise BswirlError(f"the project's owner (pid {pid}) does not end", f"`kill -9 {pid}` does")
        time.sleep(_POLL_SECONDS)


def _try_connect(project: Project) -> socket.socket | None:
    try:
        recorded = project.socket_record.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not recorded:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(recorded)
    except OSError:
        connection.close()
        return None
    return connection


def _start(project: Project) -> socket.socket:
    """Starts an owner and connects to it; the caller holds the start lock."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        connection = _wait_for_predecessor(project)
        if connection is not None:
            return connection
        errors = project.state_folder / "owner.err"
        errors.unlink(missing_ok=True)  # it may be another's, where a group shares the project
        with errors.open("wb") as output:
            process = spawn_module(
                "bswirl.owner", [str(project.root)], environment=owner_environment(os.environ), output=output
            )
        connection = _wait_for_answer(project, process, deadline)
        if connection is not None:
            return connection
        if lock_holder(project.owner_lock) is None or time.monotonic() >= deadline:
            raise _start_error(project, process, errors)


def _wait_for_answer(
    project: Project, process: subprocess.Popen[bytes], deadline: float
) -> socket.socket | None:
    """A connection as soon as the process answers; None where it ends first. Raises where it does neither."""
    while process.poll() is None:
        connection = _try_connect(project)
        if connection is not None:
            return connection
        if time.monotonic() >= deadline:
            process.terminate()
            raise BswirlError(
                f"the owner did not answer within {START_SECONDS:.0f} s", f"see {project.owner_log}"
            )
        time.sleep(_POLL_SECONDS)
    return None


def _wait_for_predecessor(project: Project) -> socket.socket | None:
    """Waits while an owner that does not answer holds the project: it is about to start or to end.

    One whose socket stays away (a logout can remove it) is told to end. Raises BswirlError where it does not.
    """
    asked_at = time.monotonic()
    while (holder := lock_holder(project.owner_lock)) is not None:
        connection = _try_connect(project)
        if connection is not None:
            return connection
        if time.monotonic() - asked_at >= SILENT_OWNER_SECONDS:
            if not is_local_process(holder):
                raise BswirlError(
                    f"another machine ({holder.get('host', 'unknown')}) has this project open",
                    "work there, or stop its owner with `bswirl owner stop`",
                )
            stop_owner(project)
            return None
        time.sleep(_POLL_SECONDS * 5)
    return None


def _start_error(project: Project, process: subprocess.Popen[bytes], errors: Path) -> BswirlError:
    """What a starting owner said on stderr before it ended, as the kind of error its exit code names."""
    text = errors.read_text("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = lines[-1].removeprefix("bswirl: ") if lines else f"it ended with code {process.returncode}"
    kinds: dict[int | None, type[BswirlError]] = {
        ExitCode.BAD_INPUT: InputError,
        ExitCode.USAGE: UsageError,
    }
    kind = kinds.get(process.returncode)
    if kind is not None:
        said, _, remedy = message.partition(" — ")
        return kind(said, remedy)
    log = errors if "Traceback" in text else project.owner_log
    return BswirlError(f"cannot start the owner: {message}", f"see {log}")
