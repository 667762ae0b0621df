"""Derived tables: what each question's tree holds, and which questions changed since it was counted.

`mark` grows with every transaction, so that a count knows which changes it has seen.
"""

from __future__ import annotations

STATISTICS_TABLES = """
CREATE TABLE question_stats (
  question_id INTEGER NOT NULL, trajectories INTEGER NOT NULL, states INTEGER NOT NULL,
  actions INTEGER NOT NULL,
  samples INTEGER NOT NULL, judged INTEGER NOT NULL, labelled INTEGER NOT NULL, labels INTEGER NOT NULL,
  conflicts INTEGER NOT NULL, live_groups INTEGER NOT NULL, dead_groups INTEGER NOT NULL,
  reward_sum DOUBLE NOT NULL, rewarded_samples INTEGER NOT NULL, solved INTEGER NOT NULL);
CREATE TABLE stale_questions (question_id INTEGER NOT NULL, mark BIGINT NOT NULL);
"""
