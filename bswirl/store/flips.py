"""Two judges, models or prompts of one, on the same actions: how they agree, and which verdicts flipped."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from bswirl.errors import InputError
from bswirl.records import Judge
from bswirl.statistics import cohen_kappa
from bswirl.store.database import Cursor
from bswirl.store.judges import list_judges
from bswirl.store.rewards import effective_rewards

MEASURES = ("reward", "correct", "progress")
_TEXT = 300  # characters of a step that are shown

_PAIRS = """
newest AS (
  SELECT judge_id, action_id, max(verdict_id) AS verdict_id FROM verdicts
  WHERE judge_id IN ($a, $b) AND status = 'judged' AND reward IS NOT NULL GROUP BY judge_id, action_id),
pairs AS (
  SELECT v.action_id, v.question_id, v.reward >= 0.5 AS reward_a, w.reward >= 0.5 AS reward_b,
    v.correct AS correct_a, w.correct AS correct_b, v.progress AS progress_a, w.progress AS progress_b,
    v.rationale AS rationale_a, w.rationale AS rationale_b
  FROM newest n JOIN newest m USING (action_id)
    JOIN verdicts v ON v.verdict_id = n.verdict_id JOIN verdicts w ON w.verdict_id = m.verdict_id
  WHERE n.judge_id = $a AND m.judge_id = $b)"""

_COUNTS = (
    f"WITH {_PAIRS} SELECT depth, {', '.join(f'{name}_a, {name}_b' for name in MEASURES)}, count(*)"
    " FROM pairs JOIN actions USING (action_id) GROUP BY ALL"
)
_LABELLED = "question_id IN (SELECT question_id FROM labels)"
_FLIPS = (
    f"WITH {_PAIRS}, {effective_rewards(_LABELLED)}"
    " SELECT p.action_id, q.dataset || ':' || q.external_id, a.depth,"
    f" left(a.text, {_TEXT}), e.human_reward, {', '.join(f'{name}_a, {name}_b' for name in MEASURES)},"
    " rationale_a, rationale_b FROM pairs p JOIN actions a USING (action_id)"
    " JOIN questions q ON q.question_id = p.question_id LEFT JOIN effective e ON e.action_id = p.action_id"
    " WHERE reward_a <> reward_b OR correct_a <> correct_b OR progress_a <> progress_b"
    " ORDER BY e.human_reward IS NULL, reward_a = reward_b, p.action_id"
)


def compare_judges(cursor: Cursor, first: int | str, second: int | str, limit: int) -> dict[str, Any]:
    """How two judges agree where both judged, and the first `limit` of the verdicts that flipped.

    A judge is named by its number or name. Flips that people labelled come first, then those of the reward.
    Raises InputError where a judge is unknown, or one name means several.
    """
    a, b = _judges(list_judges(cursor), first, second)
    pair = {"a": a.judge_id, "b": b.judge_id}
    counts = cursor.execute(_COUNTS, pair).fetchall()
    flips = [_flip(row) for row in cursor.execute(_FLIPS, pair).fetchall()]
    judged = dict(
        cursor.execute(
            "SELECT judge_id, count(DISTINCT action_id) FROM verdicts"
            " WHERE judge_id IN ($a, $b) AND status = 'judged' AND reward IS NOT NULL GROUP BY judge_id",
            pair,
        ).fetchall()
    )
    both = sum(row[-1] for row in counts)
    by_depth: defaultdict[int, list[Any]] = defaultdict(list)
    for row in counts:
        by_depth[row[0]].append(row)
    labelled = [flip for flip in flips if flip["agrees"] is not None]
    return {
        "a": a,
        "b": b,
        "judged": {
            "both": both,
            "only_a": judged.get(a.judge_id, 0) - both,
            "only_b": judged.get(b.judge_id, 0) - both,
        },
        "overall": _agreement(counts),
        "depths": [{"depth": depth, **_agreement(rows)} for depth, rows in sorted(by_depth.items())],
        "flipped": len(flips),
        "labelled": {
            "flips": len(labelled),
            **{f"agree_{side}": sum(flip["agrees"] == side for flip in labelled) for side in ("a", "b")},
        },
        "flips": flips[:limit],
    }


def _judges(known: list[Judge], first: int | str, second: int | str) -> tuple[Judge, Judge]:
    """The two that are meant. The same name twice: the one of that name that decides, and the newest."""
    if first == second and isinstance(first, str):
        same = [judge for judge in known if judge.name == first]  # ranked ones first, else the oldest
        newest = max(same, key=lambda judge: judge.judge_id, default=None)
        if newest is not None and newest.judge_id != same[0].judge_id:
            return same[0], newest
        if newest is not None and len(same) > 1:
            return max(same[1:], key=lambda judge: judge.judge_id), newest
    a, b = _judge(known, first), _judge(known, second)
    if a.judge_id == b.judge_id:
        raise InputError(f"`{first}` and `{second}` are one judge", "`bswirl judges list` numbers them")
    return a, b


def _judge(known: list[Judge], address: int | str) -> Judge:
    if isinstance(address, str) and address.isdecimal() and address.isascii():
        address = int(address[:18])
    fitting = [judge for judge in known if address in (judge.judge_id, judge.name)]
    if not fitting:
        names = ", ".join(f"{judge.judge_id} ({judge.name})" for judge in known) or "none yet"
        raise InputError(f"no judge `{address}` has given a verdict here", f"known judges: {names}")
    if len(fitting) > 1:
        which = ", ".join(f"{j.judge_id} ({j.model}, prompt {j.prompt_sha[:12]})" for j in fitting)
        raise InputError(f"several judges are called `{address}`", f"give a number: {which}")
    return fitting[0]


def _agreement(rows: Iterable[Any]) -> dict[str, Any]:
    """For each measure how often both say yes, one alone does, or neither, over rows of `_COUNTS`."""
    counts = {name: Counter[tuple[bool, bool]]() for name in MEASURES}
    for _, *values, n in rows:
        for name, a, b in zip(MEASURES, values[::2], values[1::2], strict=True):
            if a is not None and b is not None:
                counts[name][a, b] += n
    return {name: _table(found) for name, found in counts.items()}


def _table(counts: Counter[tuple[bool, bool]]) -> dict[str, Any]:
    cells = [counts[pair] for pair in ((True, True), (True, False), (False, True), (False, False))]
    n = sum(cells)
    kappa = cohen_kappa(*cells)
    return {
        **dict(zip(("both", "only_a", "only_b", "neither"), cells, strict=True)),
        "agreement": (cells[0] + cells[3]) / n if n else None,
        "kappa": None if math.isnan(kappa) else kappa,
    }


def _flip(row: tuple[Any, ...]) -> dict[str, Any]:
    action_id, question, depth, text, human, *values, rationale_a, rationale_b = row
    a = {**dict(zip(MEASURES, values[::2], strict=True)), "rationale": rationale_a}
    b = {**dict(zip(MEASURES, values[1::2], strict=True)), "rationale": rationale_b}
    agrees = None
    if human is not None and a["reward"] != b["reward"]:
        agrees = "a" if a["reward"] == (human >= 0.5) else "b"
    return {
        "action_id": action_id,
        "question": question,
        "depth": depth,
        "text": text,
        "human": human,
        "agrees": agrees,
        "a": a,
        "b": b,
    }
