"""The methods of the audit queue. docs/protocol.md lists them with their parameters and results."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from datetime import timedelta
from random import SystemRandom
from typing import Any

from bswirl.audit.records import (
    DECIDED,
    AuditItem,
    AuditNext,
    AuditPosition,
    AuditUndo,
    AuditVote,
    Scope,
    hidden,
)
from bswirl.audit.sampling import Shares, ways
from bswirl.errors import UsageError
from bswirl.owner.drawing import Request
from bswirl.owner.session import Session
from bswirl.store.audit_record import read_record
from bswirl.store.database import Cursor, iso, snapshot, utc_now
from bswirl.store.draws import Draw, draws_by_uid, find_draw, newest_draw, open_draws
from bswirl.store.fields import INT64, Fields
from bswirl.store.labels import check_uid, count_in_force, labels_in_force, undo_label
from bswirl.store.trees import read_action, read_unrewarded
from bswirl.store.votes import (
    draw_of,
    flag,
    flagged_labels,
    list_conflicts,
    reveal_meter,
    vote,
    was_voted,
)

RESERVED_MINUTES = 10.0
_LONGEST_VOTE_SECONDS = 86_400.0
_LAST = 10
_MOST_ROWS = 100_000

_rng = SystemRandom()


def audit_next(session: Session, params: Fields) -> Any:
    """The next step in an order, its judge hidden where blind; the same uid again gives the same step.

    What an earlier sitting left comes before anything new, so that its auditor is always at the oldest.
    """
    request = _request(session, params)
    draw, why = _left_over(session, request, params.numbers_of("here")), ""
    if draw is None:
        draw, why = session.owner.audit_queue.next(request)
    if draw is None:
        return AuditNext(None, why)
    session.owner.audit_queue.held[draw.draw_id] = session
    return AuditNext(_item(session.cursor, draw))


def audit_keep(session: Session, params: Fields) -> Any:
    """Keeps a step that is still on screen its auditor's; false where somebody else has it by now."""
    draw_id = params.integer("draw_id", high=INT64)
    return session.owner.audit_queue.keep(draw_id, _auditor(session, params), _reserve(params))


def audit_label(session: Session, params: Fields) -> Any:
    """A vote on a step that was shown; the reply reveals everything."""
    draw_id = params.integer("draw_id", high=INT64)
    seconds = params.number("seconds")
    if seconds is not None and not 0 <= seconds <= _LONGEST_VOTE_SECONDS:
        seconds = None
    facts: dict[str, Any] = {
        "client_uid": _uid(params),
        "auditor": _auditor(session, params),
        "value": _value(params),
        "reason": params.optional_text("reason"),
        "flagged": bool(params.flag("flagged")),
        "seconds": seconds,
        "seen": bool(params.flag("seen")),
        "action_id": params.optional_integer("action_id", high=INT64),
        "peer_uid": session.peer_uid,
    }
    label = session.owner.writer.write(lambda store: vote(store, draw_id, **facts))
    session.owner.audit_queue.held.pop(draw_id, None)
    session.owner.audit_queue.keeping.drop(draw_id)
    with snapshot(session.cursor) as cursor:
        item = _item(cursor, find_draw(cursor, draw_id))
    said = item.detail.action.judge_reward
    if said is None or label.value not in DECIDED:
        return AuditVote(label, item)
    return AuditVote(label, item, agrees=(said >= 0.5) == (label.value == "1"))


def audit_undo(session: Session, params: Fields) -> Any:
    """Withdraws the auditor's newest label and shows its step again; null where there is none."""
    client_uid, auditor = _uid(params), _auditor(session, params)
    label = session.owner.writer.write(lambda store: undo_label(store, client_uid, auditor, session.peer_uid))
    if label is None:
        return None
    with snapshot(session.cursor) as cursor:
        draw = draw_of(cursor, label)
        if draw is not None:
            session.owner.audit_queue.held[draw.draw_id] = session
        return AuditUndo(label, _item(cursor, draw) if draw else None)


def audit_flag(session: Session, params: Fields) -> Any:
    """Sets or takes the flag on the auditor's label of an action."""
    action_id = params.integer("action_id", high=INT64)
    client_uid, auditor = _uid(params), _auditor(session, params)
    flagged = params.flag("flagged") is not False
    return session.owner.writer.write(
        lambda store: flag(
            store,
            action_id,
            client_uid=client_uid,
            auditor=auditor,
            flagged=flagged,
            peer_uid=session.peer_uid,
        )
    )


def audit_position(session: Session, params: Fields) -> Any:
    """Where the auditor was: the oldest step given and not labelled, unless another connection has it.

    Of those that were asked for as the newest was: steps of an order that was left are no place to go on.
    """
    auditor, queue = _auditor(session, params), session.owner.audit_queue
    with snapshot(session.cursor) as cursor:
        newest = newest_draw(cursor, auditor)
        draws = open_draws(cursor, auditor, utc_now()) if newest is not None else []
        alike = (draw for draw in draws if newest is not None and draw.asked == newest.asked)
        here = next((draw for draw in alike if queue.hold(draw.draw_id, session)), None)
        reveals, turned, median = reveal_meter(cursor, auditor)
        return AuditPosition(
            auditor=auditor,
            item=_item(cursor, here) if here is not None else None,
            order=newest.order_name if newest is not None else None,
            labelled=count_in_force(cursor, auditor),
            last=tuple(labels_in_force(cursor, _LAST, auditor=auditor)),
            reveals=reveals,
            turned=turned,
            median_seconds=median,
        )


def audit_conflicts(session: Session, params: Fields) -> Any:
    """What auditors disagree on, without an adjudication."""
    with snapshot(session.cursor) as cursor:
        return list_conflicts(cursor, _limit(params))


def audit_flags(session: Session, params: Fields) -> Any:
    """Labels in force with a flag, newest first."""
    with snapshot(session.cursor) as cursor:
        return flagged_labels(cursor, _limit(params))


def audit_record(session: Session, _params: Fields) -> Generator[Any, None, dict[str, Any]]:
    """Everything that a report is made of: an item a row, the rest as the result."""
    session.owner.counting.freshen()
    with snapshot(session.cursor) as cursor:
        record = read_record(cursor, session.owner.audit_queue.judged(cursor))
    yield from record.items
    return {name: getattr(record, name) for name in ("turns", "judges", "effect", "judged")}


def _left_over(session: Session, request: Request, here: frozenset[int] | None) -> Draw | None:
    """The oldest step that its auditor was given, asked for as now, and that no app has any more.

    `here` are the draws that the one which asks has; None: all that its connection was given.
    """
    queue = session.owner.audit_queue
    known = queue.left_overs.get(request.client_uid)
    with snapshot(session.cursor) as cursor:
        if known is not None:
            return find_draw(cursor, known, request.auditor)
        if draws_by_uid(cursor, request.client_uid):
            return None
        draws = open_draws(cursor, request.auditor, utc_now())
    for draw in draws:
        if queue.held.get(draw.draw_id) is session if here is None else draw.draw_id in here:
            queue.hold(draw.draw_id, session)
        elif (
            draw.asked == request.asked
            and request.scope.depth in (None, draw.scope.depth)
            and queue.hold(draw.draw_id, session)
            and queue.keep(draw.draw_id, request.auditor, request.reserve)
        ):
            queue.left_overs[request.client_uid] = draw.draw_id
            return draw
    return None


def _request(session: Session, params: Fields) -> Request:
    order = params.optional_text("order") or "random"
    defaults = Shares()
    shares = Shares(
        *(
            getattr(defaults, name) if (value := params.number(key)) is None else value
            for name, key in (("random", "slice"), ("repeats", "repeats"), ("overlap", "overlap"))
        )
    )
    blind = params.flag("blind")
    return Request(
        client_uid=_uid(params),
        auditor=_auditor(session, params),
        peer_uid=session.peer_uid,
        order=order,
        scope=Scope(
            params.optional_text("dataset"),
            params.optional_integer("depth", low=1),
            bool(params.flag("answers")),
        ),
        shares=shares,
        blind=True if blind is None else blind,
        reserve=_reserve(params),
        ways=ways(order, shares, _rng),
    )


def _reserve(params: Fields) -> timedelta:
    minutes = params.number("reserve_minutes")
    if minutes is not None and not 0 < minutes <= 1440:
        raise UsageError(f"{minutes} is no time to reserve a step for", "give 1 to 1440 minutes")
    return timedelta(minutes=RESERVED_MINUTES if minutes is None else minutes)


def _item(cursor: Cursor, draw: Draw) -> AuditItem:
    """What may be shown of a draw: everything once its auditor voted on that step."""
    voted = was_voted(cursor, draw)
    plain = draw.blind and not voted
    item = AuditItem(
        draw_id=draw.draw_id,
        order=draw.order_name,
        detail=read_unrewarded(cursor, draw.action_id, draw.question_id)
        if plain
        else read_action(cursor, draw.action_id),
        blind=draw.blind,
        revealed=True,
        shown_at=iso(draw.shown_at),
    )
    return item if voted else hidden(item)


def _auditor(session: Session, params: Fields) -> str:
    auditor = params.optional_text("auditor") or session.auditor
    if not auditor.strip():
        raise UsageError("an audit needs an auditor's name", "give one with --as NAME")
    return auditor


def _uid(params: Fields) -> str:
    client_uid = params.optional_text("client_uid") or str(uuid.uuid4())
    check_uid(client_uid)
    return client_uid


def _value(params: Fields) -> str:
    value = params.text("value")
    if value == "withdrawn":
        raise UsageError("a vote is 1, 0, unsure or skip", "audit_undo withdraws")
    return value


def _limit(params: Fields) -> int:
    limit = params.optional_integer("limit")
    return min(1000 if limit is None else limit, _MOST_ROWS)
