"""A run's journal: JSON objects, one a line, appended whole and made durable batch by batch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

Row = dict[str, Any]
UNREADABLE = "unreadable"
_BLOCK = 1 << 16


def encode_rows(rows: Iterable[Row]) -> bytes:
    """Rows as lines. Lone surrogates in text survive as JSON escapes."""
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


class JournalWriter:
    """Appends to a journal. One process at a time writes (the run's lock sees to that)."""

    def __init__(self, path: Path) -> None:
        """Opens the journal, makes it where it is missing, and cuts off a torn last line.

        Whole lines are never taken back: a reader may have used them.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        cut_torn_line(self._descriptor)

    def append(self, rows: Iterable[Row]) -> int:
        """Writes the rows as whole lines, makes them durable, and returns the journal's new length in bytes.

        Raises OSError (ENOSPC, …); then the journal holds a whole number of the lines, perhaps none.
        """
        data = memoryview(encode_rows(rows))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fdatasync(self._descriptor)
        except OSError:
            cut_torn_line(self._descriptor)
            raise
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def cut_torn_line(descriptor: int) -> bool:
    """Cuts an open file off behind its last newline, durably. Returns whether there was anything to cut."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
    return end != size


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[Row, int]]:
    """The rows from byte `offset` on, each with the offset where the next one begins.

    A torn last line is left for the next read. A whole line that is no JSON object comes as
    `{"t": "unreadable", "line": text, "error": reason}`. Rows are durable when they are handed out. Raises
    OSError where there is no journal.
    """
    with path.open("rb") as journal:
        with suppress(OSError):  # a read-only file system refuses, and needs no syncing
            os.fdatasync(journal.fileno())
        limit = os.fstat(journal.fileno()).st_size
        journal.seek(offset)
        while offset < limit:
            line = journal.readline()
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            if line.strip():
                yield _row(line), offset


def _row(line: bytes) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        return {"t": UNREADABLE, "line": line.decode("utf-8", "replace").rstrip("\n"), "error": str(error)}
    if not isinstance(row, dict):
        text = line.decode("utf-8", "replace").rstrip("\n")
        return {"t": UNREADABLE, "line": text, "error": "not a JSON object"}
    return row
