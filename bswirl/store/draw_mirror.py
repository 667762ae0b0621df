"""draws.jsonl: every draw of the audit queue as a line; a store made anew keeps its rates unbiased by it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from bswirl.audit.records import Scope
from bswirl.errors import UsageError
from bswirl.store.database import moment
from bswirl.store.draws import WAYS, Draw, draw_line, draws_after, insert_draws
from bswirl.store.fields import INT64, Fields, RowError
from bswirl.store.labels import check_uid
from bswirl.store.lookups import action_texts, questions_of_actions
from bswirl.store.mirror import Line, text_sha
from bswirl.store.writing import StoreWriter

_log = logging.getLogger(__name__)


def recover_draws(writer: StoreWriter) -> int:
    """Makes store and draws.jsonl agree after a crash; call it once at start, inside no transaction.

    Draws that reached only the mirror are stored (returns how many), those that only the store has (it is
    older than the mirror, or the mirror was removed) are written to the mirror again.
    """
    missing: list[Line] = []
    common = 0  # the newest draw that both have
    for line in writer.draw_mirror.newest_first():
        if line is None:
            continue
        if (known := _number_of(writer, str(line.get("client_uid")))) is not None:
            common = known
            break
        missing.append(line)
    _mirror_again(writer, common)
    return _replay(writer, missing[::-1])


def _number_of(writer: StoreWriter, client_uid: str) -> int | None:
    row = writer.cursor.execute(
        "SELECT draw_id FROM audit_draws WHERE client_uid = ?", [client_uid]
    ).fetchone()
    return None if row is None else int(row[0])


def _mirror_again(writer: StoreWriter, after: int) -> None:
    draws = draws_after(writer.cursor, after)
    if draws:
        there = writer.draw_mirror.uids()
        draws = [draw for draw in draws if draw.client_uid not in there]
        texts = action_texts(writer.cursor, {draw.action_id for draw in draws})
        writer.draw_mirror.append([draw_line(draw, texts[draw.action_id]) for draw in draws])
        writer.draw_mirror.keep()


def _replay(writer: StoreWriter, lines: Sequence[Line]) -> int:
    """Stores draws that only the mirror has, under their numbers, which labels name; returns how many fit."""
    draws = {draw.draw_id: (draw, line) for line in lines if (draw := _parsed(line)) is not None}
    actions = {draw.action_id for draw, _ in draws.values()}
    texts, questions = action_texts(writer.cursor, actions), questions_of_actions(writer.cursor, actions)
    fitting = [
        draw
        for draw, line in draws.values()
        if questions.get(draw.action_id) == draw.question_id
        and text_sha(texts[draw.action_id]) == line.get("action_sha")
        and not _is_taken(writer, draw.draw_id)
    ]
    if len(fitting) < len(lines):
        _log.warning(
            "draws.jsonl: %d draws are of no action in this store; left out", len(lines) - len(fitting)
        )
    if fitting:
        with writer.transaction():
            insert_draws(writer.cursor, fitting)
        writer.numbers.forget()
    return len(fitting)


def _is_taken(writer: StoreWriter, draw_id: int) -> bool:
    found = writer.cursor.execute("SELECT 1 FROM audit_draws WHERE draw_id = ?", [draw_id]).fetchone()
    return found is not None


def _parsed(line: Line) -> Draw | None:
    """The draw of a line; None where it is none."""
    fields = Fields(line)
    try:
        draw = Draw(
            draw_id=fields.integer("draw_id", low=1, high=INT64),
            client_uid=fields.text("client_uid"),
            auditor=fields.text("auditor"),
            peer_uid=fields.optional_integer("peer_uid"),
            action_id=fields.integer("action_id", high=INT64),
            question_id=fields.integer("question_id"),
            order_name=fields.text("order_name"),
            way=fields.text("way"),
            met=bool(fields.flag("met")),
            again=bool(fields.flag("again")),
            blind=bool(fields.flag("blind")),
            scope=Scope(
                fields.optional_text("dataset"),
                fields.optional_integer("depth"),
                bool(fields.flag("answers")),
            ),
            random_share=fields.number("random_share") or 0.0,
            mark=fields.optional_integer("mark", high=INT64),
            remaining=fields.optional_integer("remaining", high=INT64),
            inclusion=fields.number("inclusion"),
            repeats=fields.optional_text("repeats"),
            score=fields.number("score"),
            shown_at=_time(fields, "shown_at"),
            expires_at=_time(fields, "expires_at"),
        )
        check_uid(draw.client_uid)
    except (RowError, UsageError):
        return None
    return draw if draw.way in WAYS else None


def _time(fields: Fields, name: str) -> datetime:
    found = moment(fields.text(name))
    if found is None:
        raise RowError(f"`{name}` is no time")
    return found
