"""Tables of runs, of what training and evaluation report, and of how far each journal was read."""

from __future__ import annotations

RUN_TABLES = """
CREATE TABLE runs (
  run_id INTEGER PRIMARY KEY, run_uid VARCHAR NOT NULL,
  kind VARCHAR NOT NULL CHECK (kind IN ('generate', 'judge', 'train', 'evaluate', 'import')),
  name VARCHAR NOT NULL, config VARCHAR NOT NULL, input_sha VARCHAR, created_by VARCHAR NOT NULL,
  status VARCHAR NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled', 'lost')),
  attempt INTEGER NOT NULL, folder VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL,
  queued_at TIMESTAMP NOT NULL,
  ended_at TIMESTAMP, exit_code INTEGER, error VARCHAR, done BIGINT, total BIGINT, unit VARCHAR, rate DOUBLE,
  summary VARCHAR NOT NULL, warnings VARCHAR NOT NULL, waiting VARCHAR, pid INTEGER, host VARCHAR);
CREATE TABLE metrics (
  run_id INTEGER NOT NULL, step BIGINT NOT NULL, name VARCHAR NOT NULL, value DOUBLE,
  created_at TIMESTAMP NOT NULL);
CREATE TABLE shifts (
  run_id INTEGER NOT NULL, step BIGINT NOT NULL, action_id BIGINT NOT NULL, reward DOUBLE, shift DOUBLE,
  n_tokens INTEGER);
CREATE TABLE answers (
  run_id INTEGER NOT NULL, question_id INTEGER NOT NULL, text VARCHAR NOT NULL, strict VARCHAR,
  flexible VARCHAR, is_correct BOOLEAN, n_tokens INTEGER);
CREATE TABLE ingest_offsets (run_id INTEGER PRIMARY KEY, byte_offset BIGINT NOT NULL, n_rows BIGINT NOT NULL);
CREATE TABLE ingest_errors (
  run_id INTEGER NOT NULL, byte_offset BIGINT NOT NULL, line VARCHAR, error VARCHAR NOT NULL,
  created_at TIMESTAMP NOT NULL);
"""
