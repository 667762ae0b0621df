"""Real owner processes, and a bare client for their socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bswirl import __version__
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl.protocol import PROTOCOL_VERSION, LineSocket, raise_error
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import FileLock

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


def owner_command(project: Project) -> list[str]:
    return [sys.executable, "-m", "bswirl.owner", str(project.root)]


def environment(idle: float = 60.0, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "BSWIRL_OWNER_IDLE": str(idle), **more}


def start_owner(project: Project, idle: float = 60.0, **more: str) -> subprocess.Popen[str]:
    """An owner that answers already."""
    process = spawn_owner(project, idle, **more)
    wait_for(lambda: project.socket_record.exists() or process.poll() is not None)
    if process.poll() is not None:
        raise AssertionError(f"the owner ended: {process.communicate()[1]}")
    return process


def spawn_owner(project: Project, idle: float = 60.0, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        owner_command(project), env=environment(idle, **more), stderr=subprocess.PIPE, text=True
    )


def kill(
    process: subprocess.Popen[str], number: int = signal.SIGKILL, project: Project | None = None
) -> None:
    """Ends a process; after a kill -9 the stale socket record goes, so that waiting for a new one works."""
    process.send_signal(number)
    process.communicate()
    if project is not None and number == signal.SIGKILL:
        project.socket_record.unlink(missing_ok=True)


@contextmanager
def owner_of(project: Project, idle: float = 60.0, **more: str) -> Iterator[subprocess.Popen[str]]:
    process = start_owner(project, idle, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            kill(process, signal.SIGTERM)


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `condition` gives once that is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


class Wire:
    """A connection that speaks the protocol and no more."""

    def __init__(self, project: Project, auditor: str = "ann", *, hello: bool = True) -> None:
        self.raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.raw.settimeout(PATIENCE)
        self.raw.connect(project.socket_record.read_text().strip())
        self.lines = LineSocket(self.raw)
        self._number = 0
        if hello:
            self.call("hello", protocol=PROTOCOL_VERSION, version=__version__, auditor=auditor)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.lines.close()

    def call(self, method: str, **params: Any) -> Any:
        return self.stream(method, **params)[1]

    def stream(self, method: str, **params: Any) -> tuple[list[Any], Any]:
        """The rows and the result."""
        self._number += 1
        self.lines.send({"id": self._number, "method": method, "params": params})
        return self.answer()

    def upload(self, method: str, parts: Sequence[list[Any]], **params: Any) -> Any:
        self._number += 1
        for part in parts:
            self.lines.send({"id": self._number, "rows": part})
        self.lines.send({"id": self._number, "method": method, "params": params})
        return self.answer()[1]

    def answer(self) -> tuple[list[Any], Any]:
        rows: list[Any] = []
        while True:
            reply = self.lines.receive()
            if "event" in reply:
                continue
            if "error" in reply:
                raise_error(reply["error"])
            if "rows" not in reply:
                return rows, reply["result"]
            rows += reply["rows"]

    def questions(self, count: int) -> None:
        rows = [
            {
                "dataset": "toy",
                "split": "train",
                "external_id": f"q{n}",
                "text": f"Q{n}?",
                "gold": "24",
                "solution": None,
            }
            for n in range(1, count + 1)
        ]
        self.upload("import_questions", [rows])

    def register(
        self, project: Project, kind: str = "generate", rows: Sequence[dict[str, Any]] = ({},)
    ) -> dict[str, Any]:
        """A run as a client makes it, without a worker."""
        run_uid = str(uuid.uuid4())
        draft = RunFolder.create(
            project.runs_folder / f".new-{run_uid}",
            kind=kind,
            name=kind,
            run_uid=run_uid,
            rows=rows,
            settings={},
        )
        config = draft.read_config()
        run: dict[str, Any] = self.call(
            "run_register",
            run_uid=run_uid,
            kind=kind,
            name=kind,
            config=config,
            input_sha=config["input_sha256"],
        )
        return run


def append(folder: str | Path, *rows: dict[str, Any] | bytes) -> None:
    """Appends to a run's journal."""
    data = b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
    with (Path(folder) / "journal.jsonl").open("ab") as journal:
        journal.write(data)


@contextmanager
def worker_of(folder: str | Path) -> Iterator[None]:
    """Holds a run's folder as its worker does."""
    lock = FileLock(RunFolder(Path(folder)).lock_file)
    assert lock.acquire({"pid": os.getpid(), "host": socket.gethostname()}, patience=3.0)
    try:
        yield
    finally:
        lock.release()


__all__ = [
    "BswirlError",
    "Wire",
    "append",
    "kill",
    "owner_of",
    "spawn_owner",
    "start_owner",
    "wait_for",
    "worker_of",
]
