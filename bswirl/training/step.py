"""One optimiser step's rows: their weights in the loss, and the metrics of what they gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bswirl.training.objectives import taper, weighted_negative
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings

_MOST_LOG_RATIO = 30.0  # exp of more would say nothing, and overflow


@dataclass(slots=True)
class StepValues:
    """What a step's rows gave under the policy, a value a row, in nats; shape [rows], on the host."""

    rows: list[TrainingRow]
    logprob: Tensor  # log π_θ, summed over the action's tokens
    entropy: Tensor  # of π_θ, summed over the action's positions
    base_logprob: Tensor | None  # log π_base, where the step ran the base policy
    kl: Tensor | None  # KL(π_θ‖π_base), summed over the action's positions
    policy_loss: float  # −Σ w·c·log π
    kl_loss: float  # Σ w·KL, before β
    tokens: int  # distinct ones: the nodes of the trees
    row_tokens: int  # as many as the rows have when each is written out

    @classmethod
    def empty(cls, rows: Sequence[TrainingRow], *, base: bool, dtype: torch.dtype) -> StepValues:
        """Zeros, to be added to."""
        logprob, entropy = (torch.zeros(len(rows), dtype=dtype) for _ in range(2))
        base_logprob, kl = (torch.zeros(len(rows), dtype=dtype) if base else None for _ in range(2))
        row_tokens = sum(len(row.ids) for row in rows)
        return cls(list(rows), logprob, entropy, base_logprob, kl, 0.0, 0.0, 0, row_tokens)

    @property
    def samples(self) -> int:
        return sum(row.samples for row in self.rows)

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.policy_loss) and math.isfinite(self.kl_loss)


def needs_base(settings: TrainSettings) -> bool:
    """Whether a step runs the base policy: for the KL term, its limit, or the taper's ratio.

    `sft` without a KL term is meant to leave the base, so its KL is neither limited nor computed.
    """
    return settings.beta > 0 or settings.taper or (settings.kl_limit > 0 and settings.objective != "sft")


def row_weights(rows: Sequence[TrainingRow], settings: TrainSettings, samples: int) -> list[float]:
    """w = n/N of each row, N being the step's samples; with `reduction` mean also divided by its tokens."""
    return [
        row.samples / samples / (row.action_tokens if settings.reduction == "mean" else 1) for row in rows
    ]


def tapers(rows: Sequence[TrainingRow], settings: TrainSettings) -> bool:
    """Whether some row's coefficient depends on its log-prob now."""
    return settings.taper and settings.negative_weight > 0 and any(row.coefficient < 0 for row in rows)


def coefficients(
    rows: Sequence[TrainingRow],
    settings: TrainSettings,
    logprob: Sequence[float] | None = None,
    start: Sequence[float] | None = None,
) -> list[float]:
    """The c of each row as the loss takes it: negatives weighted and, given log-probs, tapered.

    `start` are the starting policy's log-probs; the adapter starts at zero, so they are the base policy's.
    """
    scaled = [weighted_negative(row.coefficient, settings.negative_weight) for row in rows]
    if not settings.taper or logprob is None or start is None:
        return scaled
    return [taper(c, now, first) for c, now, first in zip(scaled, logprob, start, strict=True)]


def step_metrics(
    values: StepValues, groups: Sequence[tuple[int, int]], settings: TrainSettings
) -> dict[str, float]:
    """The step's metrics that follow from its data and values. `groups` is (groups, dead ones) a question.

    All are over samples. kl: nats an action; entropy: nats a token; logps: nats an action. ess: Kish's
    effective sample size of the ratios π_θ/π_start, (Σ n·ρ)² / (N·Σ n·ρ²), 1 on policy.
    """
    rows, n = values.rows, values.samples
    counts = [row.samples for row in rows]
    tokens = sum(row.samples * row.action_tokens for row in rows)
    reward, reward_std = _moments([row.reward for row in rows], counts)
    metrics = {
        "loss": values.policy_loss + settings.beta * values.kl_loss,
        "policy_loss": values.policy_loss,
        "entropy": _dot(values.entropy.tolist(), counts) / tokens,
        "reward": reward,
        "reward_std": reward_std,
        "action_tokens/mean": tokens / n,
    }
    logprobs = values.logprob.tolist()
    for name, wanted in (("logps/positive", True), ("logps/negative", False)):
        chosen = [
            (v, k) for v, k, row in zip(logprobs, counts, rows, strict=True) if (row.reward >= 0.5) == wanted
        ]
        if chosen:
            metrics[name] = _dot(*zip(*chosen, strict=True)) / sum(k for _, k in chosen)
    if values.kl is not None and values.base_logprob is not None:
        metrics["kl"] = _dot(values.kl.tolist(), counts) / n
        metrics |= _off_policyness(logprobs, values.base_logprob.tolist(), counts)
    all_groups = sum(count for count, _ in groups)
    if all_groups:
        metrics["frac_reward_zero_std"] = sum(dead for _, dead in groups) / all_groups
    if settings.objective == "bswirl":
        coefficients_of = [row.coefficient for row in rows]
        _, metrics["advantage_std"] = _moments(coefficients_of, counts)
        metrics["advantage_abs"] = _dot([abs(c) for c in coefficients_of], counts) / n
    return metrics


def _off_policyness(now: Sequence[float], start: Sequence[float], counts: Sequence[int]) -> dict[str, float]:
    """How far the policy has moved from the one that the step's data stand for."""
    ratios = [math.exp(min(a - b, _MOST_LOG_RATIO)) for a, b in zip(now, start, strict=True)]
    squares = _dot([ratio * ratio for ratio in ratios], counts)
    total = _dot(ratios, counts)
    return {
        "ess": total * total / (sum(counts) * squares) if squares > 0 else 0.0,
        "ratio/mean": total / sum(counts),
        "ratio/max": max(ratios),
    }


def _moments(values: Sequence[float], counts: Sequence[int]) -> tuple[float, float]:
    mean = _dot(values, counts) / sum(counts)
    return mean, math.sqrt(_dot([(value - mean) ** 2 for value in values], counts) / sum(counts))


def _dot(values: Sequence[float], counts: Sequence[int]) -> float:
    return math.fsum(value * count for value, count in zip(values, counts, strict=True))
