"""The record of what the audit queue drew, and which actions are labelled or with somebody right now."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from bswirl.audit.records import Scope, Turn
from bswirl.errors import InputError
from bswirl.store.bulk import column_names, insert_rows
from bswirl.store.database import Cursor, iso, storable
from bswirl.store.in_force import PLACE, STANDS, words_in_force
from bswirl.store.mirror import Line, text_sha
from bswirl.store.writing import StoreWriter

WAYS = ("order", "random", "repeat", "overlap")
OPEN_DAYS = 1.0  # how long a step that was shown and not labelled stays an auditor's own


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """One row of audit_draws; see bswirl/store/schema_queue.py."""

    client_uid: str
    auditor: str
    action_id: int
    question_id: int
    order_name: str
    way: str
    shown_at: datetime
    expires_at: datetime
    scope: Scope
    random_share: float
    blind: bool = True
    met: bool = False  # drawn at random, and not shown: it was labelled or with somebody already
    again: bool = False  # drawn at random before, and still without a label
    peer_uid: int | None = None
    mark: int | None = None
    remaining: int | None = None
    inclusion: float | None = None  # probability to be among the random draws up to this one
    repeats: str | None = None
    score: float | None = None
    draw_id: int = 0

    @property
    def asked(self) -> tuple[str, Scope, bool]:
        """What was asked for."""
        return asked_for(self.order_name, self.scope, self.blind)


def asked_for(order: str, scope: Scope, blind: bool) -> tuple[str, Scope, bool]:
    """In which order, of what, and whether blind; draws by depth keep the depth that they were made in."""
    return order, dataclasses.replace(scope, depth=None) if order == "depth" else scope, blind


def add_draw(writer: StoreWriter, draw: Draw) -> Draw:
    """Keeps a draw, in the mirror too, and returns it with its number."""
    numbered = dataclasses.replace(
        draw, draw_id=writer.numbers.next("audit_draws"), auditor=storable(draw.auditor)
    )
    (text,) = writer.cursor.execute(
        "SELECT text FROM actions WHERE action_id = ? AND question_id = ?", [draw.action_id, draw.question_id]
    ).fetchall()[0]
    writer.draw_lines.append(draw_line(numbered, text))
    insert_draws(writer.cursor, [numbered])
    return numbered


def insert_draws(cursor: Cursor, draws: Sequence[Draw]) -> None:
    """Stores numbered draws."""
    names = column_names("audit_draws")
    insert_rows(cursor, "audit_draws", [tuple(map(_values(draw).get, names)) for draw in draws])


def draw_line(draw: Draw, text: str) -> Line:
    """A draw as its mirror holds it; `text` is its action's."""
    times = {"shown_at": iso(draw.shown_at), "expires_at": iso(draw.expires_at)}
    return {**_values(draw), **times, "action_sha": text_sha(text)}


def draws_after(cursor: Cursor, draw_id: int) -> list[Draw]:
    """All draws with a higher number, in their order."""
    return _many(cursor, "draw_id > ?", [draw_id])


def _values(draw: Draw) -> dict[str, Any]:
    """A draw's values by column."""
    values = {name: getattr(draw, name) for name in Draw.__dataclass_fields__}
    return values | dataclasses.asdict(values.pop("scope"))


def draws_by_uid(cursor: Cursor, *client_uids: str) -> list[Draw]:
    """What these requests drew."""
    marks = ", ".join("?" * len(client_uids))
    return _many(cursor, f"client_uid IN ({marks})", client_uids)


def find_draw(cursor: Cursor, draw_id: int, auditor: str | None = None) -> Draw:
    """The draw of a number. Raises InputError where nothing was shown under it, or not to that auditor."""
    found = _one(cursor, "draw_id = ? AND NOT met", [draw_id])
    if found is None:
        raise InputError(f"there is no draw {draw_id}", "ask for the next step first")
    if auditor not in (None, found.auditor):
        raise InputError(
            f"draw {draw_id} is {found.auditor}'s, not {auditor}'s", "ask for a step of your own"
        )
    return found


def open_draws(cursor: Cursor, auditor: str, now: datetime) -> list[Draw]:
    """What an auditor was given lately and has not labelled, oldest first.

    Without what somebody else decided or was given meanwhile, unless it was to be labelled twice. A step that
    was drawn anew for its auditor keeps its place.
    """
    condition = (
        "d.auditor = ? AND NOT met AND shown_at > ?"
        " AND NOT EXISTS (SELECT 1 FROM audit_draws later WHERE later.action_id = d.action_id"
        "  AND later.draw_id > d.draw_id AND NOT later.met AND later.auditor <> d.auditor)"
        " AND (way IN ('repeat', 'overlap') OR d.action_id NOT IN"
        f" (SELECT action_id FROM ({words_in_force()}) WHERE auditor = ? OR value IN ('0', '1')))"
    )
    labelled = {draw_id for (draw_id,) in cursor.execute(_LABELLED_DRAWS, [auditor]).fetchall()}
    found: dict[int, Draw] = {}  # by action, at the place of the first of its draws that wait
    for draw in _many(cursor, condition, [auditor, now - timedelta(days=OPEN_DAYS), auditor]):
        if draw.draw_id in labelled:
            found.pop(draw.action_id, None)
        else:
            found[draw.action_id] = draw
    return list(found.values())


def newest_draw(cursor: Cursor, auditor: str) -> Draw | None:
    """The newest step that an auditor was given."""
    return _one(
        cursor,
        "draw_id = (SELECT max(draw_id) FROM audit_draws WHERE auditor = ? AND NOT met)",
        [auditor],
    )


def random_turns(cursor: Cursor) -> list[Turn]:
    """All random draws, in their order."""
    rows = cursor.execute(
        "SELECT dataset, depth, answers, mark, remaining FROM audit_draws"
        " WHERE way = 'random' AND NOT again ORDER BY draw_id"
    ).fetchall()
    return [Turn(Scope(*row[:3]), row[3], row[4]) for row in rows]


def drawn_at_random(cursor: Cursor, scope: Scope) -> dict[int, int]:
    """The actions that were drawn at random in a scope, with their depths."""
    rows = cursor.execute(
        "SELECT d.action_id, a.depth FROM audit_draws d JOIN actions a USING (action_id)"
        " WHERE way = 'random' AND NOT again AND d.dataset IS NOT DISTINCT FROM ?"
        " AND d.depth IS NOT DISTINCT FROM ? AND d.answers = ?",
        [scope.dataset, scope.depth, scope.answers],
    ).fetchall()
    return dict(rows)


def random_draws(cursor: Cursor) -> dict[Scope, int]:
    """How many random draws were made in each scope."""
    rows = cursor.execute(
        "SELECT dataset, depth, answers, count(*) FROM audit_draws WHERE way = 'random' AND NOT again"
        " GROUP BY ALL"
    ).fetchall()
    return {Scope(*row[:3]): row[3] for row in rows}


def describe(cursor: Cursor, action_id: int) -> tuple[int, str, int, bool]:
    """An action's question, dataset, depth and whether it is an answer."""
    rows = cursor.execute(
        "SELECT a.question_id, q.dataset, a.depth, a.is_answer FROM actions a JOIN questions q"
        " USING (question_id) WHERE a.action_id = ?",
        [action_id],
    ).fetchall()
    question_id, dataset, depth, is_answer = rows[0]
    return question_id, dataset, depth, is_answer


def first_verdict(cursor: Cursor, action_id: int, question_id: int) -> int:
    """The number of an action's first readable verdict."""
    row = cursor.execute(
        "SELECT min(verdict_id) FROM verdicts WHERE question_id = ? AND action_id = ?"
        " AND status = 'judged' AND reward IS NOT NULL",
        [question_id, action_id],
    ).fetchone()
    return int(row[0]) if row else 0


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """How an action stands in the queue: each auditor's label in force, and whether it is with somebody."""

    words: dict[str, str]
    reserved: bool

    @property
    def is_free(self) -> bool:
        return not self.words and not self.reserved


def standing_of_action(cursor: Cursor, action_id: int, question_id: int, now: datetime) -> Standing:
    """How an action stands right now, what this transaction wrote included."""
    rows = cursor.execute(
        f"SELECT auditor, arg_max(value, {PLACE}) FROM labels WHERE question_id = $question"
        " AND action_id = $action AND value <> 'withdrawn' AND client_uid NOT IN"
        "  (SELECT withdraws FROM labels WHERE question_id = $question AND withdraws IS NOT NULL)"
        " GROUP BY auditor UNION ALL SELECT NULL, NULL FROM audit_draws WHERE question_id = $question"
        " AND action_id = $action AND NOT met AND expires_at > $now",
        {"question": question_id, "action": action_id, "now": now},
    ).fetchall()
    words = {auditor: value for auditor, value in rows if auditor is not None}
    return Standing(words, reserved=len(words) < len(rows))


def is_anothers_draw(cursor: Cursor, draw_id: int | None, auditor: str, action_id: int) -> bool:
    """Whether that number is taken by a draw of another auditor or action, as in a store made anew."""
    row = cursor.execute("SELECT auditor, action_id FROM audit_draws WHERE draw_id = ?", [draw_id]).fetchone()
    return row is not None and row != (auditor, action_id)


def is_with_another(cursor: Cursor, draw: Draw, now: datetime) -> bool:
    """Whether somebody else was given the action of a draw and still has time for it."""
    row = cursor.execute(
        "SELECT count(*) FROM audit_draws WHERE question_id = ? AND action_id = ? AND NOT met"
        " AND expires_at > ? AND auditor <> ?",
        [draw.question_id, draw.action_id, now, draw.auditor],
    ).fetchone()
    return bool(row and row[0])


def busy_actions(cursor: Cursor, now: datetime) -> set[int]:
    """All actions with a label in force or a reservation."""
    rows = cursor.execute(
        f"SELECT action_id FROM labels WHERE {STANDS}"
        " UNION SELECT action_id FROM audit_draws WHERE NOT met AND expires_at > ?",
        [now],
    ).fetchall()
    return {action_id for (action_id,) in rows}


def drawn_and_waiting(
    cursor: Cursor, scope: Scope, now: datetime, kept: Collection[int] = (), *, each_depth: bool = False
) -> tuple[int, int, Scope] | None:
    """An action drawn at random in a scope that has no label and is with nobody; its question, that scope.

    Those that are `kept` are with somebody, too. With `each_depth` also of the scope's single depths.
    """
    row = cursor.execute(
        "SELECT action_id, question_id, depth FROM audit_draws d WHERE way = 'random'"
        " AND dataset IS NOT DISTINCT FROM $dataset AND answers = $answers"
        " AND ($each_depth OR depth IS NOT DISTINCT FROM $depth)"
        f" AND action_id NOT IN (SELECT action_id FROM labels WHERE {STANDS})"
        " AND action_id NOT IN (SELECT action_id FROM audit_draws WHERE NOT met AND expires_at > $now)"
        " AND action_id NOT IN (SELECT unnest($kept::BIGINT[])) ORDER BY draw_id LIMIT 1",
        {**dataclasses.asdict(scope), "each_depth": each_depth, "now": now, "kept": sorted(kept)},
    ).fetchone()
    return (row[0], row[1], dataclasses.replace(scope, depth=row[2])) if row else None


def repeatable(cursor: Cursor, auditor: str, scope: Scope, gap: int) -> list[tuple[int, int, str]]:
    """An auditor's decided labels that may come again: action, question, uid.

    Those in force, of the scope, on actions that the auditor's last `gap` labels are not of, and not repeated
    yet; no adjudications, which a later vote of the same auditor would undo.
    """
    return cursor.execute(
        "WITH mine AS (SELECT label_id, client_uid, action_id, question_id, value, adjudicates,"
        "   row_number() OVER (ORDER BY label_id DESC) AS age,"
        f"   row_number() OVER (PARTITION BY action_id ORDER BY {PLACE} DESC) AS place"
        f" FROM labels WHERE auditor = ? AND {STANDS})"
        " SELECT m.action_id, m.question_id, m.client_uid FROM mine m JOIN actions a"
        "  ON a.action_id = m.action_id AND a.question_id = m.question_id"
        " JOIN questions q ON q.question_id = m.question_id"
        " WHERE place = 1 AND value IN ('0', '1') AND NOT adjudicates"
        " AND m.action_id NOT IN (SELECT action_id FROM mine WHERE age <= ?)"
        " AND (? IS NULL OR q.dataset = ?) AND (? IS NULL OR a.depth = ?) AND (? OR NOT a.is_answer)"
        " AND m.action_id NOT IN (SELECT action_id FROM audit_draws WHERE auditor = ? AND way = 'repeat')"
        " ORDER BY m.action_id",
        [auditor, gap, *_scope_values(scope), auditor],
    ).fetchall()


def overlappable(cursor: Cursor, auditor: str, scope: Scope, now: datetime) -> list[tuple[int, int]]:
    """Actions (and questions) of the scope that another auditor decided and this one was never asked of."""
    return cursor.execute(
        f"WITH standing AS ({words_in_force()})"
        " SELECT DISTINCT a.action_id, a.question_id FROM standing s JOIN actions a"
        "  ON a.action_id = s.action_id AND a.question_id = s.question_id"
        " JOIN questions q ON q.question_id = a.question_id"
        " WHERE s.auditor <> ? AND s.value IN ('0', '1') AND (? IS NULL OR q.dataset = ?)"
        " AND (? IS NULL OR a.depth = ?) AND (? OR NOT a.is_answer)"
        " AND a.action_id NOT IN (SELECT action_id FROM standing WHERE auditor = ?)"
        " AND a.action_id NOT IN (SELECT action_id FROM audit_draws WHERE auditor = ? AND NOT met"
        "  AND expires_at > ?) ORDER BY a.action_id",
        [auditor, *_scope_values(scope), auditor, auditor, now],
    ).fetchall()


def _scope_values(scope: Scope) -> Sequence[Any]:
    return [scope.dataset, scope.dataset, scope.depth, scope.depth, scope.answers]


_LABELLED_DRAWS = (
    "SELECT draw_id FROM label_facts JOIN labels USING (client_uid) WHERE auditor = ?"
    f" AND draw_id IS NOT NULL AND {STANDS}"
)
_SCOPE_COLUMNS = ("dataset", "depth", "answers")


def _one(cursor: Cursor, condition: str, values: Sequence[Any]) -> Draw | None:
    found = _many(cursor, condition, values)
    return found[0] if found else None


def _many(cursor: Cursor, condition: str, values: Sequence[Any]) -> list[Draw]:
    names = column_names("audit_draws")
    rows = cursor.execute(
        f"SELECT {', '.join(names)} FROM audit_draws d WHERE {condition} ORDER BY draw_id", list(values)
    ).fetchall()
    draws = []
    for row in rows:
        named = dict(zip(names, row, strict=True))
        scope = Scope(*(named.pop(name) for name in _SCOPE_COLUMNS))
        draws.append(Draw(**named, scope=scope))
    return draws
