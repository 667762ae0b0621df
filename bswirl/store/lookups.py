"""Looking up many rows by their numbers at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bswirl.store.database import Cursor


def among(column: str) -> str:
    """A condition: `column` is one of the numbers in `$ids`. The range lets most blocks be skipped."""
    return f"{column} BETWEEN list_min($ids) AND list_max($ids) AND {column} IN (SELECT unnest($ids))"


def rows_for(cursor: Cursor, query: str, ids: Collection[int]) -> list[tuple[Any, ...]]:
    """The rows of `query`, in which `$ids` stands for these numbers; none where there are no numbers."""
    return cursor.execute(query, {"ids": sorted(ids)}).fetchall() if ids else []


def questions_of_actions(cursor: Cursor, actions: Collection[int]) -> dict[int, int]:
    """The question of each of those actions that exist."""
    query = f"SELECT action_id, question_id FROM actions WHERE {among('action_id')}"
    return dict(rows_for(cursor, query, actions))


def action_texts(cursor: Cursor, actions: Collection[int]) -> dict[int, str]:
    """The text of each of those actions that exist."""
    return dict(rows_for(cursor, f"SELECT action_id, text FROM actions WHERE {among('action_id')}", actions))


def question_contents(cursor: Cursor, questions: Collection[int]) -> dict[int, tuple[str, str, str]]:
    """Dataset, id and text of each of those questions that exist."""
    query = f"SELECT question_id, dataset, external_id, text FROM questions WHERE {among('question_id')}"
    return {row[0]: row[1:] for row in rows_for(cursor, query, questions)}
