"""The record of a run's batches: `batches.jsonl` and the folder `batches` (docs/formats.md).

Each step is durable here before the next one is done, so that a run that was killed takes up its jobs again.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bswirl.records import from_json
from bswirl.runs.folder import now
from bswirl.runs.journal import JournalWriter, Row, read_journal
from bswirl.serving.calls import Call

BATCHES = "batches.jsonl"
_FOLDER = "batches"


@dataclass(frozen=True, slots=True)
class Line:
    """A call in a batch, or on its way into one. `size`: bytes of its body."""

    key: str
    call: Call
    is_part: bool
    size: int


@dataclass(slots=True)
class BatchRecord:
    """How far a batch is."""

    number: int
    sha256: str
    lines: int
    worst: float  # dollars
    without: frozenset[str]  # parameters that its bodies leave out
    file_id: str | None = None
    job_id: str | None = None
    ended: str | None = None  # the server's word for how


class BatchLog:
    """Usable from several threads; one process writes (the run's lock)."""

    def __init__(self, run_folder: Path) -> None:
        """Opens or makes the record. Raises OSError."""
        self._folder = run_folder / _FOLDER
        self._folder.mkdir(exist_ok=True)
        self._writer = JournalWriter(run_folder / BATCHES)
        self._noting = threading.Lock()
        self.batches: dict[int, BatchRecord] = {}
        for row, _ in read_journal(self._writer.path):
            with suppress(KeyError, TypeError, ValueError):  # somebody edited it; the rest still counts
                self._take_in(row)

    @property
    def open_batches(self) -> list[BatchRecord]:
        return [batch for batch in self.batches.values() if batch.ended is None]

    @property
    def known_jobs(self) -> set[str]:
        return {batch.job_id for batch in self.batches.values() if batch.job_id is not None}

    def next_number(self) -> int:
        return max(self.batches, default=0) + 1

    def upload_file(self, number: int) -> Path:
        """What the server gets of a batch."""
        return self._folder / f"{number:04}.jsonl"

    def download_file(self, number: int, what: str) -> Path:
        """Where what the server says of a batch is put: its `output` or its `errors`."""
        return self._folder / f"{number:04}.{what}.jsonl"

    def written(
        self, number: int, entries: Sequence[tuple[Line, bytes]], worst: float, without: Collection[str]
    ) -> BatchRecord:
        """Writes a batch's files, each line with its request's body, then notes them. Raises OSError."""
        sha = hashlib.sha256()
        upload = self.upload_file(number)
        with upload.open("wb") as bodies, self._calls_file(number).open("wb") as calls:
            for line, body in entries:
                row = b'{"custom_id":"%s","body":%s}\n' % (line.key.encode(), body)
                sha.update(row)
                bodies.write(row)
                calls.write(json.dumps(asdict(line), separators=(",", ":")).encode() + b"\n")
            for file in (bodies, calls):
                file.flush()
                os.fsync(file.fileno())
        self._note(
            "written",
            number,
            sha256=sha.hexdigest(),
            lines=len(entries),
            worst=worst,
            without=sorted(without),
        )
        return self.batches[number]

    def uploaded(self, number: int, file_id: str) -> None:
        """The server has the file. Raises OSError, as those below."""
        self._note("uploaded", number, file_id=file_id)

    def created(self, number: int, job_id: str) -> None:
        """The server has a job for it."""
        self._note("created", number, job_id=job_id)

    def ended(self, number: int, how: str) -> None:
        """All that it brought is in the ledger, durably. Its files go."""
        self._note("ended", number, how=how)
        for file in self._folder.glob(f"{number:04}.*"):
            file.unlink(missing_ok=True)

    def is_whole(self, batch: BatchRecord) -> bool:
        """Whether the file for the server is what was written."""
        try:
            with self.upload_file(batch.number).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == batch.sha256
        except OSError:
            return False

    def lines(self, batch: BatchRecord) -> dict[str, Line]:
        """A batch's calls by their keys; those alone that can be read."""
        found: dict[str, Line] = {}
        with suppress(OSError), self._calls_file(batch.number).open("rb") as file:
            for row in file:
                with suppress(KeyError, TypeError, ValueError):
                    line = _line(json.loads(row))
                    found[line.key] = line
        return found

    def close(self) -> None:
        self._writer.close()

    def _calls_file(self, number: int) -> Path:
        return self._folder / f"{number:04}.calls.jsonl"

    def _note(self, step: str, number: int, **more: Any) -> None:
        row = {"t": step, "batch": number, "at": now(), **more}
        with self._noting:
            self._writer.append([row])
            self._take_in(row)

    def _take_in(self, row: Row) -> None:
        number = row["batch"]
        if row["t"] == "written":
            self.batches[number] = BatchRecord(
                number, row["sha256"], row["lines"], row["worst"], frozenset(row["without"])
            )
        elif row["t"] == "uploaded":
            self.batches[number].file_id = row["file_id"]
        elif row["t"] == "created":
            self.batches[number].job_id = row["job_id"]
        elif row["t"] == "ended":
            self.batches[number].ended = row["how"]


def _line(row: Mapping[str, Any]) -> Line:
    return Line(row["key"], from_json(Call, row["call"]), row["is_part"], row["size"])
