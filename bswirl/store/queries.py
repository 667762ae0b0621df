"""Small reads: lists, counts, and what runs reported."""

from __future__ import annotations

import json
import math
from typing import Any

from bswirl.errors import UsageError
from bswirl.records import RUN_KINDS, QuestionRow
from bswirl.store.database import Cursor, iso
from bswirl.store.runs import no_run, run_exists

FILTERS = {
    "all": "true",
    "sampled": "samples > 0",
    "unjudged": "actions > judged",
    "labelled": "labelled > 0",
    "live": "live_groups > 0",
    "dead": "dead_groups > 0 AND live_groups = 0",
    "conflict": "conflicts > 0",
    "unsolved": "trajectories > 0 AND solved = 0",
}
SORTS = {
    "id": "question_id",
    "actions": "actions",
    "reward": "mean_reward",
    "live": "live_groups",
    "labelled": "labelled",
    "address": "dataset, external_id",
}
_SEARCHED = (
    "(contains(lower(dataset || ':' || external_id || ' ' || text), lower($search))"
    " OR question_id IN (SELECT unnest($with_step)))"
)
SHOWN_TEXT = 300  # characters of a question in a list

_COUNTS = (
    "trajectories", "states", "actions", "samples", "judged", "labelled", "live_groups", "dead_groups",
    "solved",
)  # fmt: skip


def list_questions(cursor: Cursor, *, offset: int, limit: int, **asked: Any) -> tuple[list[QuestionRow], int]:
    """A page of questions and how many match, from fresh statistics; what is `asked` as in `_listed`."""
    listed, order, values = _listed(cursor, **asked)
    total = cursor.execute(f"SELECT count(*) FROM {listed}", values).fetchone()
    rows = cursor.execute(
        f"SELECT question_id, dataset, split, external_id, left(text, {SHOWN_TEXT}),"
        f" {', '.join(_COUNTS[:-1])}, mean_reward, solved FROM {listed}"
        f" ORDER BY {order} LIMIT {int(limit)} OFFSET {int(offset)}",
        values,
    ).fetchall()
    return [QuestionRow(*row) for row in rows], total[0] if total else 0


def place_of_question(cursor: Cursor, question_id: int, **asked: Any) -> int | None:
    """Where a question stands in that list, from 0; None where it does not."""
    listed, order, values = _listed(cursor, **asked)
    found = cursor.execute(
        f"SELECT place FROM (SELECT question_id, row_number() OVER (ORDER BY {order}) - 1 AS place"
        f" FROM {listed}) WHERE question_id = $wanted",
        {**values, "wanted": question_id},
    ).fetchone()
    return int(found[0]) if found else None


def _listed(
    cursor: Cursor,
    *,
    search: str,
    dataset: str | None,
    split: str | None,
    only: str,
    sort: str,
    descending: bool,
) -> tuple[str, str, dict[str, Any]]:
    """Which questions are listed (what to say after FROM), their order, and the values of both.

    Raises UsageError on unknown words.
    """
    if only not in FILTERS:
        raise UsageError(f"`{only}` is no filter", f"filters are {', '.join(FILTERS)}")
    if sort not in SORTS:
        raise UsageError(f"questions cannot be sorted by `{sort}`", f"sort by {', '.join(SORTS)}")
    where: list[str] = [FILTERS[only]]
    values: dict[str, Any] = {}
    if search:
        where.append(_SEARCHED)
        values["search"], values["with_step"] = search, _with_step(cursor, search)
    for column, value in (("dataset", dataset), ("split", split)):
        if value is not None:
            where.append(f"{column} = ${column}")
            values[column] = value
    counts = ", ".join(f"coalesce(s.{name}, 0) AS {name}" for name in _COUNTS)
    source = (
        f"(SELECT q.question_id, dataset, split, external_id, text, {counts},"
        " coalesce(conflicts, 0) AS conflicts, reward_sum / nullif(rewarded_samples, 0) AS mean_reward"
        " FROM questions q LEFT JOIN question_stats s USING (question_id))"
    )
    direction = "DESC" if descending else "ASC"
    order = ", ".join(f"{column} {direction} NULLS LAST" for column in SORTS[sort].split(", "))
    return f"{source} WHERE {' AND '.join(where)}", f"{order}, question_id {direction}", values


def _with_step(cursor: Cursor, search: str) -> list[int]:
    """The questions with those words in a step."""
    found = cursor.execute(
        "SELECT DISTINCT question_id FROM actions WHERE contains(lower(text), lower(?))", [search]
    ).fetchall()
    return [question_id for (question_id,) in found]


def list_datasets(cursor: Cursor) -> list[dict[str, Any]]:
    """Every split of every dataset with its number of questions."""
    rows = cursor.execute(
        "SELECT dataset, split, count(*) FROM questions GROUP BY ALL ORDER BY dataset, split"
    ).fetchall()
    return [{"dataset": dataset, "split": split, "questions": count} for dataset, split, count in rows]


def count_everything(cursor: Cursor) -> dict[str, Any]:
    """The project in numbers. Statistics must be fresh."""
    sums = (
        "judged", "labels", "live_groups", "dead_groups", "conflicts", "solved", "reward_sum",
        "rewarded_samples",
    )  # fmt: skip
    found = cursor.execute(
        f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in sums)} FROM question_stats"
    ).fetchone()
    summed = dict(zip(sums, found or (), strict=True))
    counts = {
        name: _count(cursor, name) for name in ("questions", "trajectories", "states", "actions", "samples")
    }
    runs = dict(cursor.execute("SELECT kind, count(*) FROM runs GROUP BY kind").fetchall())
    rewarded = summed.pop("rewarded_samples")
    reward_sum = summed.pop("reward_sum")
    judged = int(summed.pop("judged"))
    cost = _cost(cursor)
    return {
        **counts,
        "judged": judged,
        "unjudged": counts["actions"] - judged,
        **{name: int(value) for name, value in summed.items()},
        "runs": {kind: runs.get(kind, 0) for kind in RUN_KINDS},
        "mean_reward": reward_sum / rewarded if rewarded else None,
        "cost": cost,
        "cost_per_live_group": cost / summed["live_groups"] if summed["live_groups"] else None,
        "unparsed": _count(cursor, "unparsed"),
        "ingest_errors": _count(cursor, "ingest_errors"),
    }


def _cost(cursor: Cursor) -> float:
    """Dollars that the calls of all runs came to, as their journals say."""
    rows = cursor.execute("SELECT summary FROM runs WHERE contains(summary, '\"spending\"')").fetchall()
    spent = [json.loads(summary).get("spending") or {} for (summary,) in rows]
    return math.fsum(float(spending.get("cost") or 0.0) for spending in spent)


def _count(cursor: Cursor, table: str) -> int:
    row = cursor.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def read_answers(cursor: Cursor, run_id: int) -> list[dict[str, Any]]:
    """An evaluation's answers by question."""
    _check_run(cursor, run_id)
    names = ("question_id", "address", "text", "strict", "flexible", "is_correct", "n_tokens")
    rows = cursor.execute(
        "SELECT question_id, dataset || ':' || external_id, a.text, strict, flexible, is_correct, n_tokens"
        " FROM answers a JOIN questions USING (question_id) WHERE run_id = ? ORDER BY question_id",
        [run_id],
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_ingest_errors(cursor: Cursor, run_id: int | None, limit: int) -> list[dict[str, Any]]:
    """Journal lines that could not be used, newest first."""
    names = ("run_id", "byte_offset", "line", "error", "created_at")
    rows = cursor.execute(
        f"SELECT {', '.join(names)} FROM ingest_errors WHERE ?::INTEGER IS NULL OR run_id = ?"
        " ORDER BY created_at DESC, byte_offset DESC LIMIT ?",
        [run_id, run_id, limit],
    ).fetchall()
    return [{**dict(zip(names, row, strict=True)), "created_at": iso(row[-1])} for row in rows]


def _check_run(cursor: Cursor, run_id: int) -> None:
    if not run_exists(cursor, run_id):
        raise no_run(run_id)
