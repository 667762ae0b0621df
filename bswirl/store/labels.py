"""Labels: set, withdrawn, replayed from the mirror. A withdrawal is a label that names another."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from bswirl.errors import InputError, UsageError
from bswirl.records import LABEL_VALUES, Label, from_json
from bswirl.store import in_force
from bswirl.store.bulk import column_names, insert_rows
from bswirl.store.database import Cursor, iso, moment, storable, utc_now
from bswirl.store.draws import is_anothers_draw
from bswirl.store.lookups import among, rows_for
from bswirl.store.mirror import FIRST_SHA, chained, text_sha
from bswirl.store.writing import StoreWriter

_COLUMNS = (
    "label_id, client_uid, action_id, value, auditor, reason, blind, adjudicates, flagged, created_at,"
    " draw_id, seconds, coalesce(after_reveal, false) AS after_reveal, repeats,"
    " withdraws"
)
_LABELS = "labels LEFT JOIN label_facts USING (client_uid)"
_ASKED = (
    "($auditor IS NULL OR auditor = $auditor)"
    " AND ($actions::BIGINT[] IS NULL OR action_id IN (SELECT unnest($actions::BIGINT[])))"
)
_IN_FORCE = f"({in_force.labels_in_force(_ASKED)}) AS in_force"
_FACTS = ("draw_id", "seconds", "after_reveal", "repeats")  # kept apart, and in the mirror only where known
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class NewLabel:
    """A label to be: what a client asked for, checked."""

    client_uid: str
    action_id: int
    value: str
    auditor: str
    reason: str | None = None
    blind: bool | None = None
    adjudicates: bool = False
    flagged: bool = False
    peer_uid: int | None = None
    draw_id: int | None = None
    seconds: float | None = None
    after_reveal: bool = False
    repeats: str | None = None
    withdraws: str | None = None  # which label a withdrawal takes back; None: the newest of that action

    def __post_init__(self) -> None:
        """Raises UsageError where a field cannot be stored."""
        if self.value not in LABEL_VALUES:
            raise UsageError(f"`{self.value}` is no label", f"labels are {', '.join(LABEL_VALUES)}")
        if not self.auditor.strip():
            raise UsageError("a label needs an auditor's name", "give one with --as NAME")
        check_uid(self.client_uid)


class _Place(NamedTuple):
    """Where a label's action is."""

    question_id: int
    text: str
    question: str  # its address


def check_uid(text: str) -> None:
    """Raises UsageError where `text` is no UUID."""
    try:
        uuid.UUID(text)
    except ValueError as error:
        raise UsageError(f"`{text}` is no UUID", "make one with uuid.uuid4()") from error


def set_label(writer: StoreWriter, new: NewLabel) -> Label:
    """Stores a label and returns it; the same client uid again returns the same label.

    Value `withdrawn` withdraws the label that it names, else the auditor's newest label of that action.
    Raises InputError where there is no such action or nothing to withdraw.
    """
    if known := label_by_uid(writer.cursor, new.client_uid):
        return known
    if new.value != "withdrawn":
        return _insert(writer, [(new, None)])[0]
    if new.withdraws is None:
        current = _newest_standing(writer.cursor, new.auditor, new.action_id)
    else:
        current = _own_label(writer.cursor, new)
        if current is not None and (gone := _withdrawal_of(writer.cursor, new.withdraws)) is not None:
            return gone
    if current is None:
        raise InputError(
            f"{new.auditor} has no label on action {new.action_id} to withdraw",
            "`bswirl audit set` makes one",
        )
    return _insert(writer, [(new, current.client_uid)])[0]


def add_labels(writer: StoreWriter, labels: Sequence[NewLabel]) -> None:
    """Stores many new labels at once; none may be a withdrawal or repeat a client uid.

    Raises InputError where one is of no action.
    """
    _insert(writer, [(new, None) for new in labels])


def undo_label(
    writer: StoreWriter, client_uid: str, auditor: str, peer_uid: int | None = None
) -> Label | None:
    """Withdraws the auditor's newest label that stands and returns it; None where there is none.

    The same client uid again returns what it withdrew the first time.
    """
    check_uid(client_uid)
    row = writer.cursor.execute("SELECT withdraws FROM labels WHERE client_uid = ?", [client_uid]).fetchone()
    if row:
        return label_by_uid(writer.cursor, row[0]) if row[0] else None
    current = _newest_standing(writer.cursor, auditor)
    if current is None:
        return None
    withdrawal = NewLabel(client_uid, current.action_id, "withdrawn", auditor, peer_uid=peer_uid)
    _insert(writer, [(withdrawal, current.client_uid)])
    return current


def newest_labels(
    cursor: Cursor, limit: int, auditor: str | None = None, action_id: int | None = None
) -> list[Label]:
    """The newest labels, newest first, withdrawn ones and withdrawals among them."""
    rows = cursor.execute(
        f"SELECT {_COLUMNS} FROM {_LABELS} WHERE (?::VARCHAR IS NULL OR auditor = ?)"
        " AND (?::BIGINT IS NULL OR action_id = ?) ORDER BY label_id DESC LIMIT ?",
        [auditor, auditor, action_id, action_id, limit],
    ).fetchall()
    return [_label(row) for row in rows]


def labels_in_force(
    cursor: Cursor,
    limit: int,
    *,
    auditor: str | None = None,
    actions: Collection[int] | None = None,
    flagged: bool = False,
) -> list[Label]:
    """Each auditor's label in force of each action, newest first.

    Those of one auditor, of some actions, or with a flag, where that is asked for.
    """
    rows = cursor.execute(
        f"SELECT {_COLUMNS} FROM {_IN_FORCE} LEFT JOIN label_facts USING (client_uid)"
        " WHERE (NOT $flagged OR flagged) ORDER BY label_id DESC LIMIT $limit",
        {
            "auditor": auditor,
            "actions": None if actions is None else sorted(actions),
            "flagged": flagged,
            "limit": limit,
        },
    ).fetchall()
    return [_label(row) for row in rows]


def count_in_force(cursor: Cursor, auditor: str) -> int:
    """How many actions have a label of that auditor in force."""
    row = cursor.execute(
        f"SELECT count(*) FROM {_IN_FORCE}", {"auditor": auditor, "actions": None}
    ).fetchone()
    return int(row[0]) if row else 0


def disputed_actions(cursor: Cursor, limit: int) -> list[int]:
    """Actions on which auditors disagree and nobody has adjudicated, by number."""
    rows = cursor.execute(
        f"SELECT action_id FROM {_IN_FORCE} WHERE value IN ('0', '1') GROUP BY action_id"
        " HAVING count(DISTINCT value) > 1 AND NOT bool_or(adjudicates) ORDER BY action_id LIMIT $limit",
        {"auditor": None, "actions": None, "limit": limit},
    ).fetchall()
    return [action_id for (action_id,) in rows]


def recover_labels(writer: StoreWriter) -> int:
    """Makes store and mirror agree after a crash; call it once at start, inside no transaction.

    Labels that reached only the mirror are stored (returns how many), those that only the store has (the
    mirror was removed) are written to the mirror again.
    """
    newest = _newest_id(writer.cursor)
    missing: list[dict[str, Any]] = []
    common = 0  # the newest label that both have
    for line in writer.mirror.newest_first():
        if line is None:
            continue
        stored = label_by_uid(writer.cursor, str(line.get("client_uid")))
        if stored and stored.label_id is not None:
            common = stored.label_id
            break
        missing.append(line)
    if common < newest:
        _mirror_again(writer, common)
    replayed = 0
    for line in reversed(missing):
        with writer.transaction():
            replayed += _replay(writer, line)
    return replayed


def _insert(writer: StoreWriter, labels: Sequence[tuple[NewLabel, str | None]]) -> list[Label]:
    """Stores labels, each with the uid of the label that it withdraws, and queues their mirror lines."""
    places = _places(writer.cursor, {new.action_id for new, _ in labels})
    lines = []
    for new, withdraws in labels:
        if new.action_id not in places:
            raise InputError(
                f"there is no action {new.action_id}", "`bswirl tree QUESTION` shows the numbers"
            )
        content = {
            "label_id": writer.numbers.next("labels"),
            "client_uid": new.client_uid,
            "action_id": new.action_id,
            "question": places[new.action_id].question,
            "action_sha": text_sha(places[new.action_id].text),
            "value": new.value,
            "withdraws": withdraws,
            "adjudicates": new.adjudicates,
            "flagged": new.flagged,
            "auditor": storable(new.auditor),
            "peer_uid": new.peer_uid,
            "reason": None if new.reason is None else storable(new.reason),
            "blind": new.blind,
            "created_at": iso(utc_now()),
            **_facts(new),
        }
        previous = _last_sha(writer)
        writer.last_sha = chained(previous, content)
        lines.append({**content, "previous_sha": previous, "sha": writer.last_sha})
    writer.label_lines += lines
    return _store(writer, lines, places)


def _facts(new: NewLabel) -> dict[str, Any]:
    """What is known of how the label came about; nothing for one that came by no queue."""
    if new.draw_id is None:
        return {}
    return {name: getattr(new, name) for name in _FACTS}


def _places(cursor: Cursor, actions: Collection[int]) -> dict[int, _Place]:
    rows = rows_for(
        cursor,
        "SELECT action_id, a.question_id, a.text, q.dataset || ':' || q.external_id FROM actions a"
        f" JOIN questions q USING (question_id) WHERE {among('action_id')}",
        actions,
    )
    return {row[0]: _Place(*row[1:]) for row in rows}


def _store(writer: StoreWriter, lines: Sequence[dict[str, Any]], places: Mapping[int, _Place]) -> list[Label]:
    rows = []
    for line in lines:
        question_id = places[line["action_id"]].question_id
        values = {**line, "question_id": question_id, "created_at": moment(line["created_at"])}
        rows.append(tuple(values[name] for name in column_names("labels")))
    insert_rows(writer.cursor, "labels", rows)
    insert_rows(writer.cursor, "label_facts", [_fact_row(line) for line in lines if "draw_id" in line])
    writer.touch("labels", questions={places[line["action_id"]].question_id for line in lines})
    return [from_json(Label, line) for line in lines]


def _fact_row(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        line["client_uid"],
        line["draw_id"],
        line.get("seconds"),
        bool(line.get("after_reveal")),
        line.get("repeats"),
    )


def _replay(writer: StoreWriter, line: dict[str, Any]) -> int:
    """Stores a label that only the mirror has; 0 where it does not fit this store, or was there twice."""
    if label_by_uid(writer.cursor, str(line.get("client_uid"))) is not None:
        return 0
    content = {name: value for name, value in line.items() if name not in ("previous_sha", "sha")}
    try:
        places = _places(writer.cursor, [int(line["action_id"])])
        fits = line["sha"] == chained(line["previous_sha"], content) and all(
            text_sha(place.text) == line["action_sha"] for place in places.values()
        )
        number = max(writer.numbers.next("labels"), int(line["label_id"]))
    except (KeyError, TypeError, ValueError):
        places, fits, number = {}, False, 0
    if not places or not fits:
        _log.warning("labels.jsonl: label %s is of no action in this store; left out", line.get("client_uid"))
        return 0
    if is_anothers_draw(writer.cursor, line.get("draw_id"), line["auditor"], line["action_id"]):
        content = {name: value for name, value in content.items() if name not in _FACTS}
    shas = {name: line[name] for name in ("previous_sha", "sha")}
    _store(writer, [{**content, **shas, "label_id": number}], places)
    writer.last_sha = line["sha"]
    writer.numbers.forget()
    return 1


def _mirror_again(writer: StoreWriter, after: int) -> None:
    rows = writer.cursor.execute(
        f"SELECT {_COLUMNS}, peer_uid, previous_sha, sha, a.text,"
        " q.dataset || ':' || q.external_id"
        f" FROM {_LABELS} JOIN actions a USING (action_id)"
        " JOIN questions q ON q.question_id = labels.question_id"
        " WHERE label_id > ? ORDER BY label_id",
        [after],
    ).fetchall()
    there = writer.mirror.uids()  # in a store made anew, old labels may have got higher numbers
    writer.mirror.append([line for line in map(_line, rows) if line["client_uid"] not in there])
    writer.mirror.keep()


def _line(row: Sequence[Any]) -> dict[str, Any]:
    label = dataclasses.asdict(_label(row))
    if label["draw_id"] is None:
        label = {name: value for name, value in label.items() if name not in _FACTS}
    peer_uid, previous_sha, sha, text, question = row[15:]
    return {
        **label,
        "question": question,
        "action_sha": text_sha(text),
        "peer_uid": peer_uid,
        "previous_sha": previous_sha,
        "sha": sha,
    }


def _last_sha(writer: StoreWriter) -> str:
    if writer.last_sha is None:
        row = writer.cursor.execute("SELECT sha FROM labels ORDER BY label_id DESC LIMIT 1").fetchone()
        writer.last_sha = row[0] if row else FIRST_SHA
    return writer.last_sha


def _newest_id(cursor: Cursor) -> int:
    row = cursor.execute("SELECT max(label_id) FROM labels").fetchone()
    return (row[0] if row else None) or 0


def label_in_force(cursor: Cursor, auditor: str, action_id: int) -> Label | None:
    """The label of an auditor that is in force on an action."""
    return next(iter(labels_in_force(cursor, 1, auditor=auditor, actions=[action_id])), None)


def _newest_standing(cursor: Cursor, auditor: str, action_id: int | None = None) -> Label | None:
    """What an undo takes back: the newest label that was not withdrawn, a skip like any other."""
    row = cursor.execute(
        f"SELECT {_COLUMNS} FROM {_LABELS} WHERE auditor = ? AND {in_force.STANDS}"
        " AND (?::BIGINT IS NULL OR action_id = ?) ORDER BY label_id DESC LIMIT 1",
        [auditor, action_id, action_id],
    ).fetchone()
    return _label(row) if row else None


def _own_label(cursor: Cursor, new: NewLabel) -> Label | None:
    """The label that a withdrawal names, where it is the auditor's own and of that action."""
    found = label_by_uid(cursor, new.withdraws or "")
    if found is None or found.value == "withdrawn":
        return None
    return found if (found.auditor, found.action_id) == (storable(new.auditor), new.action_id) else None


def _withdrawal_of(cursor: Cursor, client_uid: str) -> Label | None:
    """The label that took another back."""
    row = cursor.execute(f"SELECT {_COLUMNS} FROM {_LABELS} WHERE withdraws = ?", [client_uid]).fetchone()
    return _label(row) if row else None


def label_by_uid(cursor: Cursor, client_uid: str) -> Label | None:
    row = cursor.execute(f"SELECT {_COLUMNS} FROM {_LABELS} WHERE client_uid = ?", [client_uid]).fetchone()
    return _label(row) if row else None


def _label(row: Sequence[Any]) -> Label:
    label_id, uid, action_id, value, auditor, reason, blind, adjudicates, flagged, created_at = row[:10]
    draw_id, seconds, after_reveal, repeats, withdraws = row[10:15]
    return Label(
        client_uid=uid,
        action_id=action_id,
        value=value,
        auditor=auditor,
        reason=reason,
        blind=blind,
        adjudicates=adjudicates,
        flagged=flagged,
        created_at=iso(created_at),
        label_id=label_id,
        draw_id=draw_id,
        seconds=seconds,
        after_reveal=after_reveal,
        repeats=repeats,
        withdraws=withdraws,
    )
