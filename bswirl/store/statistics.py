"""The derived table question_stats: what each question's tree holds, counted again for those that changed."""

from __future__ import annotations

from bswirl.store.rewards import STALE, effective_rewards
from bswirl.store.writing import StoreWriter

_COUNT = f"""
INSERT INTO question_stats
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
  coalesce(samples, 0),
  coalesce(judged, 0), coalesce(labelled, 0), coalesce(labels, 0), coalesce(conflicts, 0),
  coalesce(live_groups, 0), coalesce(dead_groups, 0), coalesce(reward_sum, 0), coalesce(rewarded_samples, 0),
  coalesce(solved, 0)
FROM (SELECT DISTINCT question_id FROM stale_questions) q LEFT JOIN of_actions USING (question_id)
  LEFT JOIN of_groups USING (question_id) LEFT JOIN of_states USING (question_id)
  LEFT JOIN of_trajectories USING (question_id)
ORDER BY q.question_id
"""


def refresh_statistics(writer: StoreWriter) -> None:
    """Counts the stale questions again; afterwards none is stale."""
    writer.flush_stale()
    writer.cursor.execute(f"DELETE FROM question_stats WHERE {STALE}")
    writer.cursor.execute(_COUNT)
    writer.cursor.execute("DELETE FROM stale_questions")
    writer.statistics_are_fresh()


def rebuild_statistics(writer: StoreWriter) -> int:
    """Counts every question from nothing and returns how many there are."""
    writer.cursor.execute("DELETE FROM question_stats")
    writer.touch_everything("questions")
    refresh_statistics(writer)
    row = writer.cursor.execute("SELECT count(*) FROM questions").fetchone()
    return int(row[0]) if row else 0
