"""The held-out probe: how far log π moved on actions the run never trains on (docs/method.md §5)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bswirl.statistics import clustered_mean_interval
from bswirl.training.adapter import set_dropout
from bswirl.training.engines import Engine, within_memory
from bswirl.training.rows import TrainingRow


@dataclass(frozen=True, slots=True)
class Shift:
    """log π_θ(a|s) − log π_base(a|s) of one held-out action, in nats over all its tokens."""

    action_id: int
    question_id: int
    reward: float
    shift: float
    n_tokens: int

    @property
    def is_positive(self) -> bool:
        return self.reward >= 0.5


def choose(rows: Sequence[TrainingRow], most: int, seed: int) -> list[TrainingRow]:
    """At most `most` rows, always the same ones for the same seed, whatever order they come in."""

    def place(row: TrainingRow) -> bytes:
        return hashlib.sha256(f"probe:{seed}:{row.action_id}".encode()).digest()

    return sorted(sorted(rows, key=place)[:most], key=lambda row: row.action_id)


class Probe:
    """Held-out rows with the base policy's log-probs, which are computed once."""

    def __init__(self, engine: Engine, rows: Sequence[TrainingRow], warn: Callable[[str], None]) -> None:
        self.rows = list(rows)
        self._engine = engine
        self._warn = warn
        self._base = self._logprobs(base=True)

    def shifts(self, model: Any) -> list[Shift]:
        """The shift of every row now."""
        set_dropout(model, False)
        return self._shifts(self._logprobs(base=False))

    def _logprobs(self, *, base: bool) -> list[float]:
        return within_memory(
            self._engine, self.rows, lambda: self._engine.logprobs(self.rows, base=base), self._warn
        )

    def untrained_shifts(self) -> list[Shift]:
        """The shifts before the first step, all 0: a new adapter changes nothing, so no pass is needed."""
        return self._shifts(self._base)

    def _shifts(self, now: Sequence[float]) -> list[Shift]:
        return [
            Shift(row.action_id, row.question_id, row.reward, logprob - base, row.action_tokens)
            for row, logprob, base in zip(self.rows, now, self._base, strict=True)
        ]


def shift_metrics(shifts: Sequence[Shift]) -> dict[str, float]:
    """Mean shift of positives (R = 1), of negatives (R = 0) and their margin, with 95% intervals.

    Intervals are clustered by question and need two of them. What has no actions has no metric. Per token:
    the group's shifts divided by its tokens.
    """
    positive = [shift for shift in shifts if shift.is_positive]
    negative = [shift for shift in shifts if not shift.is_positive]
    metrics: dict[str, float] = {}
    for name, group in (("positive", positive), ("negative", negative)):
        if group:
            values = [entry.shift for entry in group]
            _put(metrics, f"shift/{name}", values, [entry.question_id for entry in group])
            metrics[f"shift_per_token/{name}"] = sum(values) / sum(entry.n_tokens for entry in group)
    if positive and negative:
        values = _margin_values(shifts, metrics["shift/positive"], metrics["shift/negative"])
        _put(metrics, "shift/margin", values, [entry.question_id for entry in shifts])
    return metrics


def _margin_values(shifts: Sequence[Shift], positive: float, negative: float) -> list[float]:
    """One value an action: their mean is the margin, their spread the margin's (influence function)."""
    n = len(shifts)
    n_positive = sum(entry.is_positive for entry in shifts)
    margin = positive - negative
    return [
        margin
        + (
            (entry.shift - positive) * n / n_positive
            if entry.is_positive
            else -(entry.shift - negative) * n / (n - n_positive)
        )
        for entry in shifts
    ]


def _put(metrics: dict[str, float], name: str, values: Sequence[float], clusters: Sequence[int]) -> None:
    mean, low, high = clustered_mean_interval(values, clusters)
    metrics[name] = mean
    if math.isfinite(low):  # one question alone gives no interval
        metrics[f"{name}_low"] = low
        metrics[f"{name}_high"] = high
