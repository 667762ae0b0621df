"""Tables of questions and of the tree below each: content-addressed states, actions, samples.

A state is a question and the exact steps before it; it has no text of its own. Numbers are given in the order
of ingestion, and rows lie in about that order, so that a question is found by the blocks' minima and maxima;
there are no indexes on the large tables.
"""

from __future__ import annotations

TREE_TABLES = """
CREATE TABLE questions (
  question_id INTEGER PRIMARY KEY, dataset VARCHAR NOT NULL, split VARCHAR NOT NULL,
  external_id VARCHAR NOT NULL,
  text VARCHAR NOT NULL, gold VARCHAR, solution VARCHAR, UNIQUE (dataset, external_id));
CREATE TABLE trajectories (
  trajectory_id BIGINT NOT NULL, question_id INTEGER NOT NULL, run_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  external_id VARCHAR NOT NULL, policy VARCHAR NOT NULL, answer VARCHAR, is_correct BOOLEAN);
CREATE TABLE states (
  state_id BIGINT NOT NULL, question_id INTEGER NOT NULL, depth INTEGER NOT NULL,
  parent_state_id BIGINT, via_action_id BIGINT);
CREATE TABLE actions (
  action_id BIGINT NOT NULL, state_id BIGINT NOT NULL, question_id INTEGER NOT NULL, depth INTEGER NOT NULL,
  is_answer BOOLEAN NOT NULL, text VARCHAR NOT NULL);
CREATE TABLE samples (
  action_id BIGINT NOT NULL, question_id INTEGER NOT NULL, trajectory_id BIGINT NOT NULL,
  step INTEGER NOT NULL,
  branch_id INTEGER NOT NULL, is_backbone BOOLEAN NOT NULL, run_id INTEGER NOT NULL, n_tokens INTEGER,
  logprob DOUBLE, finish_reason VARCHAR, seed BIGINT, temperature DOUBLE, prompt_sha VARCHAR);
CREATE TABLE unparsed (
  run_id INTEGER NOT NULL, question_id INTEGER NOT NULL, trajectory_id BIGINT NOT NULL, step INTEGER,
  branch_id INTEGER, text VARCHAR NOT NULL, finish VARCHAR);
"""
