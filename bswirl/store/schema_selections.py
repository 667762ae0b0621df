"""The table of selections that were saved by name. A null limit or range is none."""

from __future__ import annotations

SELECTION_TABLES = """
CREATE TABLE selections (
  name VARCHAR PRIMARY KEY, dataset VARCHAR, split VARCHAR NOT NULL, question_limit INTEGER,
  filter VARCHAR NOT NULL CHECK (filter IN ('none', 'process', 'outcome', 'both')),
  difficulty_low DOUBLE, difficulty_high DOUBLE,
  difficulty_by VARCHAR NOT NULL CHECK (difficulty_by IN ('group', 'question')),
  created_by VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL,
  CHECK ((difficulty_low IS NULL) = (difficulty_high IS NULL)));
"""
