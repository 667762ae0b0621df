"""What verdicts of models cost and how their votes fell, and the prompts that runs asked with.

`votes` is JSON as the judge wrote it; `duplicate_of` the action whose verdict was copied.
"""

from __future__ import annotations

SPENDING_TABLES = """
ALTER TABLE verdicts ADD COLUMN votes VARCHAR;
ALTER TABLE verdicts ADD COLUMN cost DOUBLE;
ALTER TABLE verdicts ADD COLUMN prompt_tokens INTEGER;
ALTER TABLE verdicts ADD COLUMN completion_tokens INTEGER;
ALTER TABLE verdicts ADD COLUMN duplicate_of BIGINT;
CREATE TABLE prompts (sha VARCHAR PRIMARY KEY, purpose VARCHAR NOT NULL, text VARCHAR NOT NULL);
"""
