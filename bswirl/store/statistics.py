"""The derived table question_stats: what each question's tree holds, counted again for those that changed.

Counting is a read and may take a while in a large project; only putting the counts in their place is a write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bswirl.store.bulk import insert_rows
from bswirl.store.database import Cursor, snapshot
from bswirl.store.rewards import STALE, effective_rewards
from bswirl.store.writing import StoreWriter

_COUNT = f"""
WITH {effective_rewards(STALE)},
groups AS (
  SELECT question_id, state_id, count(reward) > 0 AND min(reward) <> max(reward) AS live,
    count(reward) > 0 AND min(reward) = max(reward) AS dead
  FROM effective GROUP BY ALL),
of_actions AS (
  SELECT question_id, count(*) AS actions, sum(samples) AS samples, count(judge_reward) AS judged,
    count(label) AS labelled, sum(labels) AS labels, count(*) FILTER (conflict) AS conflicts,
    coalesce(sum(reward * samples), 0) AS reward_sum,
    coalesce(sum(samples) FILTER (reward IS NOT NULL), 0) AS rewarded_samples
  FROM effective GROUP BY question_id),
of_groups AS (
  SELECT question_id, count(*) FILTER (live) AS live_groups, count(*) FILTER (dead) AS dead_groups
  FROM groups GROUP BY question_id),
of_states AS (SELECT question_id, count(*) AS states FROM states WHERE {STALE} GROUP BY question_id),
of_trajectories AS (
  SELECT question_id, count(*) AS trajectories, count(*) FILTER (is_correct) AS solved
  FROM trajectories WHERE {STALE} GROUP BY question_id)
SELECT q.question_id, coalesce(trajectories, 0), coalesce(states, 0), coalesce(actions, 0),
  coalesce(samples, 0), coalesce(judged, 0), coalesce(labelled, 0), coalesce(labels, 0),
  coalesce(conflicts, 0), coalesce(live_groups, 0), coalesce(dead_groups, 0),
  coalesce(reward_sum, 0), coalesce(rewarded_samples, 0), coalesce(solved, 0)
FROM (SELECT DISTINCT question_id FROM stale_questions) q LEFT JOIN of_actions USING (question_id)
  LEFT JOIN of_groups USING (question_id) LEFT JOIN of_states USING (question_id)
  LEFT JOIN of_trajectories USING (question_id)
ORDER BY q.question_id
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Fresh rows of question_stats, and the mark of the newest change that they have seen."""

    rows: list[tuple[Any, ...]]
    mark: int


def count_stale(cursor: Cursor) -> Counts:
    """Counts the questions that changed since they were counted."""
    with snapshot(cursor):
        mark = cursor.execute("SELECT max(mark) FROM stale_questions").fetchone()
        if mark is None or mark[0] is None:
            return Counts([], 0)
        return Counts(cursor.execute(_COUNT).fetchall(), int(mark[0]))


def put_counts(writer: StoreWriter, counts: Counts) -> None:
    """Puts counts in their place. Between `count_stale` and this nobody else may do the same."""
    ids = [row[0] for row in counts.rows]
    writer.cursor.execute(
        "DELETE FROM question_stats WHERE question_id IN (SELECT unnest(?::INTEGER[]))", [ids]
    )
    insert_rows(writer.cursor, "question_stats", counts.rows)
    writer.cursor.execute("DELETE FROM stale_questions WHERE mark <= ?", [counts.mark])
    writer.counted(counts.mark)


def refresh_statistics(writer: StoreWriter) -> None:
    """Counts what is stale in one go; call it in no transaction."""
    counts = count_stale(writer.cursor)
    with writer.transaction():
        put_counts(writer, counts)


def forget_statistics(writer: StoreWriter) -> int:
    """Throws all counts away, for the next refresh to count anew; returns how many questions there are."""
    writer.cursor.execute("DELETE FROM question_stats")
    writer.touch_everything("questions")
    row = writer.cursor.execute("SELECT count(*) FROM questions").fetchone()
    return int(row[0]) if row else 0
