"""Files that hold what people did as lines, on disk before the store commits it: labels.jsonl, draws.jsonl.

Each label is hashed onto the last.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bswirl.errors import BswirlError

Line = dict[str, Any]
FIRST_SHA = "0" * 64  # what the first label is hashed onto
_BLOCK = 1 << 16


def chained(previous_sha: str, content: Line) -> str:
    """The hash of a label's content and all labels before it: SHA-256 over the previous hash and the JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous_sha}\n{text}".encode()).hexdigest()


def text_sha(text: str) -> str:
    """What a mirror knows an action's text by."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Mirror:
    """Appends lines, which stay only once `keep` was called; `rewind` takes back those since then."""

    def __init__(self, path: Path, what: str = "label") -> None:
        """Opens the mirror, makes it where it is missing, and cuts off a torn last line."""
        self.path = path
        self._what = what
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._kept = self._end_of_last_line()
        self._cut()

    def append(self, lines: list[Line]) -> None:
        """Writes lines and makes them durable. Raises BswirlError where that fails; then none stays."""
        data = memoryview(
            b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        )
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            self.rewind()
            raise BswirlError(
                f"the {self._what} was not saved: {self.path}: {error.strerror or error}",
                "free some space on that disk and try again",
            ) from error

    def keep(self) -> None:
        """What was appended stays."""
        self._kept = os.fstat(self._descriptor).st_size

    def rewind(self) -> None:
        """What was appended since `keep` goes."""
        with suppress(OSError):
            self._cut()

    def newest_first(self) -> Iterator[Line | None]:
        """The lines from the last to the first; None for one that is no JSON object."""
        end, tail = self._kept, b""
        while end > 0:
            start = max(0, end - _BLOCK)
            tail = os.pread(self._descriptor, end - start, start) + tail
            first, *whole = tail.split(b"\n")
            for line in reversed(whole):
                if line:
                    yield _parsed(line)
            end, tail = start, first
        if tail:
            yield _parsed(tail)

    def uids(self) -> set[str]:
        """The uids of all lines."""
        return {str(line.get("client_uid")) for line in self.newest_first() if line is not None}

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut(self) -> None:
        if os.fstat(self._descriptor).st_size != self._kept:
            os.ftruncate(self._descriptor, self._kept)
            os.fsync(self._descriptor)

    def _end_of_last_line(self) -> int:
        end = os.fstat(self._descriptor).st_size
        while end > 0:
            start = max(0, end - _BLOCK)
            newline = os.pread(self._descriptor, end - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return 0


def _parsed(line: bytes) -> Line | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
