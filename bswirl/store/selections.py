"""Selections saved by name."""

from __future__ import annotations

from typing import Any

from bswirl.errors import InputError
from bswirl.selections import SavedSelection, Selection, check_name
from bswirl.store.database import Cursor, iso, utc_now
from bswirl.store.selection import check_scope
from bswirl.store.writing import StoreWriter

_COLUMNS = (
    "name, dataset, split, question_limit, filter, difficulty_low, difficulty_high, difficulty_by,"
    " created_by, created_at"
)


def list_selections(cursor: Cursor) -> list[SavedSelection]:
    """All saved selections by name."""
    rows = cursor.execute(f"SELECT {_COLUMNS} FROM selections ORDER BY name").fetchall()
    return [_saved(row) for row in rows]


def save_selection(
    writer: StoreWriter, name: str, selection: Selection, created_by: str, *, replace: bool = False
) -> SavedSelection:
    """Saves a selection; the same one again changes nothing.

    Raises UsageError where the name or the selection makes no sense, InputError where the name stands for
    another one and is not to be replaced, or there is no such dataset.
    """
    check_name(name)
    check_scope(writer.cursor, selection)
    found = _find(writer.cursor, name)
    if found is not None and found.selection == selection:
        return found
    if found is not None and not replace:
        raise InputError(
            f"selection {name} is there already: {found.selection.words}", "--replace puts this in its place"
        )
    low, high = selection.difficulty or (None, None)
    now = utc_now()
    writer.cursor.execute(
        f"INSERT OR REPLACE INTO selections ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            name,
            selection.dataset,
            selection.split,
            selection.limit,
            selection.filter,
            low,
            high,
            selection.difficulty_by,
            created_by,
            now,
        ],
    )
    writer.touch("selections")
    return SavedSelection(name, selection, created_by, iso(now))


def delete_selection(writer: StoreWriter, name: str) -> bool:
    """Forgets a selection; whether there was one of that name. Runs keep what they were given."""
    if _find(writer.cursor, name) is None:
        return False
    writer.cursor.execute("DELETE FROM selections WHERE name = ?", [name])
    writer.touch("selections")
    return True


def _find(cursor: Cursor, name: str) -> SavedSelection | None:
    row = cursor.execute(f"SELECT {_COLUMNS} FROM selections WHERE name = ?", [name]).fetchone()
    return None if row is None else _saved(row)


def _saved(row: tuple[Any, ...]) -> SavedSelection:
    name, dataset, split, limit, chosen, low, high, by, created_by, created_at = row
    difficulty = None if low is None else (low, high)
    selection = Selection(dataset, split, limit, chosen, difficulty, by)
    return SavedSelection(name, selection, created_by, iso(created_at))
