"""One optimiser step: the loss of its rows over microbatches, its gradient and its metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bswirl.training.objectives import taper, weighted_negative
from bswirl.training.rows import TrainingRow
from bswirl.training.rowwise import RowValues, microbatches, row_values
from bswirl.training.settings import TrainSettings


@dataclass(slots=True)
class StepSums:
    """What a step's microbatches add up to; loss parts are already divided by the step's samples."""

    samples: int = 0
    policy_loss: float = 0.0
    kl_loss: float = 0.0  # the KL term before β
    kl: float = 0.0  # over samples, summed over tokens
    entropy: float = 0.0  # over samples and tokens
    action_tokens: int = 0  # over samples
    tokens: int = 0  # of the rows as computed, without padding


def needs_base(settings: TrainSettings) -> bool:
    """Whether a step runs the base policy: for the KL term, its limit, or the taper's ratio.

    `sft` without a KL term is meant to leave the base, so its KL is neither limited nor computed.
    """
    return settings.beta > 0 or settings.taper or (settings.kl_limit > 0 and settings.objective != "sft")


def accumulate(
    model: Any, rows: Sequence[TrainingRow], settings: TrainSettings, check: Callable[[], None]
) -> StepSums:
    """Add the gradient of −E[c·log π_θ] + β·E[KL(π_θ‖π_base)] to the adapter.

    E is the sum over the samples of all `rows` divided by their number, however the rows fall into
    microbatches. `check` runs between microbatches and may raise. Stops at a loss that is not finite, which
    then shows in the sums.
    """
    sums = StepSums(samples=sum(row.samples for row in rows))
    for batch in microbatches(rows, settings.microbatch_tokens):
        check()
        values = row_values(model, batch, base=needs_base(settings), kl_gradient=settings.beta > 0)
        policy_loss, kl_loss = loss_parts(values, batch, settings, sums.samples)
        loss = policy_loss + settings.beta * kl_loss if settings.beta > 0 else policy_loss
        _add(sums, values, batch, policy_loss, kl_loss)
        if not math.isfinite(loss.item()):
            return sums
        torch.autograd.backward(loss)
    return sums


def loss_parts(
    values: RowValues, rows: Sequence[TrainingRow], settings: TrainSettings, samples: int
) -> tuple[Tensor, Tensor]:
    """Policy loss −Σ n·c·log π / N and KL term Σ n·KL / N of some rows of a step with N = `samples` samples.

    With `reduction` mean, log π and KL of a row are divided by its action tokens.
    """
    weights = values.logprob.new_tensor([row.samples / samples for row in rows])
    if settings.reduction == "mean":
        weights = weights / values.tokens
    coefficients = values.logprob.new_tensor(_coefficients(values, rows, settings))
    policy = -(weights * coefficients * values.logprob).sum()
    kl = (weights * values.kl).sum() if values.kl is not None else torch.zeros_like(policy)
    return policy, kl


def _coefficients(values: RowValues, rows: Sequence[TrainingRow], settings: TrainSettings) -> list[float]:
    scaled = [weighted_negative(row.coefficient, settings.negative_weight) for row in rows]
    if not settings.taper or values.base_logprob is None:
        return scaled
    now, start = (
        values.logprob.tolist(),
        values.base_logprob.tolist(),
    )  # the adapter starts at zero: start = base
    return [taper(c, logprob, first) for c, logprob, first in zip(scaled, now, start, strict=True)]


def _add(sums: StepSums, values: RowValues, rows: Sequence[TrainingRow], policy: Tensor, kl: Tensor) -> None:
    counts = [row.samples for row in rows]
    sums.policy_loss += policy.item()
    sums.kl_loss += kl.item()
    if values.kl is not None:
        sums.kl += sum(n * value for n, value in zip(counts, values.kl.tolist(), strict=True))
    sums.entropy += sum(n * value for n, value in zip(counts, values.entropy.tolist(), strict=True))
    sums.action_tokens += sum(row.samples * row.action_tokens for row in rows)
    sums.tokens += sum(len(row.ids) for row in rows)


def step_metrics(
    sums: StepSums, rows: Sequence[TrainingRow], groups: Sequence[tuple[int, int]], settings: TrainSettings
) -> dict[str, float]:
    """The step's metrics that follow from its data and sums. `groups` is (groups, dead ones) a question.

    kl: mean over samples, nats an action. entropy: mean over samples, nats a token. reward, reward_std,
    advantage_abs: over samples.
    """
    n = sums.samples
    mean = sum(row.samples * row.reward for row in rows) / n
    variance = sum(row.samples * (row.reward - mean) ** 2 for row in rows) / n
    metrics = {
        "loss": sums.policy_loss + settings.beta * sums.kl_loss,
        "policy_loss": sums.policy_loss,
        "entropy": sums.entropy / sums.action_tokens,
        "reward": mean,
        "reward_std": math.sqrt(variance),
    }
    if needs_base(settings):
        metrics["kl"] = sums.kl / n
    all_groups = sum(count for count, _ in groups)
    if all_groups:
        metrics["frac_reward_zero_std"] = sum(dead for _, dead in groups) / all_groups
    if settings.objective == "bswirl":
        metrics["advantage_abs"] = sum(row.samples * abs(row.coefficient) for row in rows) / n
    return metrics
