"""The verdicts of a judging run: counted as they are decided, journaled in batches, each action's once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bswirl.judging.catalogue import ANSWER_CHECK, JudgeSpec
from bswirl.judging.judgement import Outcome
from bswirl.records import Action
from bswirl.runs.context import RunContext
from bswirl.runs.journal import Row

SECONDS_A_BATCH = 0.5
_ROWS_A_BATCH = 200
_COUNTED = ("verdicts", "judged", "unjudged", "answers", "correct", "progress")


class Books:
    """What a run has decided, over all its attempts. Usable from several threads.

    `done` are the actions that have an outcome of this run. Rows are in the journal at the latest with the
    next `flush`; whoever decides calls `flush_if_due` now and then.
    """

    def __init__(self, context: RunContext, total: int) -> None:
        self.done: set[int] = set()
        self.prompts: set[str] = set()  # whose text is in the journal
        self._context = context
        self._total = total
        self._passed = 0
        self._tally = _Tally()
        self._rows: list[Row] = []
        self._adding = threading.Lock()
        self._flushing = threading.Lock()
        self._flushed_at = time.monotonic()
        self._failure: OSError | None = None
        for row in context.journal_rows():
            if row["t"] == "verdict" and row["action_id"] not in self.done:
                self._count(row)
            elif row["t"] == "prompt":
                self.prompts.add(row["sha"])

    def settle(self, action: Action, spec: JudgeSpec, outcome: Outcome) -> None:
        """Notes an action's outcome, unless it has one. Raises OSError where the journal takes no more."""
        if self._failure is not None:
            raise self._failure
        row = verdict_row(action, spec, outcome)
        with self._adding:
            if action.action_id not in self.done:
                self._count(row)
                self._rows.append(row)

    def skip(self, count: int) -> None:
        """Counts actions that are none of this judge's."""
        with self._adding:
            self._passed += count

    def flush_if_due(self) -> bool:
        """Writes what is waiting if it is much, or has waited long; says whether it did."""
        due = time.monotonic() - self._flushed_at >= SECONDS_A_BATCH or len(self._rows) >= _ROWS_A_BATCH
        if due:
            self.flush()
        return due

    def flush(self) -> None:
        """Writes what is waiting, and how far the run is. Raises OSError where the disk is full."""
        with self._flushing:
            with self._adding:
                rows, self._rows = self._rows, []
                passed = self._passed
            try:
                self._context.emit(*rows)
                self._context.progress(passed, self._total, "actions")
            except OSError as error:
                self._failure = error
                raise
            self._flushed_at = time.monotonic()

    def summary(self) -> Row:
        """Counts, mean reward and, where a model judged, what its calls came to."""
        return self._tally.summary()

    def rewards(self) -> dict[int, float]:
        """The reward of every action that this run judged."""
        return self._tally.rewards

    def _count(self, row: Row) -> None:
        self.done.add(row["action_id"])
        self._passed += 1
        self._tally.add(row)


def verdict_row(action: Action, spec: JudgeSpec, outcome: Outcome) -> Row:
    """The journal's row (docs/formats.md); what a judge by rules has none of is left out."""
    judgement = outcome.judgement
    more = {
        "votes": outcome.votes,
        "cost": outcome.cost,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "reason": outcome.reason,
        "duplicate_of": outcome.duplicate_of,
    }
    return {
        "t": "verdict",
        "action_id": action.action_id,
        "judge": spec.name,
        "model": spec.model,
        "prompt_sha": spec.prompt_sha,
        "status": judgement.status,
        "correct": judgement.correct,
        "progress": judgement.progress,
        "reward": judgement.reward,
        "rationale": judgement.rationale,
        "raw": outcome.raw,
        "latency_ms": round(1000 * outcome.seconds),
        **{name: value for name, value in more.items() if value is not None},
    }


class _Tally:
    """Counts over all verdicts of a run."""

    def __init__(self) -> None:
        self.rewards: dict[int, float] = {}
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._cost = 0.0

    def add(self, verdict: Row) -> None:
        counts = self._counts
        counts["verdicts"] += 1
        counts[verdict["status"]] += 1
        counts["answers"] += verdict["judge"] == ANSWER_CHECK.name
        counts["correct"] += bool(verdict["correct"])
        counts["progress"] += bool(verdict["progress"])
        if verdict["reward"] is not None:
            self.rewards[verdict["action_id"]] = verdict["reward"]
        if verdict.get("reason"):
            self._reasons[verdict["reason"]] += 1
        counts["copied"] += verdict.get("duplicate_of") is not None
        if votes := verdict.get("votes"):
            counts["by model"] += 1
            counts["calls"] += votes.get("asked", 0)
            counts["split"] += any(_is_split(votes.get(name)) for name in ("correct", "progress"))
            self._cost += verdict.get("cost") or 0.0

    def summary(self) -> Row:
        counts = self._counts
        found: Row = {name: counts[name] for name in _COUNTED}
        found["mean_reward"] = sum(self.rewards.values()) / counts["judged"] if counts["judged"] else None
        if counts["by model"]:
            found |= {"calls": counts["calls"], "split_votes": counts["split"], "cost": self._cost}
        if counts["copied"]:
            found["copied"] = counts["copied"]
        if self._reasons:
            found["unjudged_reasons"] = dict(self._reasons.most_common())
        return found


def _is_split(votes: Any) -> bool:
    """Whether there were votes for both; a local judge has a probability in that place."""
    return isinstance(votes, list) and min(votes) > 0


def live_groups(rows: Iterable[Row], rewards: dict[int, float]) -> int:
    """How many states of a run's input have actions that this run gave different rewards."""
    count = 0
    for row in rows:
        of_state: dict[Any, set[float]] = {}
        for action in row["tree"]["actions"]:
            if action["action_id"] in rewards:
                of_state.setdefault(action["state_id"], set()).add(rewards[action["action_id"]])
        count += sum(len(values) > 1 for values in of_state.values())
    return count
