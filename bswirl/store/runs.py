"""Runs in the store: registering, restarting, listing, and how each of them stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bswirl.errors import InputError, UsageError
from bswirl.records import LIVE_STATUSES, RUN_KINDS, Progress, Run
from bswirl.store.database import Cursor, iso, moment, utc_now
from bswirl.store.writing import StoreWriter

RESUMABLE = ("lost", "failed", "cancelled")
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{7,63}")

_COLUMNS = (
    "run_id, run_uid, kind, name, status, config, folder, attempt, created_by, created_at, ended_at,"
    " exit_code, error, done, total, unit, rate, summary, warnings, waiting"
)


@dataclass(slots=True)
class RunStanding:
    """The part of a run's row that its journal decides."""

    run_id: int
    run_uid: str
    kind: str
    status: str
    attempt: int
    queued_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None
    done: int | None = None
    total: int | None = None
    unit: str | None = None
    rate: float | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    waiting: str | None = None
    pid: int | None = None
    host: str | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE_STATUSES


def check_run_uid(run_uid: str) -> None:
    """Raises UsageError where the uid could not be part of a folder's name."""
    if not _UID.fullmatch(run_uid):
        raise UsageError(f"`{run_uid}` is no run uid", "use a UUID")


def register_run(
    writer: StoreWriter,
    *,
    run_uid: str,
    kind: str,
    name: str,
    config: dict[str, Any],
    input_sha: str | None,
    created_by: str,
    status: str = "queued",
) -> int:
    """Gives a new run its number; the same uid again gives the same number.

    It was created when its config says so, else now. Raises UsageError on an unknown kind or unfit uid.
    """
    check_run_uid(run_uid)
    if kind not in RUN_KINDS:
        raise UsageError(f"`{kind}` is no kind of run", f"kinds are {', '.join(RUN_KINDS)}")
    known = writer.cursor.execute("SELECT run_id FROM runs WHERE run_uid = ?", [run_uid]).fetchone()
    if known:
        return int(known[0])
    run_id = writer.numbers.next("runs")
    now = utc_now()
    created = moment(str(config.get("created_at"))) or now
    folder = "" if kind == "import" else f"runs/{run_id}"
    writer.cursor.execute(
        "INSERT INTO runs (run_id, run_uid, kind, name, config, input_sha, created_by, status, attempt,"
        " folder, created_at, queued_at, summary, warnings)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, '{}', '[]')",
        [
            run_id,
            run_uid,
            kind,
            name,
            json.dumps(config),
            input_sha,
            created_by,
            status,
            folder,
            created,
            now,
        ],
    )
    writer.cursor.execute("INSERT INTO ingest_offsets VALUES (?, 0, 0)", [run_id])
    writer.touch("runs", runs=[run_id])
    return run_id


def restart_run(writer: StoreWriter, run_id: int) -> None:
    """Queues a run for another attempt. Raises InputError where it is not lost, failed or cancelled."""
    standing = standing_of(writer.cursor, run_id)
    if standing.status not in RESUMABLE or standing.kind == "import":
        raise InputError(
            f"run {run_id} is {standing.status}", f"only {', '.join(RESUMABLE)} runs can be resumed"
        )
    standing.status = "queued"
    standing.queued_at = utc_now()
    standing.ended_at = standing.exit_code = standing.error = standing.waiting = None
    save_standing(writer, standing)


def standing_of(cursor: Cursor, run_id: int) -> RunStanding:
    """How a run stands. Raises InputError where there is none of that number."""
    names = [
        "run_id", "run_uid", "kind", "status", "attempt", "queued_at", "ended_at", "exit_code", "error",
        "done", "total", "unit", "rate", "summary", "warnings", "waiting", "pid", "host",
    ]  # fmt: skip
    row = cursor.execute(f"SELECT {', '.join(names)} FROM runs WHERE run_id = ?", [run_id]).fetchone()
    if row is None:
        raise no_run(run_id)
    values = dict(zip(names, row, strict=True))
    return RunStanding(
        **{
            **values,
            "summary": json.loads(values["summary"]),
            "warnings": json.loads(values["warnings"]),
        }
    )


def save_standing(writer: StoreWriter, standing: RunStanding) -> None:
    """Writes how a run stands."""
    values = {
        "status": standing.status,
        "attempt": standing.attempt,
        "queued_at": standing.queued_at,
        "ended_at": standing.ended_at,
        "exit_code": standing.exit_code,
        "error": standing.error,
        "done": standing.done,
        "total": standing.total,
        "unit": standing.unit,
        "rate": standing.rate,
        "summary": json.dumps(standing.summary),
        "warnings": json.dumps(standing.warnings),
        "waiting": standing.waiting,
        "pid": standing.pid,
        "host": standing.host,
    }
    assignments = ", ".join(f"{name} = ?" for name in values)
    writer.cursor.execute(
        f"UPDATE runs SET {assignments} WHERE run_id = ?", [*values.values(), standing.run_id]
    )
    writer.touch("runs", runs=[standing.run_id])


def list_runs(cursor: Cursor, root: Path, kind: str | None = None, limit: int = 200) -> list[Run]:
    """The newest runs, newest first. `root` is the project's folder."""
    rows = cursor.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE ?::VARCHAR IS NULL OR kind = ? ORDER BY run_id DESC LIMIT ?",
        [kind, kind, limit],
    ).fetchall()
    return [_run(row, root) for row in rows]


def find_run(cursor: Cursor, root: Path, run_id: int) -> Run:
    """A run by number. Raises InputError where there is none."""
    row = cursor.execute(f"SELECT {_COLUMNS} FROM runs WHERE run_id = ?", [run_id]).fetchone()
    if row is None:
        raise no_run(run_id)
    return _run(row, root)


def run_id_of(cursor: Cursor, run_uid: str) -> int | None:
    """The number of the run with that uid."""
    row = cursor.execute("SELECT run_id FROM runs WHERE run_uid = ?", [run_uid]).fetchone()
    return int(row[0]) if row else None


def run_exists(cursor: Cursor, run_id: int) -> bool:
    """Whether there is a run of that number."""
    return cursor.execute("SELECT 1 FROM runs WHERE run_id = ?", [run_id]).fetchone() is not None


def no_run(run_id: int) -> InputError:
    """The error for a run number that nothing has."""
    return InputError(f"there is no run {run_id}", "`bswirl runs list` shows the numbers")


def _run(row: tuple[Any, ...], root: Path) -> Run:
    (
        run_id, run_uid, kind, name, status, config, folder, attempt, created_by, created_at, ended_at,
        exit_code, error, done, total, unit, rate, summary, warnings, waiting,
    ) = row  # fmt: skip
    shown = json.loads(summary)
    if warnings != "[]":
        shown["warnings"] = json.loads(warnings)
    if waiting:
        shown["waiting"] = waiting
    return Run(
        run_id=run_id,
        run_uid=run_uid,
        kind=kind,
        name=name,
        status=status,
        config=json.loads(config),
        folder=str(root / folder) if folder else "",
        attempt=attempt,
        created_by=created_by,
        created_at=iso(created_at),
        ended_at=iso(ended_at) or None,
        exit_code=exit_code,
        error=error,
        progress=None if total is None else Progress(done or 0, total, unit or "", rate or 0.0),
        summary=shown,
    )
