"""Write transactions: one writer, its numbers and caches, and the mirrors that come before a commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import duckdb

from bswirl.store.bulk import insert_rows
from bswirl.store.database import Cursor
from bswirl.store.forest import Forest
from bswirl.store.mirror import Mirror

MANY_QUESTIONS = 1000

_NUMBERED = {
    "questions": "question_id",
    "trajectories": "trajectory_id",
    "states": "state_id",
    "actions": "action_id",
    "verdicts": "verdict_id",
    "labels": "label_id",
    "judges": "judge_id",
    "runs": "run_id",
    "certificates": "certificate_id",
    "audit_draws": "draw_id",
}


@dataclass(slots=True)
class Changes:
    """What a transaction changed, for those who look on. `questions` and `runs`: None for many or unknown."""

    topics: set[str] = field(default_factory=set)
    questions: set[int] | None = field(default_factory=set)
    runs: set[int] | None = field(default_factory=set)

    def merge(self, other: Changes) -> None:
        """Takes in what the other one says."""
        self.topics |= other.topics
        self.questions = _union(self.questions, other.questions)
        self.runs = _union(self.runs, other.runs)


def _union(one: set[int] | None, other: set[int] | None) -> set[int] | None:
    if one is None or other is None:
        return None
    joined = one | other
    return joined if len(joined) <= MANY_QUESTIONS else None


class Numbers:
    """The next number of each table, in the order of ingestion; a rollback takes numbers back."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._last: dict[str, int] = {}

    def forget(self) -> None:
        self._last.clear()

    def next(self, table: str) -> int:
        """The number for a new row of `table`."""
        if table not in self._last:
            newest = f"SELECT max({_NUMBERED[table]}) FROM {table}"
            if table == "audit_draws":  # labels outlive the draws that they name where a store is made anew
                newest = f"SELECT greatest(({newest}), (SELECT max(draw_id) FROM label_facts))"
            row = self._cursor.execute(newest).fetchone()
            self._last[table] = (row[0] if row else None) or 0
        self._last[table] += 1
        return self._last[table]


class StoreWriter:
    """The only one who changes the store. Not thread-safe: one thread owns it.

    Functions that write take it inside `transaction` and use its cursor, numbers and caches.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, mirror: Mirror, draw_mirror: Mirror) -> None:
        """Writes labels to `mirror` and the audit queue's draws to `draw_mirror` before it commits them."""
        self.cursor = connection.cursor()
        self.mirror = mirror
        self.draw_mirror = draw_mirror
        self.numbers = Numbers(self.cursor)
        self.forest = Forest()
        self.label_lines: list[dict[str, Any]] = []  # labels of this transaction, for the mirror
        self.draw_lines: list[dict[str, Any]] = []  # and its draws
        self.last_sha: str | None = None  # of the newest label; None: not read yet
        stale = self.cursor.execute("SELECT max(mark) FROM stale_questions").fetchone()
        self.stale_mark = (stale[0] if stale else None) or 0  # of the newest change that is not counted yet
        self.fresh_mark = 0  # of the newest change that is counted
        self._mark = self.stale_mark + 1  # of the transaction at hand
        self._committed = Changes()
        self._changes = Changes()
        self._stale: set[int] = set()
        self._made_stale = False
        self._counted = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: all of it lands, labels and draws in their mirrors first, or nothing does."""
        self._begin()
        try:
            yield
            self._record_stale()
            if self.draw_lines:
                self.draw_mirror.append(self.draw_lines)
            if self.label_lines:
                self.mirror.append(self.label_lines)
            self.cursor.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                self.cursor.execute("ROLLBACK")
            self.mirror.rewind()
            self.draw_mirror.rewind()
            self._forget()
            raise
        self.mirror.keep()
        self.draw_mirror.keep()
        self._committed.merge(self._changes)
        if self._made_stale:
            self.stale_mark = self._mark
        self.fresh_mark = max(self.fresh_mark, self._counted)
        self._mark += 1

    def touch(self, topic: str, questions: Collection[int] = (), runs: Collection[int] = ()) -> None:
        """Notes what this transaction changed; the statistics of these questions are stale from now on."""
        self._stale.update(questions)
        self._changes.merge(Changes({topic}, set(questions), set(runs)))

    def touch_everything(self, topic: str) -> None:
        """Notes that every question may have changed."""
        self.cursor.execute("INSERT INTO stale_questions SELECT question_id, ? FROM questions", [self._mark])
        self._made_stale = True
        self._changes.merge(Changes({topic}, None, set()))

    def counted(self, mark: int) -> None:
        """Notes that this transaction makes the statistics cover all changes up to that mark."""
        self._counted = mark

    @property
    def has_stale_statistics(self) -> bool:
        """Whether some question changed since it was counted. Any thread may ask."""
        return self.stale_mark > self.fresh_mark

    def take_changes(self) -> Changes:
        """What was committed since the last call."""
        taken, self._committed = self._committed, Changes()
        return taken

    def _begin(self) -> None:
        self._changes, self._stale, self._made_stale, self._counted = Changes(), set(), False, 0
        self.label_lines.clear()
        self.draw_lines.clear()
        self.cursor.execute("BEGIN")

    def _record_stale(self) -> None:
        if self._stale:
            rows = [(number, self._mark) for number in sorted(self._stale)]
            insert_rows(self.cursor, "stale_questions", rows)
            self._made_stale = True

    def _forget(self) -> None:
        self.numbers.forget()
        self.forest.forget()
        self.last_sha = None
