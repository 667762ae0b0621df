"""Judges and their ranking. The judge with the lowest rank decides; one without a rank never does.

A judge is a name with a model and a prompt. The ranking in the settings is of names: the first judge of a
listed name takes that place; a later one of the same name (another model or prompt) changes nothing until it
is ranked. A later version of a judge by rules stands right behind the one before it: it decides what that one
has no verdict on. Imported verdicts know only their judge's name: such a judge stands right behind a full one
of its name, or last where the settings do not list it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bswirl.errors import InputError, UsageError
from bswirl.records import Judge
from bswirl.store.database import Cursor
from bswirl.store.writing import StoreWriter

_RANKING = "ranking"
_RULES = "rules"  # the model of judges that are none


@dataclass(frozen=True, slots=True)
class _Entry:
    judge_id: int
    name: str
    model: str
    prompt_sha: str
    rank: int | None

    @property
    def name_only(self) -> bool:
        return not self.model and not self.prompt_sha


def list_judges(cursor: Cursor) -> list[Judge]:
    """All judges with their numbers of verdicts, ranked ones first."""
    rows = cursor.execute(
        "SELECT judge_id, name, model, prompt_sha, rank, coalesce(n, 0) FROM judges LEFT JOIN"
        " (SELECT judge_id, count(*) AS n FROM verdicts GROUP BY judge_id) USING (judge_id)"
        " ORDER BY rank NULLS LAST, judge_id"
    ).fetchall()
    return [Judge(*row) for row in rows]


def find_or_add_judge(
    writer: StoreWriter, name: str, model: str = "", prompt_sha: str = "", *, imported: bool = False
) -> int:
    """The number of that judge, which is added and placed in the ranking on first sight."""
    found = writer.cursor.execute(
        "SELECT judge_id FROM judges WHERE name = ? AND model = ? AND prompt_sha = ?",
        [name, model, prompt_sha],
    ).fetchone()
    if found:
        return int(found[0])
    entry = _Entry(writer.numbers.next("judges"), name, model, prompt_sha, None)
    ranked = _ranked(writer.cursor)
    place = _place(entry, ranked, _listed_names(writer.cursor), imported=imported)
    writer.cursor.execute(
        "INSERT INTO judges VALUES (?, ?, ?, ?, NULL)", [entry.judge_id, name, model, prompt_sha]
    )
    if place is not None:
        ranked.insert(place, entry)
        _write_ranks(writer, ranked)
    writer.touch("verdicts")
    return entry.judge_id


def rank_judge(writer: StoreWriter, name: str, rank: int | None, judge_id: int | None = None) -> None:
    """Moves a judge (the newest of that name, unless numbered) to place `rank` from 1; None: to none.

    Raises InputError where there is no such judge, UsageError where the rank is below 1.
    """
    if rank is not None and rank < 1:
        raise UsageError(f"{rank} is no rank", "ranks begin at 1")
    entries = _entries(writer.cursor)
    fitting = [e for e in entries if e.name == name and judge_id in (None, e.judge_id)]
    if not fitting:
        known = ", ".join(sorted({entry.name for entry in entries})) or "none yet"
        raise InputError(f"no judge `{name}` has given a verdict here", f"known judges: {known}")
    chosen = max(fitting, key=lambda entry: entry.judge_id)
    ranked = [entry for entry in _ranked(writer.cursor) if entry.judge_id != chosen.judge_id]
    if rank is not None:
        ranked.insert(rank - 1, chosen)
    _write_ranks(writer, ranked)
    writer.touch_everything("verdicts")


def apply_ranking(writer: StoreWriter, names: Sequence[str]) -> bool:
    """Ranks by the names in the settings, where that list changed since it was last applied.

    Of several judges of a listed name the one ranked so far (else the first) is taken; behind it versions of
    the same rules and those known by name only. Others lose their rank, but for those known by name only,
    which stay last. Returns whether anything was done.
    """
    text = json.dumps(list(names))
    before = _preference(writer.cursor)
    if before == text:
        return False
    if before is None:
        writer.cursor.execute("INSERT INTO preferences VALUES (?, ?)", [_RANKING, text])
    else:
        writer.cursor.execute("UPDATE preferences SET value = ? WHERE name = ?", [text, _RANKING])
    entries = _entries(writer.cursor)
    order: list[_Entry] = []
    for name in dict.fromkeys(names):
        full = [entry for entry in entries if entry.name == name and not entry.name_only]
        full.sort(key=lambda entry: (entry.rank is None, entry.rank or 0, entry.judge_id))
        versions = [entry for entry in full[1:] if entry.model == _RULES == full[0].model]
        order += full[:1] + versions + [entry for entry in entries if entry.name == name and entry.name_only]
    order += [entry for entry in _ranked(writer.cursor) if entry.name_only and entry not in order]
    _write_ranks(writer, order)
    if entries:
        writer.touch_everything("verdicts")
    return True


def _place(new: _Entry, ranked: list[_Entry], listed: list[str], *, imported: bool) -> int | None:
    """Where in the ranking a judge goes that was never seen before; None: it gets no rank."""
    same = [index for index, entry in enumerate(ranked) if entry.name == new.name]
    if same and new.name_only:
        return same[-1] + 1
    if new.model == _RULES and (versions := [index for index in same if ranked[index].model == _RULES]):
        return versions[-1] + 1
    if same:
        return same[0] if all(ranked[index].name_only for index in same) else None
    if new.name not in listed:
        return len(ranked) if imported else None
    later = set(listed[listed.index(new.name) + 1 :])
    for index, entry in enumerate(ranked):
        if entry.name in later or entry.name not in listed:
            return index
    return len(ranked)


def _write_ranks(writer: StoreWriter, order: list[_Entry]) -> None:
    rank_of = {entry.judge_id: rank for rank, entry in enumerate(order, start=1)}
    for entry in _entries(writer.cursor):
        if entry.rank != rank_of.get(entry.judge_id):
            writer.cursor.execute(
                "UPDATE judges SET rank = ? WHERE judge_id = ?", [rank_of.get(entry.judge_id), entry.judge_id]
            )


def _entries(cursor: Cursor) -> list[_Entry]:
    rows = cursor.execute(
        "SELECT judge_id, name, model, prompt_sha, rank FROM judges ORDER BY judge_id"
    ).fetchall()
    return [_Entry(*row) for row in rows]


def _ranked(cursor: Cursor) -> list[_Entry]:
    return sorted(
        (entry for entry in _entries(cursor) if entry.rank is not None), key=lambda entry: entry.rank or 0
    )


def _preference(cursor: Cursor) -> str | None:
    row = cursor.execute("SELECT value FROM preferences WHERE name = ?", [_RANKING]).fetchone()
    return str(row[0]) if row else None


def _listed_names(cursor: Cursor) -> list[str]:
    text = _preference(cursor)
    return list(json.loads(text)) if text else []
