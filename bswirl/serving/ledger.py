"""The record of every call that a run has finished: `calls.jsonl` (docs/formats.md)."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bswirl.runs.folder import now
from bswirl.runs.journal import cut_torn_line
from bswirl.serving.calls import Choice, Failure, Reply

LEDGER = "calls.jsonl"
_HEAD = b'{"key":"'
_KEY_DIGITS = 64
_FAILED = b'","failed":'
BROKEN_OFF = "broken-off"  # the run ended before the answer came
_PART = b'"part":true,"choices":['
_PART_WITHIN = 1000  # bytes of a line: all that stands before its texts
_FINAL = ("refused", "too-long")  # asking again would bring the same
_OFFSET_BITS = 48

Row = dict[str, Any]


@dataclass(slots=True)
class Spending:
    """Totals of a run over all its attempts.

    `uncertain` are dollars of requests that broke off and may be charged.
    """

    calls: int = 0
    requests: int = 0
    recorded: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    uncertain: float = 0.0

    def to_json(self) -> Row:
        return asdict(self)

    def add(self, row: Row) -> None:
        """Counts a row of the ledger."""
        if row.get("reused"):
            self.recorded += 1
            return
        if "failed" not in row:
            self.calls += 1
        elif row["failed"] != BROKEN_OFF:
            self.failures += 1
        self.requests += row.get("attempts", 0)
        self.prompt_tokens += row.get("prompt_tokens", 0)
        self.completion_tokens += row.get("completion_tokens", 0)
        self.cost += row.get("cost", 0.0)
        self.uncertain += row.get("uncertain", 0.0)


class Ledger:
    """A run's ledger, and an index of those of other runs. One process at a time writes (the run's lock)."""

    def __init__(self, path: Path, reuse: Sequence[Path] = ()) -> None:
        """Opens or makes the ledger, cuts off a torn last line and counts what is in it.

        `reuse` are ledgers, or run folders, whose replies may serve as well. Raises OSError.
        """
        self.spending = Spending()
        self.has_parts = False  # this server gave fewer choices than asked for
        self.has_parts_elsewhere = False
        self._files: list[Path] = [path]
        self._index: dict[bytes, int] = {}
        self._syncing = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.is_dirty = cut_torn_line(self._descriptor)
        self._size = os.fstat(self._descriptor).st_size
        self._read_own()
        for other in reuse:
            file = other / LEDGER if other.is_dir() else other
            if file.exists() and not file.samefile(path):
                self._read_other(file)

    def find(self, key: str) -> Reply | Failure | None:
        """What a call with that key brought; from this run's ledger if it is there, else from another's."""
        place = self._index.get(bytes.fromhex(key))
        if place is None:
            return None
        row = self._row_at(place)
        if row is None or row.get("key") != key:
            return None
        if place >> _OFFSET_BITS:  # from another run: this run's own record shall be whole
            row = {**row, "reused": True}
            self.append(row)
        return outcome_of(row)

    def holds(self, key: str) -> bool:
        """Whether `find` would look at something."""
        return bytes.fromhex(key) in self._index

    def append(self, row: Row) -> None:
        """Writes a row, which a kill of this process does not undo; `sync` makes it durable against more.

        Raises OSError where the disk is full; the ledger then ends with a whole line.
        """
        line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        at, rest = self._size, memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            cut_torn_line(self._descriptor)
            self._size = os.fstat(self._descriptor).st_size
            raise
        self._size += len(line)
        self.is_dirty = True
        if "reused" not in row:
            self.spending.add(row)
        self._take_in(row, at)

    def sync(self) -> None:
        """Makes durable what was appended before. For a thread of its own; raises OSError."""
        with self._syncing:
            self.is_dirty = False
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Raises OSError where the last rows cannot be made durable."""
        try:
            self.sync()
        finally:
            os.close(self._descriptor)

    def _read_own(self) -> None:
        for line, at in _lines(self._files[0]):
            try:
                row = json.loads(line)
                self.spending.add(row)
                self._take_in(row, at)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # somebody edited it; the rest of it still counts

    def _read_other(self, path: Path) -> None:
        number = len(self._files)
        self._files.append(path)
        for line, at in _lines(path):
            end = len(_HEAD) + _KEY_DIGITS
            if not line.startswith(_HEAD) or line.startswith(_FAILED, end):
                continue
            try:
                key = bytes.fromhex(line[len(_HEAD) : end].decode("ascii"))
            except ValueError:
                continue
            self._index.setdefault(key, number << _OFFSET_BITS | at)
            self.has_parts_elsewhere = self.has_parts_elsewhere or _PART in line[:_PART_WITHIN]

    def _take_in(self, row: Row, at: int) -> None:
        self.has_parts = self.has_parts or ("part" in row and "reused" not in row)
        if row.get("failed", _FINAL[0]) in _FINAL:
            self._index[bytes.fromhex(row["key"])] = at

    def _row_at(self, place: int) -> Row | None:
        number, offset = place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)
        try:
            with self._files[number].open("rb") as file:
                file.seek(offset)
                row = json.loads(file.readline())
        except (OSError, ValueError):
            return None
        return row if isinstance(row, dict) else None


def reply_row(key: str, model: str, reply: Reply, reasoning: Sequence[str] = (), **more: Any) -> Row:
    """A finished call as the ledger has it; `more` are fields that only some rows have."""
    choices = [_choice_row(choice) for choice in reply.choices]
    for choice, thought in zip(choices, reasoning, strict=False):
        choice["reasoning"] = thought
    return {
        "key": key,
        "at": now(),
        "model": model,
        "attempts": reply.attempts,
        "latency_ms": round(1000 * reply.latency),
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "cost": reply.cost,
        **more,
        "choices": choices,
    }


def failure_row(key: str, model: str, kind: str, message: str, attempts: int, **more: Any) -> Row:
    """A call that brought nothing, as the ledger has it: `kind` is a Failure's, or BROKEN_OFF."""
    return {
        "key": key,
        "failed": kind,
        "at": now(),
        "model": model,
        "attempts": attempts,
        **more,
        "message": message,
    }


def outcome_of(row: Row) -> Reply | Failure | None:
    """What a row of a ledger says, as if it had just come; None where the row is none of ours."""
    try:
        if "failed" in row:
            return Failure(row["failed"], str(row["message"]), int(row["attempts"]))
        choices = tuple(_choice(entry) for entry in row["choices"])
        return Reply(
            choices,
            int(row["prompt_tokens"]),
            int(row["completion_tokens"]),
            0.0 if row.get("reused") else float(row["cost"]),  # another run paid for it
            row["latency_ms"] / 1000,
            int(row["attempts"]),
            recorded=True,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _choice_row(choice: Choice) -> Row:
    row: Row = {"text": choice.text, "finish": choice.finish, "n_tokens": choice.n_tokens}
    if choice.logprob is not None:
        row["logprob"] = choice.logprob
        row["tokens"], row["token_logprobs"] = choice.tokens, choice.token_logprobs
    return row


def _choice(row: Row) -> Choice:
    return Choice(
        row["text"],
        row["finish"],
        row.get("n_tokens"),
        row.get("logprob"),
        tuple(row.get("tokens", ())),
        tuple(row.get("token_logprobs", ())),
    )


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """Whole lines and where they begin."""
    at = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line, at
            at += len(line)
