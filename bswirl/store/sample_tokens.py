"""The tokens of one action's samples."""

from __future__ import annotations

from bswirl.errors import InputError
from bswirl.records import Sample
from bswirl.store.database import Cursor
from bswirl.store.trees import SAMPLES
from bswirl.tokens import SampleTokens, StepTokens


def read_action_tokens(cursor: Cursor, action_id: int, limit: int) -> list[SampleTokens]:
    """The newest samples of an action, newest first, each with its tokens where they are stored.

    Raises InputError where there is no action of that number.
    """
    row = cursor.execute(
        "SELECT question_id, text FROM actions WHERE action_id = ?::BIGINT", [action_id]
    ).fetchone()
    if row is None:
        raise InputError(f"there is no action {action_id}", "`bswirl tree QUESTION` shows the numbers")
    question_id, step = row
    rows = cursor.execute(
        f"SELECT {SAMPLES.format(more=', tokens')} ORDER BY s.rowid DESC LIMIT ?",
        [question_id, action_id, limit],
    ).fetchall()
    return [SampleTokens(Sample(*values[:-1]), _unpacked(values[-1], step)) for values in rows]


def _unpacked(packed: bytes | None, step: str) -> StepTokens | None:
    """None as well for what spells another step than the one that is stored."""
    if packed is None:
        return None
    try:
        tokens = StepTokens.unpack(packed)
        tokens.pieces(step)
    except ValueError:
        return None
    return tokens
