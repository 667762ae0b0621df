"""Tables of the audit queue: which step was drawn for whom, how, and what is known of how a label came about.

`way` says how a draw came: by the `order`, at `random`, as a `repeat` of the auditor's own label or as an
`overlap` with another's. Random draws keep what their probability follows from: the scope, the newest verdict
when it was listed, and how many actions remained in it; `met` ones had a label or were with somebody already
and were not shown. Append-only.
"""

from __future__ import annotations

QUEUE_TABLES = """
CREATE TABLE audit_draws (
  draw_id BIGINT PRIMARY KEY, client_uid VARCHAR NOT NULL UNIQUE, auditor VARCHAR NOT NULL,
  peer_uid INTEGER, action_id BIGINT NOT NULL, question_id INTEGER NOT NULL, order_name VARCHAR NOT NULL,
  way VARCHAR NOT NULL CHECK (way IN ('order', 'random', 'repeat', 'overlap')),
  met BOOLEAN NOT NULL, again BOOLEAN NOT NULL, blind BOOLEAN NOT NULL, dataset VARCHAR, depth INTEGER,
  answers BOOLEAN NOT NULL, random_share DOUBLE NOT NULL, mark BIGINT, remaining BIGINT, inclusion DOUBLE,
  repeats VARCHAR, score DOUBLE, shown_at TIMESTAMP NOT NULL, expires_at TIMESTAMP NOT NULL);
CREATE TABLE label_facts (
  client_uid VARCHAR PRIMARY KEY, draw_id BIGINT, seconds DOUBLE, after_reveal BOOLEAN NOT NULL,
  repeats VARCHAR);
CREATE TRIGGER audit_draws_no_delete AFTER DELETE ON audit_draws FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('draws are append-only'));
CREATE TRIGGER audit_draws_no_update AFTER UPDATE ON audit_draws FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('draws are append-only'));
CREATE TRIGGER label_facts_no_delete AFTER DELETE ON label_facts FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('labels are append-only'));
CREATE TRIGGER label_facts_no_update AFTER UPDATE ON label_facts FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('labels are append-only'));
"""
