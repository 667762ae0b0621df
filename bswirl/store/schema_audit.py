"""Tables of what judges and humans said. Verdicts and labels are append-only; triggers see to it."""

from __future__ import annotations

AUDIT_TABLES = """
CREATE TABLE judges (
  judge_id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, model VARCHAR NOT NULL, prompt_sha VARCHAR NOT NULL,
  rank INTEGER);
CREATE TABLE verdicts (
  verdict_id BIGINT NOT NULL, action_id BIGINT NOT NULL, question_id INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  judge_id INTEGER NOT NULL, status VARCHAR NOT NULL CHECK (status IN ('judged', 'unjudged')),
  correct BOOLEAN, progress BOOLEAN, reward DOUBLE, rationale VARCHAR, raw VARCHAR, latency_ms DOUBLE,
  created_at TIMESTAMP NOT NULL);
CREATE TABLE labels (
  label_id BIGINT PRIMARY KEY, client_uid VARCHAR NOT NULL UNIQUE, action_id BIGINT NOT NULL,
  question_id INTEGER NOT NULL,
  value VARCHAR NOT NULL CHECK (value IN ('1', '0', 'unsure', 'skip', 'withdrawn')),
  withdraws VARCHAR, adjudicates BOOLEAN NOT NULL, flagged BOOLEAN NOT NULL, auditor VARCHAR NOT NULL,
  peer_uid INTEGER, reason VARCHAR, blind BOOLEAN, created_at TIMESTAMP NOT NULL,
  previous_sha VARCHAR NOT NULL, sha VARCHAR NOT NULL,
  CHECK ((value = 'withdrawn') = (withdraws IS NOT NULL)));
CREATE TABLE preferences (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE TABLE guard (x INTEGER);
CREATE TRIGGER labels_no_delete AFTER DELETE ON labels FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('labels are append-only'));
CREATE TRIGGER labels_no_update AFTER UPDATE ON labels FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('labels are append-only'));
CREATE TRIGGER verdicts_no_delete AFTER DELETE ON verdicts FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('verdicts are append-only'));
CREATE TRIGGER verdicts_no_update AFTER UPDATE ON verdicts FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('verdicts are append-only'));
"""
