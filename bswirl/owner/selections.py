"""The methods about selections. docs/protocol.md lists them with their parameters and results."""

from __future__ import annotations

from typing import Any

from bswirl.owner.session import Session
from bswirl.selections import Difficulty, Filters, SavedSelection, Selection
from bswirl.store.database import snapshot
from bswirl.store.fields import Fields, RowError
from bswirl.store.selection import count_selection
from bswirl.store.selections import delete_selection, list_selections, save_selection
from bswirl.store.writing import StoreWriter


def selections(session: Session, _params: Fields) -> Any:
    """All saved selections."""
    with snapshot(session.cursor) as cursor:
        return list_selections(cursor)


def selection_counts(session: Session, params: Fields) -> Any:
    """What a selection leaves now."""
    selection = _selection(params)
    with snapshot(session.cursor) as cursor:
        return count_selection(cursor, selection)


def selection_save(session: Session, params: Fields) -> Any:
    """Saves a selection."""
    name, selection, replace = params.text("name"), _selection(params), bool(params.flag("replace"))

    def work(store: StoreWriter) -> SavedSelection:
        return save_selection(store, name, selection, session.auditor, replace=replace)

    return session.owner.writer.write(work)


def selection_delete(session: Session, params: Fields) -> Any:
    """Forgets a selection."""
    name = params.text("name")
    return {"deleted": session.owner.writer.write(lambda store: delete_selection(store, name))}


def filters_of(params: Fields) -> Filters:
    """The filters that a request names. Raises RowError or UsageError where they make no sense."""
    return Filters(
        params.optional_text("filter") or "none",
        _difficulty(params),
        params.optional_text("difficulty_by") or "group",
    )


def _selection(params: Fields) -> Selection:
    filters = filters_of(params)
    return Selection(
        dataset=params.optional_text("dataset"),
        split=params.optional_text("split") or "train",
        limit=params.optional_integer("limit"),
        filter=filters.filter,
        difficulty=filters.difficulty,
        difficulty_by=filters.difficulty_by,
    )


def _difficulty(params: Fields) -> Difficulty | None:
    ends = params.items("difficulty")
    if not ends:
        return None
    if len(ends) != 2 or any(isinstance(end, bool) or not isinstance(end, (int, float)) for end in ends):
        raise RowError("`difficulty` is no pair of numbers")
    return float(ends[0]), float(ends[1])
