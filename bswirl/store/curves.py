"""What training runs report step by step: their curves, and how held-out actions moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bswirl.store.database import Cursor
from bswirl.store.runs import no_run, run_exists

SHOWN_TEXT = 300  # characters of an action in a list

_ASKED = """run_id = $run AND ($after::BIGINT IS NULL OR step > $after)
  AND ($until::BIGINT IS NULL OR step <= $until)
  AND ($names::VARCHAR[] IS NULL OR list_contains($names, name))"""

# Kept of each of equal stretches: the lowest, the highest, one that is no finite number; and the ends.
_MARKED = f"""
WITH numbered AS (
  SELECT name, step, value, row_number() OVER curve - 1 AS place, count(*) OVER (PARTITION BY name) AS n
  FROM metrics WHERE {_ASKED}
  WINDOW curve AS (PARTITION BY name ORDER BY step)),
placed AS (
  SELECT *, CASE WHEN n <= $most THEN place ELSE place * ($most // 2) // n END AS stretch FROM numbered),
marked AS (
  SELECT *, n <= $most OR place IN (0, n - 1)
    OR step = arg_min(step, value) FILTER (isfinite(value)) OVER stretches
    OR step = arg_max(step, value) FILTER (isfinite(value)) OVER stretches
    OR step = min(step) FILTER (value IS NULL OR NOT isfinite(value)) OVER stretches AS kept
  FROM placed WINDOW stretches AS (PARTITION BY name, stretch))
"""
_THINNED = f"{_MARKED} SELECT name, step, value FROM marked WHERE kept ORDER BY name, step"

# With each kept point the number and the mean of the finite ones after the kept point before, up to it.
_SHARES = f"""{_MARKED},
shared AS (
  SELECT *, count(*) FILTER (kept) OVER (
    PARTITION BY name ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS share FROM marked)
SELECT name, step, value, count(*) FILTER (isfinite(value)) OVER shares,
       avg(value) FILTER (isfinite(value)) OVER shares
FROM shared WINDOW shares AS (PARTITION BY name, share) QUALIFY kept ORDER BY name, step
"""

# One row an action of the newest probe up to a step, with its shift at the probe before. What is no finite
# number has not moved by any amount, and comes last.
_MOVED = """
WITH now AS (SELECT * FROM shifts WHERE run_id = $run AND step = $step),
was AS (SELECT action_id, shift FROM shifts WHERE run_id = $run AND step = $before)
SELECT now.action_id, a.question_id, q.dataset || ':' || q.external_id, a.depth, now.reward, now.shift,
       was.shift, now.shift - coalesce(was.shift, 0) AS change, now.n_tokens, left(a.text, $characters)
FROM now LEFT JOIN was USING (action_id) JOIN actions a USING (action_id) JOIN questions q USING (question_id)
ORDER BY abs(CASE WHEN isfinite(change) THEN change END) DESC NULLS LAST, now.action_id LIMIT $limit
"""


def read_metrics(
    cursor: Cursor,
    run_id: int,
    after: int | None = None,
    most: int | None = None,
    *,
    until: int | None = None,
    names: Sequence[str] = (),
    shares: bool = False,
) -> dict[str, list[list[Any]]]:
    """A run's curves by name, each its [step, value] points beyond step `after` and up to `until`, by step.

    With `names`, only those curves. With `most`, longer ones are thinned to about as many points; none of
    their extremes is lost. With `most` and `shares`, points are [step, value, n, mean]: the number and mean
    of the finite points for which each stands, after the one before and up to it; None where there are none.
    """
    _check_run(cursor, run_id)
    asked = {"run": run_id, "after": after, "until": until, "names": list(names) or None}
    if most is None:
        found = cursor.execute(
            f"SELECT name, step, value FROM metrics WHERE {_ASKED} ORDER BY name, step", asked
        )
    else:
        found = cursor.execute(_SHARES if shares else _THINNED, {**asked, "most": most})
    curves: dict[str, list[list[Any]]] = defaultdict(list)
    for name, *point in found.fetchall():
        curves[name].append(point)
    return dict(curves)


def read_shifts(cursor: Cursor, run_id: int, step: int | None = None) -> list[dict[str, Any]]:
    """Log-prob shifts of held-out actions by step and action."""
    _check_run(cursor, run_id)
    names = ("step", "action_id", "reward", "shift", "n_tokens")
    rows = cursor.execute(
        f"SELECT {', '.join(names)} FROM shifts WHERE run_id = ? AND (?::BIGINT IS NULL OR step = ?)"
        " ORDER BY step, action_id",
        [run_id, step, step],
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_moved(cursor: Cursor, run_id: int, until: int | None = None, limit: int = 50) -> dict[str, Any]:
    """The held-out actions that moved most at the newest probe up to step `until`, since the probe before.

    `step` is null where there was no probe yet; `before` where it was the first: its shifts are the change.
    """
    _check_run(cursor, run_id)
    probes = cursor.execute(
        "SELECT step, count(*) FROM shifts WHERE run_id = $run AND ($until::BIGINT IS NULL OR step <= $until)"
        " GROUP BY step ORDER BY step DESC LIMIT 2",
        {"run": run_id, "until": until},
    ).fetchall()
    step, actions = probes[0] if probes else (None, 0)
    before = probes[1][0] if len(probes) > 1 else None
    names = (
        "action_id", "question_id", "address", "depth", "reward", "shift", "before", "change", "n_tokens",
        "text",
    )  # fmt: skip
    rows = cursor.execute(
        _MOVED,
        {"run": run_id, "step": step, "before": before, "characters": SHOWN_TEXT, "limit": limit},
    ).fetchall()
    return {
        "step": step,
        "before": before,
        "actions": actions,
        "rows": [dict(zip(names, row, strict=True)) for row in rows],
    }


def _check_run(cursor: Cursor, run_id: int) -> None:
    if not run_exists(cursor, run_id):
        raise no_run(run_id)
