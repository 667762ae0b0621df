"""Votes from the queue: labels that know their draw; conflicts, flags, and where an auditor was."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bswirl.audit.records import DECIDED, Conflict
from bswirl.errors import InputError
from bswirl.records import Label
from bswirl.store.database import Cursor, utc_now
from bswirl.store.draws import Draw, find_draw, open_draws
from bswirl.store.in_force import PLACE, STANDS
from bswirl.store.labels import (
    NewLabel,
    disputed_actions,
    label_by_uid,
    label_in_force,
    labels_in_force,
    set_label,
)
from bswirl.store.rewards import effective_rewards
from bswirl.store.writing import StoreWriter

SHOWN_TEXT = 300  # characters of a step in a list
_EVERY_LABEL = 2**31 - 1

_CONFLICT = ("action_id", "question_id", "address", "depth", "text", "judge", "judge_reward")

_STANDING = (
    "(SELECT l.*, f.draw_id, f.seconds, f.after_reveal FROM labels l JOIN label_facts f USING (client_uid)"
    f" WHERE auditor = $auditor AND {STANDS})"
)


def vote(
    writer: StoreWriter,
    draw_id: int,
    *,
    client_uid: str,
    auditor: str,
    value: str,
    reason: str | None = None,
    flagged: bool = False,
    seconds: float | None = None,
    peer_uid: int | None = None,
    action_id: int | None = None,
    seen: bool = False,
) -> Label:
    """Labels what was drawn. An auditor's first vote on a step drawn blind is blind, later ones come after
    the reveal; with `seen`, it is not: the auditor had looked the judge up before.

    The same client uid again gives the same label. Raises InputError where the draw is another auditor's, or
    of another action than `action_id`.
    """
    known = label_by_uid(writer.cursor, client_uid)
    if known is not None:
        return known
    draw = find_draw(writer.cursor, draw_id, auditor)
    if action_id not in (None, draw.action_id):
        raise InputError(
            f"draw {draw_id} is of action {draw.action_id}", "name that action, or leave the draw out"
        )
    first = not was_voted(writer.cursor, draw)
    return set_label(
        writer,
        NewLabel(
            client_uid=client_uid,
            action_id=draw.action_id,
            value=value,
            auditor=auditor,
            reason=reason,
            blind=draw.blind and first and not seen,
            flagged=flagged,
            peer_uid=peer_uid,
            draw_id=draw_id,
            seconds=seconds,
            after_reveal=draw.blind and not first,
            repeats=draw.repeats if first else None,
        ),
    )


def was_voted(cursor: Cursor, draw: Draw) -> bool:
    """Whether the auditor of a draw ever labelled its step, there or elsewhere, withdrawn or not.

    The judge was shown then. A hidden repeat is shown as if for the first time, so only votes on it count.
    """
    row = cursor.execute(
        "SELECT count(*) FROM labels l LEFT JOIN label_facts f USING (client_uid) WHERE l.question_id = ?"
        " AND l.action_id = ? AND l.auditor = ? AND (f.draw_id = ? OR NOT ?)",
        [draw.question_id, draw.action_id, draw.auditor, draw.draw_id, draw.repeats is not None],
    ).fetchone()
    return bool(row and row[0])


def flag(
    writer: StoreWriter,
    action_id: int,
    *,
    client_uid: str,
    auditor: str,
    flagged: bool,
    peer_uid: int | None = None,
) -> Label:
    """Sets or takes the flag on an auditor's label: a new label of the same value.

    Without a label of theirs on it, the step is skipped with a flag.
    """
    known = label_by_uid(writer.cursor, client_uid)
    if known is not None:
        return known
    now = label_in_force(writer.cursor, auditor, action_id)
    if now is None:
        shown = [
            draw for draw in open_draws(writer.cursor, auditor, utc_now()) if draw.action_id == action_id
        ]
        facts: dict[str, Any] = {"client_uid": client_uid, "auditor": auditor, "value": "skip"}
        facts |= {"flagged": flagged, "peer_uid": peer_uid}
        if shown:
            return vote(writer, shown[-1].draw_id, **facts)
        return set_label(writer, NewLabel(action_id=action_id, **facts))
    return set_label(
        writer,
        NewLabel(
            client_uid,
            action_id,
            now.value,
            auditor,
            reason=now.reason,
            blind=now.blind,
            adjudicates=now.adjudicates,
            flagged=flagged,
            peer_uid=peer_uid,
            draw_id=now.draw_id,
            after_reveal=now.after_reveal or now.repeats is not None,
        ),
    )


def adjudicate(writer: StoreWriter, new: NewLabel, since: int) -> Label:
    """Decides an action, after a look at its labels up to the number `since`.

    The same client uid again gives the same label. Raises InputError where somebody decided it after that.
    """
    if known := label_by_uid(writer.cursor, new.client_uid):
        return known
    for label in labels_in_force(writer.cursor, _EVERY_LABEL, actions=[new.action_id]):
        if label.adjudicates and label.value in DECIDED and (label.label_id or 0) > since:
            raise InputError(
                f"{label.auditor} decided {label.value} on action {new.action_id} meanwhile",
                f"see why with `bswirl audit show {new.action_id}`; "
                "`bswirl audit adjudicate` decides over it",
            )
    return set_label(writer, new)


def draw_of(cursor: Cursor, label: Label) -> Draw | None:
    """The draw that a label came from; None too where the store has lost it."""
    if label.draw_id is None:
        return None
    try:
        draw = find_draw(cursor, label.draw_id, label.auditor)
    except InputError:
        return None
    return draw if draw.action_id == label.action_id else None


def flagged_labels(cursor: Cursor, limit: int) -> list[Label]:
    """Labels in force that carry a flag, newest first."""
    return labels_in_force(cursor, limit, flagged=True)


def reveal_meter(cursor: Cursor, auditor: str) -> tuple[int, int, float | None]:
    """How many blind votes were revealed, how many of them then changed, and the median seconds to a vote."""
    row = cursor.execute(
        "WITH first AS (SELECT draw_id, arg_min(value, label_id) AS value, arg_min(seconds, label_id) AS"
        f"  seconds FROM {_STANDING} WHERE NOT after_reveal AND blind GROUP BY draw_id),"
        f" later AS (SELECT draw_id, arg_max(value, {PLACE}) AS value FROM {_STANDING} WHERE after_reveal"
        "  GROUP BY draw_id)"
        " SELECT count(*) FILTER (f.value IN ('0', '1')),"
        "  count(*) FILTER (f.value IN ('0', '1') AND l.value IN ('0', '1') AND l.value <> f.value),"
        "  median(f.seconds) FROM first f LEFT JOIN later l USING (draw_id)",
        {"auditor": auditor},
    ).fetchone()
    return row or (0, 0, None)


def list_conflicts(cursor: Cursor, limit: int) -> list[Conflict]:
    """Actions on which auditors disagree, those without an adjudication, by number."""
    chosen = disputed_actions(cursor, limit)
    if not chosen:
        return []
    found: defaultdict[int, list[Label]] = defaultdict(list)
    for label in labels_in_force(cursor, _EVERY_LABEL, actions=chosen):
        found[label.action_id].append(label)
    scope = (
        "question_id IN (SELECT question_id FROM labels WHERE action_id IN (SELECT unnest($ids::BIGINT[])))"
    )
    rows = cursor.execute(
        f"WITH {effective_rewards(scope)} SELECT action_id, question_id, q.dataset || ':' || q.external_id,"
        f" depth, left(e.text, {SHOWN_TEXT}), judge, judge_reward FROM effective e JOIN questions q"
        " USING (question_id) WHERE action_id IN (SELECT unnest($ids::BIGINT[])) ORDER BY action_id",
        {"ids": chosen},
    ).fetchall()
    conflicts = []
    for row in rows:
        about: dict[str, Any] = dict(zip(_CONFLICT, row, strict=True))
        labels = sorted(found[row[0]], key=lambda label: label.auditor)
        conflicts.append(Conflict(**about, votes=tuple(labels)))
    return conflicts
