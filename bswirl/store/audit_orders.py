"""The audit's orders as SQL over the whole project: who is next, and among what a random draw is made."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from random import Random
from typing import Any

from bswirl.audit.records import Scope
from bswirl.audit.stakes import Audited, Cell, chances_wrong
from bswirl.certificates import Certificate
from bswirl.store.certificates import newest_certificates
from bswirl.store.database import Cursor, snapshot
from bswirl.store.in_force import STANDS
from bswirl.store.rewards import RANGE, effective_rewards

HEAD_LENGTH = 1000
REFERENCE = "reference"

_EVERYTHING = {"low": 0, "high": 2**31 - 1}
_FETCHED = 100_000
_JUDGED = "v.status = 'judged' AND v.reward IS NOT NULL"
_IN_SCOPE = (
    "($dataset IS NULL OR a.question_id IN (SELECT question_id FROM questions WHERE dataset = $dataset))"
    " AND ($depth IS NULL OR a.depth = $depth) AND ($answers OR NOT a.is_answer)"
)
_FREE = (
    f"a.action_id NOT IN (SELECT action_id FROM labels WHERE {STANDS})"
    " AND a.action_id NOT IN (SELECT action_id FROM audit_draws WHERE NOT met AND expires_at > $now)"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The judged actions of a scope, by depth, ascending, as they were when verdict `mark` was the newest."""

    mark: int
    by_depth: dict[int, array[int]]

    def __len__(self) -> int:
        return sum(map(len, self.by_depth.values()))

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.by_depth.values())

    def at(self, depth: int | None) -> Frame:
        """The part at one depth; None is all of it."""
        return self if depth is None else Frame(self.mark, {depth: self.by_depth.get(depth, array("q"))})

    def count(self, actions: Mapping[int, int]) -> int:
        """How many of these actions, given with their depths, it holds."""
        return sum(_holds(self.by_depth.get(depth, ()), action_id) for action_id, depth in actions.items())

    def pick(self, rng: Random) -> int:
        """One of its actions, uniformly. Raises ValueError where it has none."""
        place = rng.randrange(len(self))
        for actions in self.by_depth.values():
            if place < len(actions):
                return actions[place]
            place -= len(actions)
        raise AssertionError("unreachable")


def _holds(numbers: Sequence[int], number: int) -> bool:
    """Whether ascending numbers hold one."""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action near the top of an order."""

    action_id: int
    question_id: int
    score: float


@dataclass(frozen=True, slots=True)
class Head:
    """The top of an order, best first; `why` says what is missing where it is empty."""

    candidates: tuple[Candidate, ...]
    why: str = ""


def newest_marks(cursor: Cursor) -> tuple[int, int]:
    """The numbers of the newest verdict and of the newest label."""
    row = cursor.execute(
        "SELECT coalesce((SELECT max(verdict_id) FROM verdicts), 0),"
        " coalesce((SELECT max(label_id) FROM labels), 0)"
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def read_frame(cursor: Cursor, scope: Scope) -> Frame:
    """All actions of a scope that some judge judged."""
    by_depth: dict[int, array[int]] = {}
    with snapshot(cursor):
        mark = newest_marks(cursor)[0]
        cursor.execute(
            f"SELECT a.depth, a.action_id FROM actions a WHERE {_IN_SCOPE} AND a.action_id IN"
            f" (SELECT action_id FROM verdicts v WHERE {_JUDGED}) ORDER BY ALL",
            _values(scope),
        )
        while rows := cursor.fetchmany(_FETCHED):
            for depth, action_id in rows:
                by_depth.setdefault(depth, array("q")).append(action_id)
    return Frame(mark, by_depth)


def read_head(cursor: Cursor, order: str, scope: Scope, now: datetime) -> Head:
    """The top of an order, without what is labelled or with somebody."""
    with snapshot(cursor):
        return _HEADS[order](cursor, scope, now)


def _unaudited(cursor: Cursor, scope: Scope, now: datetime) -> Head:
    rows = cursor.execute(
        f"SELECT action_id, question_id, 0.0 FROM actions a WHERE {_IN_SCOPE} AND {_FREE}"
        f" AND a.action_id IN (SELECT action_id FROM verdicts v WHERE {_JUDGED})"
        f" ORDER BY action_id LIMIT {HEAD_LENGTH}",
        {**_values(scope), "now": now},
    ).fetchall()
    return _head(rows, "every judged step there has a label or is with somebody")


_DECIDING = (
    "(SELECT v.action_id, arg_min_null({what}, j.rank::BIGINT * 1099511627776 - v.verdict_id) AS {name},"
    " arg_min_null(j.name, j.rank::BIGINT * 1099511627776 - v.verdict_id) AS judge"
    f" FROM verdicts v JOIN judges j USING (judge_id) WHERE j.rank IS NOT NULL AND {_JUDGED}"
    " GROUP BY v.action_id)"
)


def _judge_split(cursor: Cursor, scope: Scope, now: datetime) -> Head:
    """By how close the deciding judge's votes are to a tie; see stakes.vote_closeness."""
    share = (
        "coalesce(CASE json_type(votes, '$.{0}') WHEN 'ARRAY' THEN"
        " json_extract(votes, '$.{0}[0]')::DOUBLE / nullif(json_extract(votes, '$.{0}[0]')::DOUBLE"
        "  + json_extract(votes, '$.{0}[1]')::DOUBLE, 0)"
        " ELSE try_cast(json_extract(votes, '$.{0}') AS DOUBLE) END, 0.0)"
    )
    closeness = f"1 - abs(2 * {share.format('correct')} * {share.format('progress')} - 1)"
    rows = cursor.execute(
        f"SELECT a.action_id, a.question_id, {closeness} AS score FROM actions a"
        f" JOIN {_DECIDING.format(what='v.votes', name='votes')} USING (action_id)"
        f" WHERE votes IS NOT NULL AND {_IN_SCOPE} AND {_FREE} AND score > 0"
        f" ORDER BY score DESC, hash(a.action_id) LIMIT {HEAD_LENGTH}",
        {**_values(scope), "now": now},
    ).fetchall()
    if rows:
        return _head(rows)
    voted = cursor.execute("SELECT count(*) FROM verdicts WHERE votes IS NOT NULL").fetchone()
    if voted and voted[0]:
        return Head((), "no unlabelled step is left on which the deciding judge's votes were split")
    return Head((), "no verdict here has votes: a judge must be asked more than once a step")


def _judge_reference(cursor: Cursor, scope: Scope, now: datetime) -> Head:
    both = (
        "WITH reference AS (SELECT v.action_id, arg_max(v.reward, v.verdict_id) AS reference FROM verdicts v"
        f" JOIN judges j USING (judge_id) WHERE j.name = $reference AND {_JUDGED} GROUP BY v.action_id)"
        " SELECT {what} FROM actions a"
        f" JOIN {_DECIDING.format(what='v.reward', name='reward')} d USING (action_id)"
        f" JOIN reference r USING (action_id) WHERE d.judge <> $reference AND {_IN_SCOPE}"
    )
    rows = cursor.execute(
        both.format(what="a.action_id, a.question_id, abs(d.reward - r.reference) AS score") + f" AND {_FREE}"
        f" AND score >= 0.5 ORDER BY score DESC, hash(a.action_id) LIMIT {HEAD_LENGTH}",
        {**_values(scope), "now": now, "reference": REFERENCE},
    ).fetchall()
    if rows:
        return _head(rows)
    judged = cursor.execute(
        "SELECT count(*) FILTER (j.name = ?), count(*) FILTER (j.name <> ? AND j.rank IS NOT NULL"
        " AND j.name <> 'answer-check') FROM verdicts v JOIN judges j USING (judge_id)",
        [REFERENCE, REFERENCE],
    ).fetchone() or (0, 0)
    if not judged[0]:
        return Head((), "the reference judge has judged nothing here: `bswirl judge --judge reference`")
    if not judged[1]:
        return Head((), "only the reference judge has judged here: there is no other to hold against it")
    held = cursor.execute(both.format(what="count(*)"), {**_values(scope), "reference": REFERENCE}).fetchone()
    if held and not held[0]:
        return Head(
            (),
            "no step there has a verdict of the reference judge and another judge's that decides: "
            "let both judge the same steps, and `bswirl judges rank` the other first",
        )
    return Head((), "no unlabelled step is left on which the deciding judge and the reference judge disagree")


def _high_stakes(cursor: Cursor, scope: Scope, now: datetime) -> Head:
    """By the chance that the reward is wrong times what a flip would change; see bswirl/audit/stakes.py."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE audit_effective AS"
        f" WITH {effective_rewards(RANGE)} SELECT action_id, state_id, question_id, depth, is_answer,"
        " samples, judge_reward, judge_id, reward, human_reward FROM effective WHERE reward IS NOT NULL",
        _EVERYTHING,
    )
    chances = chances_wrong(_cells(cursor), _certificates(cursor))
    columns: list[list[Any]] = [
        [cell.judge_id for cell in chances],
        [cell.said for cell in chances],
        [cell.depth for cell in chances],
        list(chances.values()),
    ]
    rows = cursor.execute(
        "WITH totals AS (SELECT state_id, sum(samples) AS total FROM audit_effective GROUP BY state_id),"
        " chances AS (SELECT unnest($judges::INTEGER[]) AS judge_id, unnest($said::BOOLEAN[]) AS said,"
        "  unnest($depths::INTEGER[]) AS depth, unnest($chances::DOUBLE[]) AS chance)"
        " SELECT a.action_id, a.question_id, chance * 2 * greatest(a.reward, 1 - a.reward) * a.samples"
        "  * (total - a.samples) / total AS score FROM audit_effective a JOIN totals USING (state_id)"
        " JOIN chances c ON c.judge_id = a.judge_id AND c.said = (a.judge_reward >= 0.5)"
        "  AND c.depth = a.depth"
        f" WHERE a.human_reward IS NULL AND a.samples > 0 AND total > a.samples AND {_IN_SCOPE} AND {_FREE}"
        f" ORDER BY score DESC, hash(a.action_id) LIMIT {HEAD_LENGTH}",
        {
            **_values(scope),
            "now": now,
            **dict(zip(("judges", "said", "depths", "chances"), columns, strict=True)),
        },
    ).fetchall()
    cursor.execute("DROP TABLE audit_effective")
    return _head(rows, "no unlabelled step has siblings with a reward: no reward there moves an advantage")


def _cells(cursor: Cursor) -> dict[Cell, Audited]:
    """The deciding verdicts by judge, word and depth; checked are those drawn at random and decided."""
    rows = cursor.execute(
        "SELECT judge_id, judge_reward >= 0.5 AS said, depth, count(*),"
        " count(*) FILTER (drawn AND human_reward IS NOT NULL),"
        " count(*) FILTER (drawn AND (human_reward >= 0.5) <> (judge_reward >= 0.5))"
        " FROM audit_effective LEFT JOIN (SELECT DISTINCT action_id, true AS drawn FROM audit_draws"
        "  WHERE way = 'random') USING (action_id) WHERE judge_reward IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {Cell(*row[:3]): Audited(*row[3:]) for row in rows}


def _certificates(cursor: Cursor) -> dict[int, Certificate]:
    rows = cursor.execute("SELECT judge_id, name, model, prompt_sha FROM judges").fetchall()
    found = newest_certificates(cursor, {row[1:] for row in rows})
    by_identity = {certificate.identity: certificate for certificate in found}
    return {row[0]: by_identity[row[1:]] for row in rows if row[1:] in by_identity}


_HEADS: dict[str, Callable[[Cursor, Scope, datetime], Head]] = {
    "judge-split": _judge_split,
    "judge-reference": _judge_reference,
    "high-stakes": _high_stakes,
    "unaudited": _unaudited,
}


def _head(rows: list[tuple[Any, ...]], why: str = "") -> Head:
    """The candidates of these rows; literals of the unaudited order come as decimals."""
    return Head(tuple(Candidate(row[0], row[1], float(row[2])) for row in rows), "" if rows else why)


def _values(scope: Scope) -> dict[str, Any]:
    return {"dataset": scope.dataset, "depth": scope.depth, "answers": scope.answers}
