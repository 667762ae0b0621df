"""A run's log on disk: its end as it grows, a part of it, where words are in it. Not for the UI loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FIRST_BYTES = 256 << 10  # of the log's end, shown at first
PART_BYTES = 128 << 10  # on either side of a place, where a part is shown
_BLOCK = 1 << 20
SEARCH_BYTES = 64 << 20  # that one search looks through at most


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line without its end, and the byte of the file that it begins at."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search came to. `at` is the byte where the words stand; None where they were not found.

    `go_on` is where to look on after SEARCH_BYTES; None where the file's end was reached.
    """

    at: int | None = None
    go_on: int | None = None


class LogTail:
    """Reads what was appended to a log since the last time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset: int | None = None
        self._rest = b""

    def rewind(self) -> None:
        """The next `read` begins as the first one did, near the file's end."""
        self._offset, self._rest = None, b""

    def read(self, *, ended: bool = False) -> list[LogLine]:
        """The whole lines that came since, at first those at the end of the file.

        Where nobody writes on, a last line without its end, as a killed process leaves it, counts as whole.
        """
        try:
            with self.path.open("rb") as log:
                size = log.seek(0, 2)
                if self._offset is None or size < self._offset:
                    self._offset, self._rest = max(0, size - FIRST_BYTES), b""
                log.seek(self._offset)
                data = log.read(FIRST_BYTES)
        except OSError:
            return []
        start = self._offset - len(self._rest)
        self._offset += len(data)
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if not newline and len(self._rest) >= FIRST_BYTES:  # a line without an end is shown in pieces
            whole, newline, self._rest = self._rest, b"\n", b""
        if ended and not data and self._rest:
            whole, newline, self._rest = self._rest, b"\n", b""
        return _lines(whole, start) if newline else []


def part_around(path: Path, at: int) -> list[LogLine]:
    """The whole lines around a byte of the file."""
    first = max(0, at - PART_BYTES)
    with path.open("rb") as log:
        log.seek(first)
        data = log.read(at - first + PART_BYTES)
        ended = not log.read(1)
    if first > 0 and b"\n" in data[: at - first]:
        cut = data.index(b"\n") + 1
        first, data = first + cut, data[cut:]
    if not ended and b"\n" in data[at - first :]:
        data = data[: data.rindex(b"\n")]
    return _lines(data.removesuffix(b"\n"), first)


def find_below(path: Path, words: str, start: int) -> Search:
    """The first place from byte `start` on that has the words; plain letters match their capitals."""
    wanted = words.encode().lower()
    with path.open("rb") as log:
        at, kept = start, b""
        while at - start < SEARCH_BYTES:
            log.seek(at)
            block = log.read(_BLOCK)
            if not block:
                return Search()
            data = kept + block
            found = data.lower().find(wanted)
            if found >= 0:
                return Search(at - len(kept) + found)
            at += len(block)
            kept = data[-(len(wanted) - 1) :] if len(wanted) > 1 else b""
    return Search(go_on=at - len(kept))


def find_above(path: Path, words: str, end: int) -> Search:
    """The last place before byte `end` that has the words."""
    wanted = words.encode().lower()
    with path.open("rb") as log:
        at, kept = min(end, log.seek(0, 2)), b""
        first = at
        while at > 0 and first - at < SEARCH_BYTES:
            begin = max(0, at - _BLOCK)
            log.seek(begin)
            data = log.read(at - begin) + kept
            found = data.lower().rfind(wanted)
            if found >= 0:
                return Search(begin + found)
            at, kept = begin, data[: len(wanted) - 1]
    return Search() if at <= 0 else Search(go_on=at + len(kept))


def _lines(data: bytes, start: int) -> list[LogLine]:
    found = []
    for raw in data.split(b"\n"):
        found.append(LogLine(start, raw.decode("utf-8", "replace")))
        start += len(raw) + 1
    return found
