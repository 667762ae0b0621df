"""Following journals: what workers append goes into the store, and runs without a worker become `lost`."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bswirl.owner.writer import WriterThread
from bswirl.project import Project
from bswirl.records import LIVE_STATUSES
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import lock_holder
from bswirl.store.database import Cursor, utc_now
from bswirl.store.ingest import ingest, ingested_up_to, split_lines
from bswirl.store.runs import save_standing, standing_of
from bswirl.store.writing import StoreWriter

TICK_SECONDS = 0.1
RESCAN_SECONDS = 2.0  # all runs, also ended ones: somebody may work on them by hand
LOCK_CHECK_SECONDS = 1.0
QUEUED_GRACE_SECONDS = 20.0  # a worker may take that long to appear
PIECE_BYTES = 1 << 18  # of a journal in one transaction; about a tenth of a second
LONGEST_LINE = 1 << 28

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Followed:
    run_id: int
    folder: RunFolder
    status: str
    queued_at: datetime
    offset: int
    checked_at: float = 0.0

    @property
    def live(self) -> bool:
        return self.status in LIVE_STATUSES


class Tailer:
    """Polls the journals of all runs, those of live ones ten times a second."""

    def __init__(
        self,
        project: Project,
        cursor: Cursor,
        writer: WriterThread,
        *,
        queued_grace: float = QUEUED_GRACE_SECONDS,
    ) -> None:
        self._project = project
        self._cursor = cursor
        self._writer = writer
        self._grace = timedelta(seconds=queued_grace)
        self._stopping = threading.Event()
        self._runs_changed = threading.Event()
        self._followed: dict[int, _Followed] = {}
        self._has_live = True
        self._thread = threading.Thread(target=self._loop, name="tailer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def notice(self) -> None:
        """The list of runs or their statuses changed."""
        self._runs_changed.set()

    @property
    def has_live_runs(self) -> bool:
        return self._has_live

    def catch_up(self, run_id: int, folder: RunFolder) -> None:
        """Ingests a run's journal as it is now, and sees whether its worker is gone. For any thread."""
        followed = self._writer.write(lambda store: _followed(store, run_id, folder))
        while self._ingest_piece(followed):
            pass
        self._check_worker(followed)

    def _loop(self) -> None:
        rescan_at = 0.0
        while not self._stopping.is_set():
            try:
                now = time.monotonic()
                if self._runs_changed.is_set() or now >= rescan_at:
                    self._runs_changed.clear()
                    everyone = now >= rescan_at
                    rescan_at = now + RESCAN_SECONDS if everyone else rescan_at
                    self._list_runs()
                    busy = self._poll(everyone=everyone)
                else:
                    busy = self._poll(everyone=False)
            except Exception:  # noqa: BLE001 - it must go on when the trouble is over
                if self._stopping.is_set():
                    return
                _log.exception("following the journals failed")
                self._stopping.wait(RESCAN_SECONDS)
                continue
            if not busy:
                self._stopping.wait(TICK_SECONDS)

    def _list_runs(self) -> None:
        rows = self._cursor.execute(
            "SELECT run_id, folder, status, queued_at, byte_offset FROM runs"
            " JOIN ingest_offsets USING (run_id) WHERE kind <> 'import'"
        ).fetchall()
        before = self._followed
        self._followed = {}
        for run_id, folder, status, queued_at, offset in rows:
            run = _Followed(run_id, RunFolder(self._project.root / folder), status, queued_at, offset)
            if run_id in before:
                run.checked_at = before[run_id].checked_at
            self._followed[run_id] = run
        self._has_live = any(run.live for run in self._followed.values())

    def _poll(self, *, everyone: bool) -> bool:
        """Looks at each journal once; returns whether there was anything new."""
        busy = False
        for run in list(self._followed.values()):
            if self._stopping.is_set():
                return False
            if not run.live and not everyone:
                continue
            if self._ingest_piece(run):
                busy = True
            elif run.live and time.monotonic() - run.checked_at >= LOCK_CHECK_SECONDS:
                run.checked_at = time.monotonic()
                self._check_worker(run)
        return busy

    def _ingest_piece(self, run: _Followed) -> bool:
        """Ingests the next piece of a journal; False where there is none."""
        data = read_piece(run.folder.journal_file, run.offset)
        if not data:
            return False
        lines = split_lines(data, run.offset)
        end = run.offset + len(data)
        self._writer.write_bulk(lambda store: ingest(store, run.run_id, lines, end))
        run.offset = self._writer.write(lambda store: ingested_up_to(store, run.run_id))
        return True

    def _check_worker(self, run: _Followed) -> None:
        """Marks a live run lost where nobody holds its folder and its journal has no end row."""
        if not run.live or lock_holder(run.folder.lock_file) is not None:
            return
        while self._ingest_piece(run):
            pass
        cancelled = run.folder.cancel_file.exists()
        status = self._writer.write(
            lambda store: _end_if_gone(store, run.run_id, self._grace, cancelled=cancelled)
        )
        if status is not None:
            _log.info("run %d is %s: its worker is gone", run.run_id, status)


def read_piece(journal: Path, offset: int) -> bytes:
    """The next whole lines of a journal from `offset` on, about PIECE_BYTES; empty where there are none.

    They are on disk when they are handed out, so that a crash of the machine cannot take them back.
    """
    size = PIECE_BYTES
    try:
        with journal.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            if length <= offset:
                return b""
            with suppress(OSError):
                os.fdatasync(file.fileno())
            while size <= LONGEST_LINE:
                file.seek(offset)
                data = file.read(min(size, length - offset))
                end = data.rfind(b"\n") + 1
                if end or size >= length - offset:
                    return data[:end]
                size *= 4
    except FileNotFoundError:
        return b""
    _log.error("%s: the line at byte %d is too long to be a journal's", journal, offset)
    return b""


def _followed(store: StoreWriter, run_id: int, folder: RunFolder) -> _Followed:
    standing = standing_of(store.cursor, run_id)
    return _Followed(run_id, folder, standing.status, standing.queued_at, ingested_up_to(store, run_id))


def _end_if_gone(store: StoreWriter, run_id: int, grace: timedelta, *, cancelled: bool) -> str | None:
    """Ends a live run that has no worker; returns the status that it gets, None where it keeps its own."""
    standing = standing_of(store.cursor, run_id)
    queued = standing.status == "queued"
    if not standing.live or (queued and utc_now() - standing.queued_at < grace):
        return None
    standing.status = "cancelled" if queued and cancelled else "lost"
    standing.ended_at, standing.waiting = utc_now(), None
    save_standing(store, standing)
    return standing.status
